"""Kernels of recurrent layers."""

from dataclasses import dataclass

from tpsgd_edge.codegen.c import C_TYPES
from tpsgd_edge.codegen.dense_kernels import update_suffix
from tpsgd_edge.quantize.model import QuantizedGru, QuantizedRnn


@dataclass(frozen=True, slots=True)
class RnnKernel:
    """`tps_rnn_step_<suffix>` or `tps_rnn_update_<suffix>`, after the dense kernel it calls."""

    suffix: str
    w: str
    b: str
    x: str
    e: str


@dataclass(frozen=True, slots=True)
class GruKernel:
    """`tps_gru_step_<suffix>`, after where the reset gate acts and the types it reads.

    `forward` is the suffix of the dense kernel that it calls.
    """

    suffix: str
    forward: str
    resets_first: bool
    w: str
    b: str
    x: str


def gru_suffix(layer: QuantizedGru) -> str:
    """Name of the layer's kernel behind `tps_gru_step_`."""
    return f"{'before' if layer.resets_first else 'after'}_{update_suffix(layer.reads)}"


def rnn_kernel(layer: QuantizedRnn, suffix: str) -> RnnKernel:
    """A kernel of the layer, after the dense kernel that it calls."""
    return RnnKernel(
        suffix=suffix,
        w=C_TYPES[layer.weight_type],
        b=C_TYPES[layer.bias_type],
        x=C_TYPES[layer.x_type],
        e="float" if layer.weight_type == "f32" else "int16_t",
    )


def gru_kernel(layer: QuantizedGru, forward: str) -> GruKernel:
    """What takes a step of the layer; `forward` is the suffix of its dense kernel."""
    return GruKernel(
        suffix=gru_suffix(layer),
        forward=forward,
        resets_first=layer.resets_first,
        w=C_TYPES[layer.weight_type],
        b=C_TYPES[layer.reads.bias_type],
        x=C_TYPES[layer.x_type],
    )
