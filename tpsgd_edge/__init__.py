"""Firmware that trains itself: small networks learn on microcontrollers by target projection.

The names below are loaded on first use, so that ``import tpsgd_edge`` costs next to nothing.
"""

import sys
from types import ModuleType

__version__ = "0.1.0"

TYPE_CHECKING = False
if TYPE_CHECKING:
    from tpsgd_edge.errors import (
        BudgetError,
        DataError,
        MismatchError,
        OutputError,
        SpecError,
        ToolError,
        TpsgdError,
        TrainingWarning,
    )
    from tpsgd_edge.estimator import TPSGDClassifier, TPSGDRegressor
    from tpsgd_edge.frontend.imports.torch_module import from_torch
    from tpsgd_edge.pipeline import build, export, quantization, report, simulate, verify
    from tpsgd_edge.quantize.model import QuantizedModel
    from tpsgd_edge.spec import Spec, load_spec, spec_from_dict
    from tpsgd_edge.trace import Trace
    from tpsgd_edge.verify import Verdict, compare

__all__ = [
    "BudgetError",
    "DataError",
    "MismatchError",
    "OutputError",
    "QuantizedModel",
    "Spec",
    "SpecError",
    "TPSGDClassifier",
    "TPSGDRegressor",
    "ToolError",
    "TpsgdError",
    "Trace",
    "TrainingWarning",
    "Verdict",
    "__version__",
    "build",
    "compare",
    "export",
    "from_torch",
    "load_spec",
    "quantization",
    "report",
    "simulate",
    "spec_from_dict",
    "verify",
]

_HOME_OF = {
    "BudgetError": "errors",
    "DataError": "errors",
    "MismatchError": "errors",
    "OutputError": "errors",
    "QuantizedModel": "quantize.model",
    "Spec": "spec",
    "SpecError": "errors",
    "TPSGDClassifier": "estimator",
    "TPSGDRegressor": "estimator",
    "ToolError": "errors",
    "TpsgdError": "errors",
    "Trace": "trace",
    "TrainingWarning": "errors",
    "Verdict": "verify",
    "build": "pipeline",
    "compare": "verify",
    "export": "pipeline",
    "from_torch": "frontend.imports.torch_module",
    "load_spec": "spec",
    "quantization": "pipeline",
    "report": "pipeline",
    "simulate": "pipeline",
    "spec_from_dict": "spec",
    "verify": "pipeline",
}


def __getattr__(name: str) -> object:
    home = _HOME_OF.get(name)
    if home is None:
        raise AttributeError(f"module 'tpsgd_edge' has no attribute {name!r}")
    from importlib import import_module

    value = getattr(import_module(f"tpsgd_edge.{home}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


class _Package(ModuleType):
    """Keeps the functions `verify` and `report` from being hidden by the submodules of these names.

    Importing a submodule binds it in its package. ``from tpsgd_edge.verify import compare`` does
    not need that binding, and ``tpsgd_edge.verify(spec)`` must not depend on earlier imports.
    """

    def __setattr__(self, name: str, value: object) -> None:
        if not (name in _HOME_OF and isinstance(value, ModuleType)):
            super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package
