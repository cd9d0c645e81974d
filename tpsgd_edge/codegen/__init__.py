"""QuantizedModel + MemoryPlan -> ModelView -> Jinja -> CProject."""

from typing import TYPE_CHECKING

from tpsgd_edge.lazy import on_first_use

if TYPE_CHECKING:
    from tpsgd_edge.codegen.additions import Additions
    from tpsgd_edge.codegen.project import CProject
    from tpsgd_edge.codegen.rendering import render
    from tpsgd_edge.codegen.selftest import SelfTest
    from tpsgd_edge.codegen.view import Origin

__all__ = ["Additions", "CProject", "Origin", "SelfTest", "render"]

__getattr__ = on_first_use(
    __name__,
    {
        "Additions": "additions",
        "CProject": "project",
        "Origin": "view",
        "SelfTest": "selftest",
        "render": "rendering",
    },
)
