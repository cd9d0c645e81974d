"""The state struct: what training changes."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from tpsgd_edge.arithmetic.random import Purpose, stream
from tpsgd_edge.codegen.c import C_TYPES, c_float, c_uint
from tpsgd_edge.codegen.schedule import FirstValues, first_values
from tpsgd_edge.memory import MemoryPlan, StateTensor, digest_order
from tpsgd_edge.memory.kept import is_of_kept_samples, kept_samples
from tpsgd_edge.quantize.model import QuantizedModel, QuantizedWeighted, in_integers, limits
from tpsgd_edge.quantize.scales import BIAS_BITS

# The largest number of binary32: what is learned must be finite.
_LARGEST = float(np.finfo(np.float32).max)
# What binary32 is proved for in samples and labels (docs/ARITHMETIC.md, section 12).
_SAMPLE_MAX = 2.0**20


@dataclass(frozen=True, slots=True)
class MemberView:
    """One member of the struct.

    Attributes:
        count: of its numbers, as a product of its sizes; empty of a single number.
        note: what stands in a comment behind it, if anything does.
    """

    member: str
    c_type: str
    count: str
    note: str


@dataclass(frozen=True, slots=True)
class RangeView:
    """The range that training keeps a member of the struct in.

    Attributes:
        kind: of the function that looks, by the type of the numbers.
        low, high: as literals of C.
    """

    member: str
    kind: str
    count: str
    low: str
    high: str


@dataclass(frozen=True, slots=True)
class StateView:
    """The struct, and how it begins and is compared.

    Attributes:
        digest: its weights and biases, then its counters, in the order of the model's digest.
        first_rng: the initial state of the random numbers.
        total_units: units that draw random numbers at each step.
        kept: those of kept samples, which are 0 at first.
        ranges: of the members whose type holds more numbers than training makes.
    """

    members: tuple[MemberView, ...]
    digest: tuple[MemberView, ...]
    first_values: tuple[FirstValues, ...]
    first_rng: str
    total_units: int
    kept: tuple[MemberView, ...]
    ranges: tuple[RangeView, ...]


def state_view(model: QuantizedModel, plan: MemoryPlan) -> StateView:
    """The state of a model."""
    by_name = {tensor.name: _member_view(tensor) for tensor in plan.state.tensors}
    return StateView(
        members=tuple(by_name.values()),
        digest=tuple(by_name[name] for name in digest_order(model)),
        first_values=first_values(model),
        first_rng=c_uint(stream(model.seed, Purpose.TRAINING, 0)),
        total_units=model.total_units,
        kept=tuple(by_name[name] for name, _, _ in kept_samples(model)),
        ranges=tuple(_ranges(model, plan)),
    )


def _ranges(model: QuantizedModel, plan: MemoryPlan) -> Iterator[RangeView]:
    """The ranges of weights, biases and read-outs that learn (sections 6.5, 8 and 12)."""
    layers = {layer.name: layer for layer in model.trainable}
    yield from _own_ranges(model)
    for tensor in plan.state.tensors:
        layer, dot, role = tensor.name.rpartition(".")
        if not dot or not (is_of_kept_samples(tensor.name) or role in ("w", "b", "p")):
            continue
        if tensor.type in ("u16", "u32"):
            continue
        if is_of_kept_samples(tensor.name):
            low, high = (-_SAMPLE_MAX, _SAMPLE_MAX) if tensor.type == "f32" else limits(tensor.type)
        else:
            low, high = _range(role, tensor.type, layers[layer])
        if tensor.type == "f32" or (low, high) != limits(tensor.type):
            count = _member_view(tensor).count
            literal = c_float if tensor.type == "f32" else str
            yield RangeView(tensor.member, tensor.type, count, literal(low), literal(high))


def _own_ranges(model: QuantizedModel) -> Iterator[RangeView]:
    """The ranges of what detectors keep beside weights and biases (section 25)."""
    for layer in model.detectors:
        for own in layer.tensors:
            member, count = f"{layer.name}_{own.role}", str(own.count)
            yield RangeView(member, "s32", count, str(own.low), str(own.high))


def _range(role: str, type_: str, layer: QuantizedWeighted) -> tuple[float, float]:
    if role == "p":
        return -127, 127
    if type_ == "f32":
        return -_LARGEST, _LARGEST
    if role == "b":
        return -(2**BIAS_BITS), 2**BIAS_BITS
    bits = in_integers(layer).numbers.weight_bits
    return -(2**bits), 2**bits - 1


def _member_view(tensor: StateTensor) -> MemberView:
    is_matrix = len(tensor.shape) == 2
    return MemberView(
        member=tensor.member,
        c_type=C_TYPES[tensor.type],
        count=" * ".join(str(n) for n in tensor.shape),
        note="".join(f"[{n}]" for n in tensor.shape) if is_matrix else _counter_note(tensor),
    )


def _counter_note(tensor: StateTensor) -> str:
    """Describe a counter in words; empty for weights and biases."""
    notes = {
        "rng": "state of the random numbers",
        "step": "training steps so far",
        "start": "the step at which the schedule of the learning rate began",
        "replay.kept": "samples that are kept",
        "replay.seen": "samples that came",
        "rate": "factor of all learning rates" + ("" if tensor.type == "f32" else ", Q15"),
    }
    return notes.get(tensor.name, "")
