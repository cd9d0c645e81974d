"""The part of a state that devices share: weights, biases and read-outs of layers (section 27)."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

import numpy as np

from tpsgd_edge.arithmetic.ops import Int64, widen
from tpsgd_edge.errors import SpecError
from tpsgd_edge.memory import digest_order, model_id, state_layout
from tpsgd_edge.memory.state import StateLayout
from tpsgd_edge.quantize.model import IntegerNumbers, QuantizedModel
from tpsgd_edge.quantize.projection import LARGEST_ENTRY
from tpsgd_edge.quantize.scales import BIAS_BITS


@dataclass(frozen=True, slots=True)
class SharedTensor:
    """A tensor that is shared, as a matrix with a row for each unit.

    Attributes:
        name: as in the state.
        low, high: values that it can hold.
        start: of its first value among all that are shared.
    """

    name: str
    type: str
    rows: int
    columns: int
    low: int
    high: int
    start: int

    @property
    def count(self) -> int:
        """Number of values."""
        return self.rows * self.columns

    @property
    def place(self) -> slice:
        """Its values among all that are shared."""
        return slice(self.start, self.start + self.count)


@dataclass(frozen=True, slots=True)
class Shared:
    """The shared values of a model, which are one long vector: tensors in the order of the digest.

    Attributes:
        model: id of the model that they belong to.
        layout: of the state that they lie in.
        low, high: the least and the most that each value can be, shape (count,).
    """

    model: int
    layout: StateLayout
    tensors: tuple[SharedTensor, ...]
    low: Int64 = field(compare=False)
    high: Int64 = field(compare=False)

    @property
    def count(self) -> int:
        """Number of values."""
        return sum(tensor.count for tensor in self.tensors)

    def of(self, state: bytes) -> Int64:
        """The shared values of a state, shape (count,)."""
        tensors = self.layout.read(state)
        return np.concatenate([widen(tensors[own.name].ravel()) for own in self.tensors])

    def into(self, state: bytes, values: Int64) -> bytes:
        """A state with these shared values (count,) in the place of its own."""
        tensors = dict(self.layout.read(state))
        for own in self.tensors:
            there = tensors[own.name]
            tensors[own.name] = values[own.place].astype(there.dtype).reshape(there.shape)
        return self.layout.write(tensors)


def shared_of(model: QuantizedModel, personal: Collection[str] = ()) -> Shared:
    """The values that devices with a model share.

    Args:
        personal: layers that stay at home.

    Raises:
        SpecError: there is nothing that can be averaged in integers.
    """
    _check(model, personal)
    layout, bounds = state_layout(model), _bounds(model)
    there = {tensor.name: tensor for tensor in layout.tensors}
    tensors: list[SharedTensor] = []
    start = 0
    for name in digest_order(model):
        if name not in bounds or name.partition(".")[0] in personal:
            continue
        own = there[name]
        rows = own.shape[0]
        low, high = bounds[name]
        tensors.append(SharedTensor(name, own.type, rows, own.count // rows, low, high, start))
        start += own.count
    if not tensors:
        raise SpecError(
            "the devices of this fleet share nothing",
            where="--personal",
            found=f"all layers that learn are personal: {', '.join(personal)}",
            help="leave one of them out",
        )
    least = _each(tensors, [tensor.low for tensor in tensors])
    most = _each(tensors, [tensor.high for tensor in tensors])
    return Shared(model_id(model), layout, tuple(tensors), least, most)


def _bounds(model: QuantizedModel) -> dict[str, tuple[int, int]]:
    """The least and the largest value of each tensor that can be shared, by its name."""
    found, most = {}, 1 << BIAS_BITS
    for layer in model.trainable:
        if isinstance(layer.numbers, IntegerNumbers):
            limit = 1 << layer.numbers.weight_bits
            found[f"{layer.name}.w"] = (-limit, limit - 1)
            found[f"{layer.name}.b"] = (-most, most)
            found[f"{layer.name}.p"] = (-LARGEST_ENTRY, LARGEST_ENTRY)
    return found


def _check(model: QuantizedModel, personal: Collection[str]) -> None:
    if model.value_type == "f32" or model.detectors:
        raise SpecError(
            "weights of this model cannot be averaged in integers",
            where=f"model '{model.name}'",
            found="a detector, which learns what is normal for its own machine"
            if model.detectors
            else "numbers in f32",
            help="give the devices a layer of classes or values"
            if model.detectors
            else 'use weights = "s8" or "s16"',
        )
    known = [layer.name for layer in model.layers if layer.trains]
    for name in personal:
        if name not in known:
            raise SpecError(
                f"there is no layer '{name}' that learns",
                where="--personal",
                found=f"layers that learn: {', '.join(known)}",
            )


def _each(tensors: Sequence[SharedTensor], numbers: Sequence[int]) -> Int64:
    return np.repeat(np.array(numbers, np.int64), [tensor.count for tensor in tensors])
