"""Shapes of random layers on maps: convolutions and pools."""

from dataclasses import dataclass, replace
from typing import Literal

from tests.support.draws import Rng, choose
from tpsgd_edge.quantize.model import Conv2dShape

MapShape = tuple[int, int, int]
Pair = tuple[int, int]


@dataclass(frozen=True)
class PoolPlan:
    """The shapes of a pooling layer."""

    mode: Literal["max", "average"]
    x_shape: MapShape
    y_shape: MapShape
    kernel: Pair
    stride: Pair
    padding: Pair = (0, 0)


MapPlan = Conv2dShape | PoolPlan


def conv_plan(
    x_shape: MapShape,
    channels: int,
    kernel: Pair,
    *,
    stride: Pair = (1, 1),
    before: Pair = (0, 0),
    after: Pair = (0, 0),
    groups: int = 1,
    windows: Pair = (1, 1),
    pool_kernel: Pair = (1, 1),
    pool_stride: Pair | None = None,
    dilation: Pair = (1, 1),
) -> Conv2dShape:
    """A convolution with that many zeros before and after the rows and columns of the map."""
    sizes = [
        (x + b + a - (k - 1) * d - 1) // s + 1
        for x, b, a, k, s, d in zip(
            x_shape[:2], before, after, kernel, stride, dilation, strict=True
        )
    ]
    y_shape = (sizes[0], sizes[1], channels)
    pool_stride = pool_stride or pool_kernel
    return Conv2dShape(
        x_shape,
        y_shape,
        kernel,
        stride,
        before,
        groups,
        windows,
        pool_kernel,
        pool_stride,
        dilation,
    )


def pool_plan(
    x_shape: MapShape,
    mode: Literal["max", "average"],
    kernel: Pair,
    stride: Pair | None = None,
    *,
    before: Pair = (0, 0),
    after: Pair = (0, 0),
) -> PoolPlan:
    """A pool; without a stride its windows lie side by side.

    Windows reach so far over the edges of the map, before its first and after its last values.
    """
    stride = stride or kernel
    rows, columns = (
        (before[i] + x_shape[i] + after[i] - kernel[i]) // stride[i] + 1 for i in (0, 1)
    )
    return PoolPlan(mode, x_shape, (rows, columns, x_shape[2]), kernel, stride, before)


def plans_of_kernels() -> list[list[MapPlan]]:
    """Chains of layers that kernels treat apart: patches in one piece, in eights, one channel each.

    Depthwise ones with whole fours of channels, beyond edges, with strides, several filters each.
    """
    edges: dict[str, Pair] = {"before": (1, 1), "after": (1, 1)}
    return [
        [
            conv_plan((7, 8, 1), 8, (3, 5)),
            conv_plan((5, 4, 8), 6, (1, 1)),
            conv_plan((5, 4, 6), 6, (3, 3), groups=6, **edges),
            conv_plan((5, 4, 6), 5, (2, 4), before=(0, 2), after=(1, 1)),
        ],
        [
            conv_plan((1, 15, 6), 9, (1, 7), stride=(1, 2)),
            conv_plan((1, 5, 9), 18, (1, 3), groups=9, before=(0, 2), after=(0, 2)),
            conv_plan((1, 7, 18), 8, (1, 2), groups=2, stride=(1, 2)),
        ],
        [
            conv_plan((6, 6, 8), 8, (3, 3), groups=8, stride=(2, 1), **edges),
            conv_plan((3, 6, 8), 4, (2, 2)),
            pool_plan((2, 5, 4), "average", (2, 2), (1, 2)),
        ],
    ]


def random_map(rng: Rng) -> MapShape:
    """A small map; one in four has a single row."""
    height = 1 if rng.random() < 0.25 else int(rng.integers(1, 7))
    return height, int(rng.integers(1, 7)), int(rng.integers(1, 4))


def random_map_plans(rng: Rng, x_shape: MapShape, *, plain: bool = False) -> list[MapPlan]:
    """A chain of one to four convolutions and pools; `plain` as in `Wanted.plain_maps`."""
    plans: list[MapPlan] = []
    for _ in range(int(rng.integers(1, 5))):
        draw = random_conv if rng.random() < 0.6 else random_pool
        plans.append(draw(rng, x_shape, plain=plain))
        x_shape = plans[-1].y_shape
    return plans


def random_conv(rng: Rng, x_shape: MapShape, *, plain: bool) -> Conv2dShape:
    """A convolution on maps of this shape; `plain` as in `Wanted.plain_maps`."""
    dilation = (1, 1)
    if not plain and rng.random() < 0.3:
        dilation = (int(rng.integers(1, 4)), int(rng.integers(1, 4)))
    rows, columns = (
        _random_reach(rng, size, apart) for size, apart in zip(x_shape[:2], dilation, strict=True)
    )
    kernel, before, after = zip(rows, columns, strict=True)
    channels = x_shape[2]
    groups = choose(rng, [1, channels, *(g for g in range(1, channels + 1) if not channels % g)])
    plan = conv_plan(
        x_shape,
        groups * int(rng.integers(1, max(2, 6 // groups))),
        kernel,
        stride=(int(rng.integers(1, 3)), int(rng.integers(1, 3))),
        before=before,
        after=after,
        groups=groups,
        dilation=dilation,
    )
    if rng.random() < 0.4:
        plan = _seen_through_a_pool(rng, plan)
    windows = tuple(int(rng.integers(1, size + 1)) for size in plan.seen_shape[:2])
    return replace(plan, windows=windows)


def _seen_through_a_pool(rng: Rng, plan: Conv2dShape) -> Conv2dShape:
    """The plan with a pool before its local loss, whether or not one follows in the network."""
    kernel = tuple(int(rng.integers(1, min(3, size) + 1)) for size in plan.y_shape[:2])
    stride = tuple(size + int(rng.integers(2)) for size in kernel)
    return replace(plan, pool_kernel=kernel, pool_stride=stride)


def _random_reach(rng: Rng, size: int, dilation: int) -> tuple[int, int, int]:
    """A kernel of 1 to 3 rows, and zeros before and after `size` rows for it."""
    kernel = int(rng.integers(1, 4))
    reach = (kernel - 1) * dilation + 1
    before, after = (int(n) for n in rng.integers(0, reach, 2))
    missing = max(0, reach - size - before - after)
    return kernel, before + missing // 2, after + missing - missing // 2


def random_pool(rng: Rng, x_shape: MapShape, *, plain: bool) -> PoolPlan:
    """A pool of maps of this shape; `plain` as in `Wanted.plain_maps`."""
    mode = choose(rng, ("max", "average"))
    if rng.random() < 0.2:
        return pool_plan(x_shape, mode, x_shape[:2], (1, 1))
    kernel = tuple(int(rng.integers(1, min(3, size) + 1)) for size in x_shape[:2])
    stride = tuple(int(s) for s in rng.integers(1, 4, 2))
    before = after = (0, 0)
    if not plain and rng.random() < 0.4:
        before, after = (tuple(int(rng.integers(0, k)) for k in kernel) for _ in range(2))
    return pool_plan(x_shape, mode, kernel, stride, before=before, after=after)
