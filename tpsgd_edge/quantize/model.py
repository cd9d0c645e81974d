"""The quantized model: every integer that the device will see (docs/ARITHMETIC.md).

Nothing here is derived again downstream: reference and generator read the same numbers, and only
these.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, Literal, cast

import numpy as np
from numpy.typing import NDArray

from tpsgd_edge.quantize.branches import (
    FloatSum,
    IntegerSum,
    QuantizedAdd,
    QuantizedConcat,
    QuantizedJoin,
)
from tpsgd_edge.quantize.detectors import QuantizedDetector
from tpsgd_edge.quantize.gated import QuantizedGated, QuantizedGru, QuantizedLstm
from tpsgd_edge.quantize.layers import (
    FloatWeighted,
    IntegerWeighted,
    QuantizedConv2d,
    QuantizedLayer,
    QuantizedPool,
    QuantizedRecurrent,
    QuantizedRnn,
    QuantizedWeighted,
    Weighted,
    in_binary32,
    in_integers,
    keeps_present,
    keeps_traces,
)
from tpsgd_edge.quantize.learning import FloatSteps, IntegerSteps, LayerLearning, Steps
from tpsgd_edge.quantize.memories import QuantizedMemory
from tpsgd_edge.quantize.norms import QuantizedNorm
from tpsgd_edge.quantize.numbers import FloatNumbers, IntegerNumbers, LayerNumbers
from tpsgd_edge.quantize.parameters import (
    DTYPES,
    InputGradient,
    InputGradientF32,
    Interval,
    Loss,
    LossTable,
    LossTableF32,
    Projection,
    Readout,
    ReadoutF32,
    RecurrentBounds,
    Requantize,
    SeededInit,
    StoredInit,
    Target,
    TargetF32,
    ValueType,
    WeightType,
    limits,
)
from tpsgd_edge.quantize.replay import Replay
from tpsgd_edge.quantize.shapes import Conv2dShape, DenseShape, RnnShape, WeightedShape
from tpsgd_edge.spec import SAMPLE, Edges, RawType

__all__ = [
    "DTYPES",
    "SAMPLE",
    "Conv2dShape",
    "DenseShape",
    "Edges",
    "FloatNumbers",
    "FloatSteps",
    "FloatSum",
    "FloatWeighted",
    "InputGradient",
    "InputGradientF32",
    "InputScaling",
    "IntegerNumbers",
    "IntegerSteps",
    "IntegerSum",
    "IntegerWeighted",
    "Interval",
    "LabelFormat",
    "LayerLearning",
    "LayerNumbers",
    "Loss",
    "LossTable",
    "LossTableF32",
    "Projection",
    "QuantizedAdd",
    "QuantizedConcat",
    "QuantizedConv2d",
    "QuantizedDetector",
    "QuantizedGated",
    "QuantizedGru",
    "QuantizedJoin",
    "QuantizedLayer",
    "QuantizedLstm",
    "QuantizedMemory",
    "QuantizedModel",
    "QuantizedNorm",
    "QuantizedPool",
    "QuantizedRecurrent",
    "QuantizedRnn",
    "QuantizedWeighted",
    "Readout",
    "ReadoutF32",
    "RecurrentBounds",
    "Replay",
    "Requantize",
    "RnnShape",
    "Schedule",
    "SeededInit",
    "Steps",
    "StoredInit",
    "Target",
    "TargetF32",
    "Value",
    "ValueType",
    "WeightType",
    "Weighted",
    "WeightedShape",
    "in_binary32",
    "in_integers",
    "keeps_present",
    "keeps_traces",
    "limits",
]


# Kinds that keep something from one step of a sequence to the next.
_KEEPING = ("rnn", "gru", "lstm", "memory")


@dataclass(frozen=True, slots=True)
class Schedule:
    """Decay of the learning rate (section 8).

    `decay` holds 1 to 32 factors in Q15 (u16); `decay_f32` the same for f32 models, each decay /
    2^15.
    A segment lasts `segment_steps` training steps.
    """

    decay: tuple[int, ...]
    segment_steps: int

    @property
    def decay_f32(self) -> tuple[float, ...]:
        """The factors as exact binary32 values."""
        return tuple(d / 2**15 for d in self.decay)


@dataclass(frozen=True, slots=True)
class InputScaling:
    """Conversion of raw samples: x = sat(round((raw - mean) / std / scale)), as section 21 has it.

    `mean` and `std` have one entry for all inputs, or one for each; `raw` is the type of samples.
    """

    mean: NDArray[np.float64]
    std: NDArray[np.float64]
    scale: float
    raw: RawType = "float"


@dataclass(frozen=True, slots=True)
class LabelFormat:
    """Labels: class indices (u16), or vectors in Q15 of `scale` (s16; f32 models: real values).

    For vectors, label = (raw - mean) / std, one entry for all values or one for each.
    With `each_step` every step of a sequence has a label: as many entries a sample as steps, each
    of them a class or a vector. `names` are those of the classes, for people; they may be unknown.
    `extra` of the classes, the last ones, are still to come.
    """

    kind: Literal["class", "vector"]
    count: int
    scale: float
    mean: NDArray[np.float64]
    std: NDArray[np.float64]
    each_step: bool = False
    names: tuple[str, ...] = ()
    extra: int = 0


@dataclass(frozen=True, slots=True)
class Value:
    """Input of layers: the sample, or the outputs of a layer; of a sequence, at one timestep.

    Attributes:
        count: numbers in it.
        scale: real value of one unit.
    """

    name: str
    count: int
    type: ValueType
    scale: float


@dataclass(frozen=True, slots=True)
class QuantizedModel:
    """Everything that defines the arithmetic of one model.

    Attributes:
        value_type: type of the input x, and of hidden outputs: s8, s16 or f32.
        gate: error gate, u16 in Q15 (f32: real), None without one.
        seed: of the spec; `stream(seed, 0, 0)` is the first `rng`.
        steps: length of the sequences that recurrent layers read; 1 without such layers.
        learn_every: steps after which recurrent layers learn the label of a sequence, 0 for its end
            only (and where each step has a label).
        rule: how the layers learn; with "backprop" section 18 holds.
        scores: whether layers carry scores, as section 22 says.
        reads: names of the values that a layer reads, by layer name, where these are others than
            that of the layer before it; `edges` has those of all layers.
        replay: samples that are kept; None where there are none.
    """

    name: str
    seed: int
    value_type: ValueType
    layers: tuple[QuantizedLayer, ...]
    labels: LabelFormat
    inputs: InputScaling
    schedule: Schedule
    gate: int | float | None
    steps: int = 1
    learn_every: int = 0
    rule: Literal["tpsgd", "backprop"] = "tpsgd"
    scores: Literal["own", "carried"] = "own"
    reads: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    replay: Replay | None = None

    @property
    def edges(self) -> Edges:
        """Values that each layer reads."""
        return Edges.of([layer.name for layer in self.layers], self.reads)

    def value(self, name: str) -> Value:
        """The sample, or what a layer makes; StopIteration where there is none of that name."""
        if name == SAMPLE:
            return Value(name, self.layers[0].x_count, self.value_type, self.inputs.scale)
        layer = next(layer for layer in self.layers if layer.name == name)
        return Value(name, layer.y_count, layer.y_type, layer.y_scale)

    @property
    def recurrent(self) -> tuple[QuantizedRecurrent, ...]:
        """The recurrent layers: the first ones of the model."""
        return tuple(cast(QuantizedRecurrent, la) for la in self.layers if la.is_recurrent)

    def of_kind(self, *kinds: str) -> list[Any]:
        """The layers of some kinds; whoever names the kinds knows their class."""
        return [layer for layer in self.layers if layer.kind in kinds]

    @property
    def walk(self) -> tuple[QuantizedLayer, ...]:
        """The layers that take one step of a sequence after the other (section 23).

        They are the first ones, up to the last that keeps something from step to step.
        """
        keeping = [i for i, layer in enumerate(self.layers) if layer.kind in _KEEPING]
        return self.layers[: keeping[-1] + 1] if 0 in keeping else ()

    @property
    def walks_in_turns(self) -> bool:
        """Tell whether layers of the walk wait for what others hand on, and so keep outputs."""
        return any(not layer.is_recurrent for layer in self.walk[:-1])

    @property
    def weighted(self) -> tuple[QuantizedWeighted, ...]:
        """The layers that have weights, first to last; of a gated one, its two dense units."""
        return tuple(unit for layer in self.layers for unit in layer.units)

    @property
    def trainable(self) -> tuple[QuantizedWeighted, ...]:
        """The layers that learn, first to last."""
        return tuple(layer for layer in self.weighted if layer.trains)

    def way_down(self, head: int) -> tuple[int, ...]:
        """Layers that errors stop at which a layer with a loss of its own hands down; itself first.

        The lowest one may take them from behind its max pool, which is left out then.
        """
        edges, path = self.edges, [head]
        while _hands_down(self.layers[path[-1]]):
            path.append(edges.names.index(edges.input_of(self.layers[path[-1]].name)))
        while len(path) > 1 and not self.layers[path[-1]].trains:
            path.pop()
        if any(unit.shape.is_pooled for unit in self.layers[path[-1]].units) and len(path) > 2:
            del path[-2]
        return tuple(path)

    @property
    def ways_down(self) -> tuple[tuple[int, ...], ...]:
        """Blocks (section 26): the ways of the layers that hand down an error of their own loss."""
        heads = (i for i, layer in enumerate(self.layers) if _heads_block(layer))
        return tuple(self.way_down(head) for head in heads)

    def errors_go_to(self, index: int) -> int | None:
        """The next layer that a layer's errors stop at; None where they end."""
        pairs = (pair for way in self.ways_down for pair in pairwise(way))
        return dict(pairs).get(index)

    @property
    def with_loss(self) -> tuple[QuantizedWeighted, ...]:
        """Layers with a loss: those that learn; in place of a gated one, one of its outputs."""
        own = (layer.loss_layer for layer in self.layers if layer.trains)
        return tuple(layer for layer in own if layer is not None)

    @property
    def carrying(self) -> tuple[str, ...]:
        """Names of the layers that add to the scores that are carried, first to last."""
        if self.scores == "own":
            return ()
        return tuple(layer.name for layer in self.with_loss if not layer.is_last)

    @property
    def last(self) -> QuantizedWeighted:
        """The layer that meets the labels."""
        last = self.layers[-1].loss_layer
        assert last is not None, "a model ends in a layer with a loss"
        return last

    @property
    def winner_type(self) -> ValueType:
        """The type of places in the windows of pools that local losses see maps through."""
        pools = [u.shape.pool_kernel for u in self.trainable if isinstance(u.shape, Conv2dShape)]
        return "s8" if all(rows * columns <= 128 for rows, columns in pools) else "s16"

    @property
    def detectors(self) -> tuple[QuantizedDetector, ...]:
        """The detector that the model ends in, if it finds anomalies."""
        return tuple(self.of_kind("detector"))

    @property
    def has_error_gate(self) -> bool:
        """Tell whether an error gate has hidden layers to keep from learning."""
        return self.gate is not None and any(not layer.is_last for layer in self.trainable)

    @property
    def has_confidence(self) -> bool:
        """Tell whether the outputs give probabilities of classes."""
        return self.last.loss.kind == "softmax_cross_entropy"

    @property
    def n_inputs(self) -> int:
        """Values in one input sample."""
        return self.steps * self.value(SAMPLE).count

    @property
    def answers(self) -> int:
        """Labels and outputs of one sample: one, or one for each step."""
        return self.steps if self.labels.each_step else 1

    @property
    def learning_steps(self) -> tuple[int, ...]:
        """The steps of a sequence after which something learns; the last one always."""
        last = self.steps - 1
        every = 1 if self.labels.each_step else self.learn_every
        return (*range(last % every, last, every), last) if every else (last,)

    @property
    def n_out(self) -> int:
        """Outputs of the last layer."""
        return self.last.n_out

    @property
    def output_type(self) -> ValueType:
        """Type of the last layer's outputs."""
        return self.last.y_type

    @property
    def total_units(self) -> int:
        """Units that draw random numbers: what `rng` advances by, times PHI."""
        return sum(layer.y_count for layer in self.trainable)


_POOLS = ("max_pool", "average_pool")


def _hands_down(layer: QuantizedLayer) -> bool:
    """Tell whether errors of a layer's outputs go on to its inputs: through pools they all do."""
    if layer.kind in _POOLS:
        return True
    return bool(layer.units) and layer.units[0].learning.input_gradient is not None


def _heads_block(layer: QuantizedLayer) -> bool:
    own = layer.loss_layer
    return layer.trains and own is not None and own.loss.is_local and _hands_down(layer)
