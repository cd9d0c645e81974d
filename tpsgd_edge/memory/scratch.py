"""Memory that kernels work in beside inputs and outputs, for each kind of layers.

The kernels are in `codegen_templates/`, above this floor: nothing here can ask them. So each size
stands here once, and `tests/unit/test_scratch.py` runs the kernels with guards behind each buffer.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from tpsgd_edge.quantize.model import (
    QuantizedConv2d,
    QuantizedDetector,
    QuantizedGated,
    QuantizedLayer,
    QuantizedMemory,
    QuantizedRnn,
    QuantizedWeighted,
    ValueType,
    keeps_present,
)

Role = Literal["y", "e", "s", "p", "m", "d", "g", "h", "u", "v", "w"]
Use = Literal["forward", "learn"]


@dataclass(frozen=True, slots=True)
class Scratch:
    """A buffer that only the stages of one layer use.

    Attributes:
        role: s (read-out of a label-space loss), e (errors, then steps); of a convolution also p
            (patches of the input), m (its map, averaged over windows), d (errors, then steps, of
            one position, in f32), u (errors of all units, to pass them on), w (the units that a
            pool takes from a row of windows); of a recurrent layer with traces p (its input and own
            output; then one of its traces); of a gated one that does not learn g (sums over its
            input, then over its own output), of one that does d (errors of these sums, then
            steps); of a memory that reads a map h (its states).
        uses: the stages between which its content need not last.
    """

    role: Role
    type: ValueType | Literal["s32"]
    count: int
    uses: tuple[Use, ...]


def scratch_of(
    layer: QuantizedLayer,
    n_labels: int,
    *,
    carries: bool = False,
    winner_type: ValueType = "s8",
) -> tuple[Scratch, ...]:
    """The buffers of a layer; none of a kind that is not in `SCRATCH`.

    Args:
        carries: whether it adds to scores: then it is read out in its forward stage.
        winner_type: of places in the windows of a pool.
    """
    made = tuple(SCRATCH[layer.kind](layer, n_labels)) if layer.kind in SCRATCH else ()
    found = tuple(replace(s, type=winner_type) if s.role == "w" else s for s in made)
    if not carries:
        return found
    learns = any(part.has_learning_readout for part in layer.units)
    uses: dict[Role, tuple[Use, ...]] = {
        "s": ("forward", "learn"),
        "m": ("forward", "learn") if learns else ("forward",),
    }
    return tuple(replace(s, uses=uses.get(s.role, s.uses)) for s in found)


def _of_dense(layer: QuantizedWeighted, n_labels: int) -> Iterator[Scratch]:
    yield from _read_out(layer, n_labels)
    yield from _errors(layer)


def _of_conv2d(layer: QuantizedConv2d, n_labels: int) -> Iterator[Scratch]:
    yield Scratch("p", layer.x_type, _patch_count(layer), ("forward", "learn"))
    yield from _read_out(layer, n_labels)
    if layer.loss.is_local:
        yield Scratch("m", layer.y_type, layer.n_target, ("learn",))
    if layer.hands_down_windows:
        yield Scratch("u", layer.error_type, layer.y_count, ("learn",))
    if layer.error_type == "f32":
        yield Scratch("d", layer.error_type, layer.n_out, ("learn",))
    if layer.shape.is_pooled:
        yield Scratch("w", "s8", layer.shape.seen_shape[1] * layer.n_out, ("learn",))
    yield from _errors(layer)


def _patch_count(layer: QuantizedConv2d) -> int:
    """Numbers of one patch, and in s8 what cores with pairs pack in 16 bits for whole weights.

    That is four patches, which they work on at once, and the one that is packed; or the weights of
    a depthwise convolution.
    """
    if layer.x_type != "s8" or layer.weight_type == "s4":
        return layer.n_in
    return 2 * layer.n_weights if layer.shape.is_depthwise else (4 * 2 + 1) * layer.n_in


def _of_rnn(layer: QuantizedRnn, n_labels: int) -> Iterator[Scratch]:
    if not keeps_present(layer):
        yield Scratch("p", layer.x_type, layer.n_in, ("forward", "learn"))
    yield from _of_dense(layer, n_labels)


def _of_gated(layer: QuantizedGated, n_labels: int) -> Iterator[Scratch]:
    if layer.loss_layer is None:
        yield Scratch("g", layer.state_type, layer.n_sums, ("forward",))
        return
    yield Scratch("d", layer.state_type, layer.n_sums, ("learn",))
    yield from _of_dense(layer.loss_layer, n_labels)


def _of_memory(layer: QuantizedMemory, n_labels: int) -> Iterator[Scratch]:
    """The states of a memory that reads a map at once; others are in the stream."""
    if layer.reads_map:
        yield Scratch("h", layer.state_type, layer.y_count, ("forward",))


def _of_detector(layer: QuantizedDetector, n_labels: int) -> Iterator[Scratch]:
    """Outputs of the units, then their errors and steps; what they leave of the input."""
    if layer.code is not None:
        yield Scratch("h", "s16", layer.code.n_out, ("forward", "learn"))
        yield Scratch("p", layer.x_type, layer.n_in, ("forward", "learn"))


def _read_out(layer: QuantizedWeighted, n_labels: int) -> Iterator[Scratch]:
    if layer.loss.in_label_space:
        yield Scratch("s", layer.bias_type, n_labels, ("learn",))


def _errors(layer: QuantizedWeighted) -> Iterator[Scratch]:
    """The errors of a local loss; others come from the layer above."""
    if layer.loss.is_local:
        yield Scratch("e", layer.error_type, layer.n_target, ("learn",))


SCRATCH: Mapping[str, Callable[[Any, int], Iterator[Scratch]]] = {
    "dense": _of_dense,
    "conv2d": _of_conv2d,
    "rnn": _of_rnn,
    "gru": _of_gated,
    "lstm": _of_gated,
    "memory": _of_memory,
    "detector": _of_detector,
}
"""By the kind of the layer."""
