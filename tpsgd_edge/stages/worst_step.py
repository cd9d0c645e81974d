"""A bound on the instructions of a training step, from steps in which every unit learns.

What a step takes depends on the data by what it may skip: inputs of 0, units whose step is 0, all
hidden layers where an error gate is closed. So steps are provoked that skip nothing, on the code of
the platform, and counted. Rates of a spec may be so low that chance decides which units learn: the
provoked net has others, in the same code. It learns from a state in which all errors are large, and
from its first one. A layer's work does not depend on that of another one, so the bound is the sum
of what each layer took at most, and a margin for what was not provoked.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tpsgd_edge.arithmetic.formats import FORMATS
from tpsgd_edge.arithmetic.types import Array
from tpsgd_edge.quantize.learning import IntegerSteps
from tpsgd_edge.quantize.model import DTYPES, QuantizedModel, QuantizedWeighted, Requantize
from tpsgd_edge.reference import Reference
from tpsgd_edge.reference.integer.update import step_sizes
from tpsgd_edge.reference.layer import from_quantized
from tpsgd_edge.toolchain.build import Binary
from tpsgd_edge.toolchain.counting import count_function
from tpsgd_edge.toolchain.device import Device
from tpsgd_edge.toolchain.interface import ModelInterface

# Kinds of layers whose worst step is known how to provoke.
BOUNDED_KINDS = frozenset({"dense", "conv2d", "max_pool", "average_pool", "add", "concat"})
# A decay, or the rate of a state, of 1 in Q15.
_WHOLE = 2**15
# The bound lies an eighth above what was counted.
_MARGIN = 8
# Factors of the provoking rates, in Q15: the costliest step need not be the largest.
RATES = tuple(round(_WHOLE * 2 ** (-k / 2)) for k in range(5))
# Errors of hidden layers are 2^14 or so, in Q14, those of the last one 2^14 / K. So steps reach 8
# and more at the least provoking rate, and at twice the rate of a spec they are as large as errors
# of twice that size make them.
_LEAST_RATE = 2.0**-11
_FEW_LABELS = 8
_TWICE = 2
# Of the units that an error may reach, how many have to learn in what counts as a step of all.
_ENOUGH = 0.95
# What is less is left of errors by rounding: units that have the same number for each label never
# learn.
_AN_ERROR = 2**8
# Labels that are tried.
_MOST_LABELS = 16
# What biases are set to, the first ones first, until outputs are as large as they may be.
_LIFTS = (0, *(2**k for k in range(4, 26)))


@dataclass(frozen=True, slots=True)
class Provocation:
    """A sample on which every unit of a net learns.

    Attributes:
        model: the net, at the rates that provoke.
        state: tensors before the step.
        x, label: the sample (n_in,), none of whose values is 0, and its class.
    """

    model: QuantizedModel
    state: Mapping[str, NDArray[Any]]
    x: Array
    label: int


def provocation_of(model: QuantizedModel) -> Provocation | None:
    """A sample and rates at which every unit of a net learns; None where none is known."""
    if not _is_bounded(model):
        return None
    provoking = _with_units(model, partial(_at_provoking_rate, labels=model.labels.count))
    x = _loud_sample(provoking)
    state = _lively_state(provoking, x)
    tried = [
        Provocation(provoking, state, x, label)
        for label in range(min(model.labels.count, _MOST_LABELS))
    ]
    best = max(tried, key=lambda found: min(learning_shares(found)))
    return best if min(learning_shares(best)) >= _ENOUGH else None


def step_bound(binary: Binary, interface: ModelInterface, provocation: Provocation) -> int:
    """More instructions than any training step of the net takes.

    Args:
        binary: firmware of the provoking net.

    Raises:
        ToolError: the emulator is missing, or cannot count.
    """
    most: dict[str, int] = {}
    first = replace(provocation, state=Reference(provocation.model).state())
    runs = [(provocation, rate) for rate in RATES] + [(first, rate) for rate in RATES[::2]]
    for tried, rate in runs:
        provoke = partial(run_provoked, interface=interface, provocation=tried, rate=rate)
        by_layer = count_function(binary, interface, "train_step", provoke).by_layer
        most = {name: max(count, most.get(name, 0)) for name, count in by_layer.items()}
    return sum(most.values()) * (_MARGIN + 1) // _MARGIN


def run_provoked(
    device: Device, interface: ModelInterface, provocation: Provocation, rate: int
) -> None:
    """One provoked step, at a factor of the rates in Q15."""
    device.load_state(interface.layout.write(provocation.state))
    device.set_rate(rate)
    device.train(provocation.x[None], np.array([provocation.label], DTYPES["u16"]))


def learning_shares(provocation: Provocation) -> Iterator[float]:
    """The share that learn, of the units of each layer that an error of some label reaches."""
    model = provocation.model
    outputs = _from_state(model, provocation.state).layer_outputs(provocation.x)
    rng = np.random.default_rng(model.seed)
    for layer, y in zip(model.layers, outputs, strict=True):
        if layer.units:
            words = rng.integers(0, 2**32, layer.y_count, dtype=np.uint32)
            yield _learning_share(model, layer, y, provocation.label, words)


def _learning_share(
    model: QuantizedModel, layer: Any, y: Any, label: int, words: NDArray[np.uint32]
) -> float:
    numbers: Any = from_quantized(layer, model)

    def errors(label: int) -> Any:
        e, _ = numbers.meet_loss(y.astype(np.int64), label, words, _WHOLE)
        return numbers.of_units(e, y)

    tried = [np.abs(errors(other)) > _AN_ERROR for other in range(model.labels.count)]
    reached = np.any(tried, axis=0)
    d = step_sizes(layer, _WHOLE, errors(label), y.astype(np.int64), words)
    return float((d != 0).sum() / max(1, reached.sum()))


def _is_bounded(model: QuantizedModel) -> bool:
    """Tell whether all that a step of the model does is known how to provoke."""
    return (
        {layer.kind for layer in model.layers} <= BOUNDED_KINDS
        and model.scores == "own"
        and model.replay is None
        and model.labels.kind == "class"
        and all(_is_bounded_unit(unit) for unit in model.weighted)
    )


def _is_bounded_unit(unit: QuantizedWeighted) -> bool:
    learning = unit.learning
    return (
        isinstance(learning.steps, IntegerSteps)
        and learning.trains
        and not learning.loss.is_passed
        and not learning.has_learning_readout
    )


def _with_units(
    model: QuantizedModel, change: Callable[[QuantizedWeighted], QuantizedWeighted]
) -> QuantizedModel:
    layers = (
        layer.with_units(tuple(map(change, layer.units))) if layer.units else layer
        for layer in model.layers
    )
    return replace(model, layers=tuple(layers))


def _at_provoking_rate(unit: QuantizedWeighted, labels: int) -> QuantizedWeighted:
    """A layer at twice its rate, or more where steps would be smaller than a few units."""
    steps = unit.learning.steps
    assert isinstance(steps, IntegerSteps)
    own = steps.rate.mult / 2**steps.rate.shift
    least = _LEAST_RATE * (max(1.0, labels / _FEW_LABELS) if unit.is_last else 1.0)
    rate = _as_rate(_TWICE * max(own, least))
    return replace(unit, learning=replace(unit.learning, steps=replace(steps, rate=rate)))


def _as_rate(factor: float) -> Requantize:
    """The nearest rate of at most 1 (docs/ARITHMETIC.md, section 7).

    >>> _as_rate(2.0**-10), _as_rate(3.0)
    (Requantize(mult=32768, shift=25), Requantize(mult=32768, shift=15))
    """
    factor = min(factor, 1.0)
    shift = 15 - int(np.ceil(np.log2(factor)))
    return Requantize(min(2**15, round(factor * 2**shift)), shift)


def _loud_sample(model: QuantizedModel) -> Array:
    """Values near the largest input, of either sign."""
    rng = np.random.default_rng(model.seed)
    high = FORMATS[model.value_type].limits[1]
    values = rng.integers(high - high // 8, high, model.n_inputs, endpoint=True)
    return np.asarray(values * rng.choice((-1, 1), model.n_inputs), DTYPES[model.value_type])


def _lively_state(model: QuantizedModel, x: Array) -> dict[str, NDArray[Any]]:
    """Weights of 0, and biases by which hidden layers hand on large outputs that can still move.

    So all classes are as probable as each other, and no error gate is closed.
    """
    state = {
        name: np.zeros_like(tensor) if "." in name else tensor
        for name, tensor in Reference(model).state().items()
    }
    for index, layer in enumerate(model.layers[:-1]):
        for unit in layer.units:
            name = f"{unit.name}.b"
            lifted = [state | {name: np.full_like(state[name], lift)} for lift in _LIFTS]
            state = max(lifted, key=partial(_loudness, model, x, index))
    return state


def _loudness(
    model: QuantizedModel, x: Array, index: int, state: Mapping[str, NDArray[Any]]
) -> float:
    """Mean size of a layer's outputs; without those that are near the end of their type."""
    y = np.abs(_from_state(model, state).layer_outputs(x)[index].astype(np.int64))
    high = FORMATS[model.layers[index].y_type].limits[1]
    return float(np.where(y <= high - high // 4, y, 0).mean())


def _from_state(model: QuantizedModel, state: Mapping[str, NDArray[Any]]) -> Reference:
    reference = Reference(model)
    reference.load_state(state)
    return reference
