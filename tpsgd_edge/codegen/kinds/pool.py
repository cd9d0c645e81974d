"""Pools of maps, of the largest value or of the average."""

from tpsgd_edge.codegen.calls import (
    Argument,
    StageView,
    arena,
    call,
    errors_below,
    input_of,
    number,
    struct_of,
)
from tpsgd_edge.codegen.kinds.conv2d import shapes_of
from tpsgd_edge.codegen.kinds.kind import Kind
from tpsgd_edge.quantize.model import QuantizedModel, QuantizedPool


def _forward(model: QuantizedModel, pool: QuantizedPool) -> StageView:
    cut = "_cut" if pool.is_cut else ""
    function = f"tps_{pool.kind}{cut}_{pool.x_type}"
    forward = call(function, struct_of(pool), input_of(model, pool), arena(pool, "y"))
    return StageView(f"{pool.name}: {shapes_of(pool.x_shape, pool.y_shape)}", (forward,))


def _pass_down(model: QuantizedModel, pool: QuantizedPool) -> StageView:
    function = f"tps_{pool.kind}_delta_below"
    seen: tuple[Argument, ...] = ()
    if pool.mode == "max":
        function += f"_{pool.x_type}"
        seen = (input_of(model, pool), arena(pool, "y"))
    errors = (arena(pool, "e"), number(pool.x_count), errors_below(model, pool))
    return StageView(
        f"errors through {pool.name}", (call(function, struct_of(pool), *seen, *errors),)
    )


POOL = Kind(forward=_forward, pass_down=_pass_down)
