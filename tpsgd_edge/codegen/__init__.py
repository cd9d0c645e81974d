"""QuantizedModel + MemoryPlan -> ModelView -> Jinja -> CProject."""

from tpsgd_edge.codegen.additions import Additions
from tpsgd_edge.codegen.project import CProject
from tpsgd_edge.codegen.rendering import render
from tpsgd_edge.codegen.selftest import SelfTest
from tpsgd_edge.codegen.view import Origin

__all__ = ["Additions", "CProject", "Origin", "SelfTest", "render"]
