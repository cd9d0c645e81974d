"""Kernels that a model needs: each is rendered once, however many layers share it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tpsgd_edge.codegen.dense_kernels import DenseKernels, dense_kernels
from tpsgd_edge.codegen.error_kernels import ErrorKernels, error_kernels
from tpsgd_edge.codegen.input_gradient import InputGradientKernels, input_gradient_kernels
from tpsgd_edge.codegen.kinds import FILES
from tpsgd_edge.quantize.model import QuantizedModel


@dataclass(frozen=True, slots=True)
class Kernels:
    """All kernels of a model; templates read those of a kind's files by name, as in `kernels.pool`.

    Attributes:
        of_files: facts about the kernels of the files of kinds, by their names; None, or empty, of
            files that the model does not need.
    """

    dense: DenseKernels
    errors: ErrorKernels
    backward: InputGradientKernels | None
    of_files: Mapping[str, Any]

    def __getattr__(self, name: str) -> Any:
        try:
            return self.of_files[name]
        except KeyError:
            raise AttributeError(f"no kind of layers has kernels in tps_{name}.c") from None


def needed_kernels(model: QuantizedModel) -> Kernels:
    """The kernels that the layers of the model use, in the order of first use."""
    return Kernels(
        dense=dense_kernels(model),
        errors=error_kernels(model),
        backward=input_gradient_kernels(model),
        of_files={files.name: files.kernels(model) for files in FILES},
    )
