"""docs/ARITHMETIC.md once more, in scalars and loops: sections 14 and 16."""

import itertools

from tests.support.scalar import (
    PHI,
    F,
    clip,
    draw,
    local_errors,
    local_errors_f32,
    mix,
    output,
    output_f32,
    rshift_round,
    step_size,
    step_size_f32,
    sum_f32,
    update,
    update_f32,
)
from tpsgd_edge.quantize.model import QuantizedConv2d, QuantizedPool

RANGE = {"s8": (-128, 127), "s16": (-32768, 32767)}


def element(shape, r, s, k):
    """Where element (r, s, k) of a map lies."""
    _, w, c = shape
    return ((r * w) + s) * c + k


def units(layer: QuantizedConv2d):
    """(oy, ox, o) of all units, in the order of the update."""
    oh, ow, co = layer.shape.y_shape
    return [(oy, ox, o) for oy in range(oh) for ox in range(ow) for o in range(co)]


def patch(layer: QuantizedConv2d, x, oy, ox, o, zero):
    g = layer.shape
    (h, w, ci), (_, _, co) = g.x_shape, g.y_shape
    (kh, kw), (sh, sw), (pt, pl), (dh, dw) = g.kernel, g.stride, g.padding, g.dilation
    values = []
    for ky in range(kh):
        for kx in range(kw):
            r, s = oy * sh - pt + ky * dh, ox * sw - pl + kx * dw
            for q in range(ci // g.groups):
                k = (o // (co // g.groups)) * (ci // g.groups) + q
                inside = 0 <= r < h and 0 <= s < w
                values.append(x[element(g.x_shape, r, s, k)] if inside else zero)
    return values


def conv_forward(layer: QuantizedConv2d, w, b, x):
    return [output(layer, w[o], b[o], patch(layer, x, oy, ox, o, 0)) for oy, ox, o in units(layer)]


def conv_forward_f32(layer: QuantizedConv2d, w, b, x):
    return [
        output_f32(layer, w[o], b[o], patch(layer, x, oy, ox, o, F(0)))
        for oy, ox, o in units(layer)
    ]


# ------------------------------------------------------------------ the local target


def rows_of_window(a, size, count):
    return range(a * size // count, (a + 1) * size // count)


def seen(layer: QuantizedConv2d, y):
    """Rows and columns of the map that the loss sees, and the unit behind each (r, s, o) of it."""
    g = layer.shape
    (oh, ow, co), (ph, pw), (sh, sw) = g.y_shape, g.pool_kernel, g.pool_stride
    rows, columns = (oh - ph) // sh + 1, (ow - pw) // sw + 1
    behind = {}
    for r, s, o in itertools.product(range(rows), range(columns), range(co)):
        best = (r * sh, s * sw, o)
        for i, j in itertools.product(range(ph), range(pw)):
            unit = (r * sh + i, s * sw + j, o)
            if y[element(g.y_shape, *unit)] > y[element(g.y_shape, *best)]:
                best = unit
        behind[r, s, o] = best
    return rows, columns, behind


def windows(layer: QuantizedConv2d, y):
    """For each element of m, in order, the units (oy, ox, o) that its window averages."""
    rows, columns, behind = seen(layer, y)
    kr, kc = layer.shape.windows
    return [
        [
            behind[r, s, o]
            for r in rows_of_window(a, rows, kr)
            for s in rows_of_window(b, columns, kc)
        ]
        for a in range(kr)
        for b in range(kc)
        for o in range(layer.n_out)
    ]


def inverse_area(area):
    return (2**15 + area // 2) // area


def averaged(layer: QuantizedConv2d, y):
    shape, m = layer.shape.y_shape, []
    for members in windows(layer, y):
        total = sum(y[element(shape, *unit)] for unit in members)
        m.append(clip(rshift_round(total * inverse_area(len(members)), 15), *RANGE[layer.y_type]))
    return m


def averaged_f32(layer: QuantizedConv2d, y):
    shape, m = layer.shape.y_shape, []
    for members in windows(layer, y):
        total = sum_f32(y[element(shape, *unit)] for unit in members)
        m.append(F(total * F(F(1) / F(len(members)))))
    return m


def spread(layer: QuantizedConv2d, y, errors):
    """The error of each unit (oy, ox, o) that the loss sees: that of its window."""
    return {
        unit: error
        for members, error in zip(windows(layer, y), errors, strict=True)
        for unit in members
    }


# ------------------------------------------------------------------ the update


def conv_learn(layer: QuantizedConv2d, w, b, x, y, label, rng, decay):
    base = rng + PHI * layer.learning.unit_offset
    errors = spread(layer, y, local_errors(layer, averaged(layer, y), label))
    for j, (oy, ox, o) in enumerate(units(layer)):
        d = step_size(layer, errors.get((oy, ox, o), 0), y[j], draw(base, j), decay)
        if d != 0:
            update(layer, w, b, o, patch(layer, x, oy, ox, o, 0), d, mix(draw(base, j)))


def conv_learn_f32(layer: QuantizedConv2d, w, b, x, y, label, rng, decay):
    errors = spread(layer, y, local_errors_f32(layer, averaged_f32(layer, y), label))
    for j, (oy, ox, o) in enumerate(units(layer)):
        d = step_size_f32(layer, errors.get((oy, ox, o), F(0)), y[j], decay)
        if d != 0:
            update_f32(layer, w, b, o, patch(layer, x, oy, ox, o, F(0)), d)


# ------------------------------------------------------------------ pooling


def pool_windows(pool: QuantizedPool, x):
    """For each output, in order, the values of its window inside of the map, row by row."""
    (oh, ow, co), (kh, kw), (sh, sw) = pool.y_shape, pool.kernel, pool.stride
    (h, w, _), (pt, pl) = pool.x_shape, pool.padding
    return [
        [
            x[element(pool.x_shape, oy * sh - pt + ky, ox * sw - pl + kx, k)]
            for ky in range(kh)
            for kx in range(kw)
            if 0 <= oy * sh - pt + ky < h and 0 <= ox * sw - pl + kx < w
        ]
        for oy in range(oh)
        for ox in range(ow)
        for k in range(co)
    ]


def max_pool(pool: QuantizedPool, w, b, x):
    y = []
    for window in pool_windows(pool, x):
        largest = window[0]
        for value in window[1:]:
            if value > largest:
                largest = value
        y.append(largest)
    return y


def average_pool(pool: QuantizedPool, w, b, x):
    return [
        clip(rshift_round(sum(window) * inverse_area(len(window)), 15), *RANGE[pool.y_type])
        for window in pool_windows(pool, x)
    ]


def average_pool_f32(pool: QuantizedPool, w, b, x):
    return [F(sum_f32(window) * F(F(1) / F(len(window)))) for window in pool_windows(pool, x)]
