"""docs/ARITHMETIC.md once more, in scalars and loops: sections 18 and 26."""

from tests.support.scalar import (
    PHI,
    F,
    clip,
    derivative_f32,
    derivative_of,
    draw,
    local_errors,
    local_errors_f32,
    mix,
    numbers_f32,
    rshift_round,
    step_size,
    step_size_f32,
    sum_f32,
    update,
    update_f32,
)
from tests.support.scalar_maps import element, patch, spread, units

LIMIT = 32767
LIMIT_F32 = F(2**20)


def backprop_step(model, w, b, values, label, rng, decay):
    """One step of a model all of whose layers train; w and b of each layer change in place."""
    real, last = model.value_type == "f32", len(model.layers) - 1
    e = (local_errors_f32 if real else local_errors)(model.last, values[-1], label)
    first = next(i for i, layer in enumerate(model.layers) if w[i])
    for index in range(last, first - 1, -1):
        layer, x, y = model.layers[index], values[index], values[index + 1]
        below = None
        if index > first:
            below = _below(layer, w[index], e, x, y, real=real)
        if w[index]:
            _learn(layer, w[index], b[index], x, y, e, rng, decay, real=real)
        e = below


def block_step(model, way, w, b, values, e, rng, decay):
    """A block learns: its head from e of each unit, and from there down; all w and b in place."""
    real = model.value_type == "f32"
    places = model.edges.places()
    for index in way:
        layer, (place,) = model.layers[index], places[index]
        x, y = values[place], values[index + 1]
        if layer.kind == "conv2d" and layer.shape.is_pooled and not layer.loss.is_local:
            found = spread(layer, y, e)
            e = [found.get(unit, F(0) if real else 0) for unit in units(layer)]
        below = _below(layer, w[index], e, x, y, real=real) if index != way[-1] else None
        if w[index] and layer.trains:
            _learn(layer, w[index], b[index], x, y, e, rng, decay, real=real)
        e = below


def _learn(layer, w, b, x, y, e, rng, decay, *, real):
    base = rng + PHI * layer.learning.unit_offset
    for j, (row, inputs) in enumerate(_units(layer, x, zero=F(0) if real else 0)):
        if real:
            d = step_size_f32(layer, e[j], y[j], decay)
            if d != 0:
                update_f32(layer, w, b, row, inputs, d)
        else:
            d = step_size(layer, e[j], y[j], draw(base, j), decay)
            if d != 0:
                update(layer, w, b, row, inputs, d, mix(draw(base, j)))


def _units(layer, x, *, zero):
    """For each unit its row of w and its inputs."""
    if layer.kind == "dense":
        return [(j, x) for j in range(layer.n_out)]
    return [(o, patch(layer, x, oy, ox, o, zero)) for oy, ox, o in units(layer)]


def _below(layer, w, e, x, y, *, real):
    if layer.kind.endswith("pool"):
        return _through_pool(layer, e, x, y, real=real)
    terms = [[] for _ in x]
    # Which input each entry of a unit's inputs is: inputs that are their own places tell.
    for j, (row, places) in enumerate(_units(layer, list(range(len(x))), zero=None)):
        for i, place in enumerate(places):
            if place is not None:
                delta = _delta(layer, e[j], y[j], real=real)
                terms[place].append(F(w[row][i] * delta) if real else w[row][i] * delta)
    if real:
        return [clip(sum_f32(products), -LIMIT_F32, LIMIT_F32) for products in terms]
    shift = layer.learning.input_gradient.shift
    return [clip(rshift_round(sum(products), shift), -LIMIT, LIMIT) for products in terms]


def _delta(layer, e, y, *, real):
    if layer.loss.cancels_derivative:
        return e
    if real:
        return F(e * derivative_f32(layer.activation, y, *numbers_f32(layer)))
    return rshift_round(e * derivative_of(layer, y), 15)


def _through_pool(pool, e, x, y, *, real):
    below = [F(0) if real else 0 for _ in x]
    (oh, ow, co), (kh, kw), (sh, sw) = pool.y_shape, pool.kernel, pool.stride
    for j, (oy, ox, k) in enumerate(
        (oy, ox, k) for oy in range(oh) for ox in range(ow) for k in range(co)
    ):
        window = [
            element(pool.x_shape, oy * sh + ky, ox * sw + kx, k)
            for ky in range(kh)
            for kx in range(kw)
        ]
        error = e[j]
        if pool.kind == "max_pool":
            window = [next(place for place in window if x[place] == y[j])]
        elif real:
            error = F(e[j] * F(F(1) / F(kh * kw)))
        for place in window:
            if real:
                below[place] = clip(F(below[place] + error), -LIMIT_F32, LIMIT_F32)
            else:
                below[place] = clip(below[place] + error, -LIMIT, LIMIT)
    return below
