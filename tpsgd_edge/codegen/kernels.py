"""Kernels that a model needs: each is rendered once, however many layers share it."""

from dataclasses import dataclass

from tpsgd_edge.codegen.conv2d_kernels import Conv2dKernels, conv2d_kernels
from tpsgd_edge.codegen.dense_kernels import DenseKernels, dense_kernels
from tpsgd_edge.codegen.error_kernels import ErrorKernels, error_kernels
from tpsgd_edge.codegen.input_gradient import InputGradientKernels, input_gradient_kernels
from tpsgd_edge.codegen.kinds.detector import DetectorKernels, detector_kernels
from tpsgd_edge.codegen.kinds.gated import GatedKernels, gated_kernels
from tpsgd_edge.codegen.kinds.join import JoinKernels, join_kernels
from tpsgd_edge.codegen.kinds.memory import MemoryKernels, memory_kernels
from tpsgd_edge.codegen.kinds.norm import norm_types
from tpsgd_edge.codegen.kinds.pool import PoolKernels, pool_kernels
from tpsgd_edge.codegen.kinds.rnn import RnnKernels, rnn_kernels
from tpsgd_edge.quantize.model import QuantizedModel


@dataclass(frozen=True, slots=True)
class Kernels:
    """All kernels of a model; those of a kind that it has no layer of are None."""

    dense: DenseKernels
    errors: ErrorKernels
    conv2d: Conv2dKernels | None
    pool: PoolKernels | None
    join: JoinKernels | None
    memory: MemoryKernels | None
    norm: tuple[tuple[str, str], ...]
    detector: DetectorKernels | None
    rnn: RnnKernels | None
    gru: GatedKernels | None
    lstm: GatedKernels | None
    backward: InputGradientKernels | None


def needed_kernels(model: QuantizedModel) -> Kernels:
    """The kernels that the layers of the model use, in the order of first use."""
    return Kernels(
        dense=dense_kernels(model),
        errors=error_kernels(model),
        conv2d=conv2d_kernels(model),
        pool=pool_kernels(model),
        join=join_kernels(model),
        memory=memory_kernels(model),
        norm=norm_types(model),
        detector=detector_kernels(model),
        rnn=rnn_kernels(model),
        gru=gated_kernels(model, "gru"),
        lstm=gated_kernels(model, "lstm"),
        backward=input_gradient_kernels(model),
    )
