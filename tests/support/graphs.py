"""Random nets that branch: which values each layer reads, and the layers that read several."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Literal

from tests.support.draws import Rng, choose, extreme
from tests.support.maps import MapPlan, MapShape, PoolPlan, conv_plan, random_conv, random_pool
from tpsgd_edge.quantize.model import (
    SAMPLE,
    Conv2dShape,
    FloatSum,
    IntegerSum,
    QuantizedAdd,
    QuantizedConcat,
    Requantize,
    ValueType,
    limits,
)

# Numbers of one value, so that a net runs in a moment.
_LARGEST = 300


@dataclass(frozen=True)
class JoinPlan:
    """The shapes of a layer that reads several values."""

    kind: Literal["add", "concat"]
    x_shapes: tuple[MapShape, ...]

    @property
    def y_shape(self) -> MapShape:
        """The map that it makes."""
        height, width, channels = self.x_shapes[0]
        if self.kind == "concat":
            channels = sum(shape[2] for shape in self.x_shapes)
        return height, width, channels


NodePlan = MapPlan | JoinPlan | tuple[int, int]


@dataclass(frozen=True)
class GraphPlan:
    """Layers behind the recurrent ones, the last of them dense, and what each of them reads."""

    layers: tuple[NodePlan, ...]
    reads: Mapping[str, tuple[str, ...]]


def name_of(plan: NodePlan, index: int) -> str:
    """The name of layer `index` of a model, as `random_layer` gives it."""
    if isinstance(plan, JoinPlan):
        return f"{plan.kind}{index + 1}"
    if isinstance(plan, PoolPlan):
        return f"pool{index + 1}"
    return f"conv{index + 1}" if isinstance(plan, Conv2dShape) else f"fc{index + 1}"


def graph_plan(nodes: Sequence[tuple[NodePlan, tuple[str, ...]]], *, first: int = 0) -> GraphPlan:
    """The plan of layers that are given with what they read.

    Args:
        first: how many layers come before them.
    """
    plans = tuple(plan for plan, _ in nodes)
    reads = {name_of(plan, first + i): inputs for i, (plan, inputs) in enumerate(nodes)}
    return GraphPlan(plans, reads)


class _Growing:
    """A net while it is drawn: its layers, and the values that there are."""

    def __init__(self, rng: Rng, source: str, shape: MapShape, first: int) -> None:
        self.rng = rng
        self.first = first
        self.nodes: list[tuple[NodePlan, tuple[str, ...]]] = []
        self.shapes: dict[str, MapShape] = {source: shape}
        self.unread = [source]

    def put(self, plan: NodePlan, *inputs: str) -> None:
        """One more layer."""
        name = name_of(plan, self.first + len(self.nodes))
        self.nodes.append((plan, inputs))
        self.shapes[name] = (1, 1, plan[1]) if isinstance(plan, tuple) else plan.y_shape
        self.unread = [value for value in self.unread if value not in inputs] + [name]

    def value(self) -> str:
        """A value to read: mostly the latest."""
        names = list(self.shapes)
        return names[-1] if self.rng.random() < 0.6 else choose(self.rng, names)

    def grow(self) -> None:
        """One more layer of any kind."""
        name, roll = self.value(), self.rng.random()
        shape = self.shapes[name]
        if roll < 0.4 and self._join():
            return
        if roll < 0.5 and prod(shape) > 1:
            self.put(random_pool(self.rng, shape, plain=False), name)
        elif roll < 0.6:
            self.put((prod(shape), int(self.rng.integers(1, 13))), name)
        elif roll < 0.8:
            # Of the same shape, so that a sum with what came before is possible.
            edges = {"before": (1, 1), "after": (1, 1), "windows": (1, 1)}
            self.put(conv_plan(shape, shape[2], (3, 3), **edges), name)
        else:
            self.put(random_conv(self.rng, shape, plain=False), name)

    def _join(self) -> bool:
        """One more sum or concatenation; whether some values fit."""
        kind = choose(self.rng, ("add", "concat"))
        shape = choose(self.rng, list(self.shapes.values()))
        alike = [
            name
            for name, other in self.shapes.items()
            if (other == shape if kind == "add" else other[:2] == shape[:2])
        ]
        count = min(len(alike), int(self.rng.integers(2, 5)))
        if count < 2:
            return False
        names = [str(name) for name in self.rng.permutation(alike)[:count]]
        plan = JoinPlan(kind, tuple(self.shapes[name] for name in names))
        if prod(plan.y_shape) > _LARGEST:
            return False
        self.put(plan, *names)
        return True

    def close(self, n_out: int) -> None:
        """Read all that nobody reads, and end with a dense layer."""
        if len(self.unread) > 1:
            flat = tuple((1, 1, prod(self.shapes[name])) for name in self.unread)
            self.put(JoinPlan("concat", flat), *self.unread)
        (end,) = self.unread
        self.put((prod(self.shapes[end]), n_out), end)


def random_graph_plan(
    rng: Rng, shape: MapShape, n_out: int, *, source: str = SAMPLE, first: int = 0
) -> GraphPlan:
    """Up to nine layers that branch and join again.

    Args:
        shape: of what the first of them reads.
        source: the name of that value.
        first: how many layers come before them.
    """
    net = _Growing(rng, source, shape, first)
    for _ in range(int(rng.integers(3, 9))):
        net.grow()
    net.close(n_out)
    return graph_plan(net.nodes, first=first)


def join_layer(
    rng: Rng, value_type: ValueType, index: int, plan: JoinPlan, *, lively: bool
) -> QuantizedAdd | QuantizedConcat:
    """The layer of a plan; its numbers are drawn."""
    name, scale = name_of(plan, index), 1.0 if value_type == "f32" else 2.0**-7
    scales = (scale,) * len(plan.x_shapes)
    if plan.kind == "concat":
        parts = tuple(_part(rng) for _ in plan.x_shapes)
        return QuantizedConcat(name, plan.x_shapes, value_type, scales, scale, parts)
    activation = choose(rng, ("linear", "relu", "relu6"))
    numbers: IntegerSum | FloatSum = FloatSum()
    if value_type != "f32":
        mults = tuple(extreme(rng, 0, 2**15) for _ in plan.x_shapes)
        mults = (int(rng.integers(2**14, 2**15 + 1)), *mults[1:])
        shift = int(rng.integers(14, 18)) if lively else int(rng.integers(1, 31))
        low, high = limits(value_type)
        low = low if activation == "linear" else 0
        high = extreme(rng, 1, high) if activation == "relu6" else high
        numbers = IntegerSum(mults, shift, low, high)
    return QuantizedAdd(name, plan.y_shape, activation, value_type, scales, scale, numbers)


def _part(rng: Rng) -> Requantize:
    """A factor of at most 1, often one of the ends."""
    ends = (Requantize(2**14, 14), Requantize(2**15, 15), Requantize(0, 30), Requantize(2**15, 30))
    if rng.random() < 0.3:
        return ends[int(rng.integers(len(ends)))]
    return Requantize(int(rng.integers(2**14, 2**15 + 1)), int(rng.integers(15, 20)))
