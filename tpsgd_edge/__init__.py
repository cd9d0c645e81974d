"""Firmware that trains itself: small networks learn on microcontrollers by target projection.

The names below are loaded on first use, so that ``import tpsgd_edge`` costs next to nothing.
"""

__version__ = "0.2.0.dev0"

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
    from tpsgd_edge.fluent import load_spec, spec_from_dict
    from tpsgd_edge.frontend.imports.torch_module import from_torch
    from tpsgd_edge.migration import migrate
    from tpsgd_edge.pipeline import adapt, build, export, quantization, report, simulate, verify
    from tpsgd_edge.quantize.model import QuantizedModel
    from tpsgd_edge.replaying import replay
    from tpsgd_edge.spec import Spec
    from tpsgd_edge.trace import Trace
    from tpsgd_edge.verdict import Verdict, compare

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
    "adapt",
    "build",
    "compare",
    "export",
    "from_keras",
    "from_torch",
    "load_spec",
    "migrate",
    "quantization",
    "replay",
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
    "Verdict": "verdict",
    "adapt": "pipeline",
    "build": "pipeline",
    "compare": "verdict",
    "export": "pipeline",
    "from_keras": "frontend.keras.model",
    "from_torch": "frontend.imports.torch_module",
    "load_spec": "fluent",
    "migrate": "migration",
    "quantization": "pipeline",
    "replay": "replaying",
    "report": "pipeline",
    "simulate": "pipeline",
    "spec_from_dict": "fluent",
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
