"""Pools of maps, of the largest value or of the average."""

from collections.abc import Iterator
from dataclasses import dataclass

from tpsgd_edge.codegen.c import unique
from tpsgd_edge.codegen.calls import (
    Argument,
    OperationView,
    arena,
    call,
    input_gradient_of,
    input_of,
    number,
    struct_of,
)
from tpsgd_edge.codegen.conv2d_kernels import MapKernel, map_kernel
from tpsgd_edge.codegen.kinds.conv2d import shapes_of
from tpsgd_edge.codegen.kinds.kind import KernelFiles, Kind
from tpsgd_edge.codegen.kinds.unit import Field, LayerView, numbers
from tpsgd_edge.quantize.model import QuantizedModel, QuantizedPool


@dataclass(frozen=True, slots=True)
class PoolKernels:
    """The kernels of pools; in `_cut` those whose windows reach over the edges of the map."""

    max: tuple[MapKernel, ...]
    average: tuple[MapKernel, ...]
    max_cut: tuple[MapKernel, ...]
    average_cut: tuple[MapKernel, ...]

    @property
    def are_cut(self) -> bool:
        """Tell whether windows of some pool reach over the edges of the map."""
        return bool(self.max_cut or self.average_cut)


def pool_kernels(model: QuantizedModel) -> PoolKernels | None:
    """The kernels that the pools of the model use; None without any."""
    pools = _pools(model)
    if not pools:
        return None
    return PoolKernels(
        max=_kernels(pools, "max", is_cut=False),
        average=_kernels(pools, "average", is_cut=False),
        max_cut=_kernels(pools, "max", is_cut=True),
        average_cut=_kernels(pools, "average", is_cut=True),
    )


def _pools(model: QuantizedModel) -> list[QuantizedPool]:
    return model.of_kind("max_pool", "average_pool")


def _kernels(pools: list[QuantizedPool], mode: str, *, is_cut: bool) -> tuple[MapKernel, ...]:
    alike = (pool for pool in pools if pool.mode == mode and pool.is_cut == is_cut)
    return unique(map_kernel(pool.x_type) for pool in alike)


def _struct(model: QuantizedModel, pool: QuantizedPool) -> LayerView:
    are_cut = any(other.is_cut for other in _pools(model))
    edges = _edge_fields(pool) if are_cut else ()
    return LayerView(pool.name, "tps_pool", (*_pool_fields(pool), *edges))


def _pool_fields(pool: QuantizedPool) -> Iterator[Field]:
    yield from numbers(columns=pool.x_shape[1], channels=pool.x_shape[2])
    yield from numbers(out_rows=pool.y_shape[0], out_columns=pool.y_shape[1])
    yield from numbers(kernel_rows=pool.kernel[0], kernel_columns=pool.kernel[1])
    yield from numbers(row_stride=pool.stride[0], column_stride=pool.stride[1])


def _edge_fields(pool: QuantizedPool) -> Iterator[Field]:
    yield from numbers(rows=pool.x_shape[0], top=pool.padding[0], left=pool.padding[1])


def _words(pool: QuantizedPool) -> str:
    return pool.kind.replace("_", " ")


def _facts(_pool: QuantizedPool) -> dict[str, object]:
    return {}


def _forward(model: QuantizedModel, pool: QuantizedPool) -> OperationView:
    cut = "_cut" if pool.is_cut else ""
    function = f"tps_{pool.kind}{cut}_{pool.x_type}"
    forward = call(function, struct_of(pool), input_of(model, pool), arena(pool, "y"))
    return OperationView(f"{pool.name}: {shapes_of(pool.x_shape, pool.y_shape)}", (forward,))


def _backward(model: QuantizedModel, pool: QuantizedPool) -> OperationView:
    function = f"tps_{pool.kind}_backward"
    seen: tuple[Argument, ...] = ()
    if pool.mode == "max":
        function += f"_{pool.x_type}"
        seen = (input_of(model, pool), arena(pool, "y"))
    errors = (arena(pool, "e"), number(pool.x_count), input_gradient_of(model, pool))
    return OperationView(
        f"errors through {pool.name}", (call(function, struct_of(pool), *seen, *errors),)
    )


POOL = Kind(
    files=KernelFiles("pool", pool_kernels),
    struct=_struct,
    words=_words,
    facts=_facts,
    forward=_forward,
    backward=_backward,
)
