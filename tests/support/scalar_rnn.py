"""docs/ARITHMETIC.md once more, in scalars and loops: sections 15 and 17."""

from tests.support.scalar import (
    PHI,
    F,
    activation,
    activation_f32,
    clip,
    derivative,
    derivative_f32,
    draw,
    forward,
    forward_f32,
    local_errors,
    local_errors_f32,
    mix,
    rshift_round,
    sat_s16,
    step_size,
    step_size_f32,
    update,
    update_f32,
)
from tpsgd_edge.quantize.model import QuantizedGru, QuantizedRnn


class Memory:
    """What a recurrent layer keeps during one sequence: h[j], v[i], c[j] and trace[g][i]."""

    def __init__(self, layer: QuantizedRnn) -> None:
        zero = F(0) if layer.x_type == "f32" else 0
        self.h = [zero for _ in range(layer.n_out)]
        self.v, self.c = None, None
        self.trace = [[zero] * layer.n_in for _ in layer.shape.leak_shifts]


def narrow(value_type, a, s):
    low, high = (-128, 127) if value_type == "s8" else (-32768, 32767)
    return clip(rshift_round(a, s), low, high)


def output_of(value_type, a):
    """A state as an output, a trace as an input."""
    return narrow(value_type, a, 8 if value_type == "s8" else 0)


def wide(value_type, v):
    return v << 8 if value_type == "s8" else v


def toward(a, b, s):
    return a + rshift_round(b - a, s)


def toward_f32(a, b, s):
    return F(a + F(F(b - a) * F(2.0**-s)))


def group(layer: QuantizedRnn, j):
    """The group of unit j: group g begins at unit floor(g * n_out / G)."""
    groups = len(layer.shape.leak_shifts)
    return max(g for g in range(groups) if g * layer.n_out // groups <= j)


def rnn_step(layer: QuantizedRnn, w, b, memory: Memory, x):
    """One step: the layer's output; the memory moves on."""
    kind, shifts = layer.x_type, layer.shape.leak_shifts
    v = [*x, *(narrow(kind, value, layer.numbers.own_shift) for value in memory.h)]
    c = forward(layer, w, b, v)
    memory.v, memory.c = v, c
    for j in range(layer.n_out):
        memory.h[j] = toward(memory.h[j], wide(kind, c[j]), shifts[group(layer, j)])
    for g, row in enumerate(memory.trace):
        for i in range(layer.n_in):
            row[i] = toward(row[i], wide(kind, v[i]), shifts[g])
    assert all(-32768 <= value <= 32767 for row in (memory.h, *memory.trace) for value in row)
    return [output_of(kind, value) for value in memory.h]


def rnn_step_f32(layer: QuantizedRnn, w, b, memory: Memory, x):
    shifts = layer.shape.leak_shifts
    v = [*x, *memory.h]
    c = forward_f32(layer, w, b, v)
    memory.v, memory.c = v, c
    for j in range(layer.n_out):
        memory.h[j] = toward_f32(memory.h[j], c[j], shifts[group(layer, j)])
    for g, row in enumerate(memory.trace):
        for i in range(layer.n_in):
            row[i] = toward_f32(row[i], v[i], shifts[g])
    return list(memory.h)


def x_of_update(layer: QuantizedRnn, memory: Memory, j):
    """x of section 8 for unit j."""
    if not layer.shape.has_traces:
        return memory.v
    row = memory.trace[group(layer, j)]
    return row if layer.x_type == "f32" else [output_of(layer.x_type, value) for value in row]


def y_of_derivative(layer: QuantizedRnn, memory: Memory, y):
    """y of section 5, of the layer with the output y."""
    return y if layer.shape.has_traces else memory.c


def rnn_learn(layer: QuantizedRnn, w, b, memory: Memory, y, label, rng, decay):
    base = rng + PHI * layer.learning.unit_offset
    slope = y_of_derivative(layer, memory, y)
    for j, error in enumerate(local_errors(layer, y, label)):
        d = step_size(layer, error, slope[j], draw(base, j), decay)
        if d != 0:
            update(layer, w, b, j, x_of_update(layer, memory, j), d, mix(draw(base, j)))


def rnn_learn_f32(layer: QuantizedRnn, w, b, memory: Memory, y, label, rng, decay):
    slope = y_of_derivative(layer, memory, y)
    for j, error in enumerate(local_errors_f32(layer, y, label)):
        d = step_size_f32(layer, error, slope[j], decay)
        if d != 0:
            update_f32(layer, w, b, j, x_of_update(layer, memory, j), d)


# ------------------------------------------------------------------ 17


class GruMemory:
    """What a gru keeps during one sequence: h[j]."""

    def __init__(self, layer: QuantizedGru) -> None:
        self.seen = None
        self.h = [F(0) if layer.x_type == "f32" else 0 for _ in range(layer.n_out)]


def gru_step(layer: QuantizedGru, w, b, memory: GruMemory, x):
    """One step: the layer's output; w and b hold those of X and of U."""
    n, kind, h = layer.n_out, layer.x_type, memory.h

    def own_sums(values):
        return forward(layer.own, w[1], b[1], [output_of(kind, value) for value in values])

    def table(name, q):
        return activation(name, "s16", clip(q, -32768, 32767))

    a, u = forward(layer.reads, w[0], b[0], x), own_sums(h)
    r = [table("sigmoid", a[j] + u[j]) for j in range(n)]
    z = [table("sigmoid", a[n + j] + u[n + j]) for j in range(n)]
    if layer.reset_before:
        again = own_sums([rshift_round(r[j] * h[j], 15) for j in range(n)])
        k = [a[2 * n + j] + again[2 * n + j] for j in range(n)]
    else:
        k = [a[2 * n + j] + rshift_round(r[j] * u[2 * n + j], 15) for j in range(n)]
    memory.seen = x, list(h), r, z, [table("tanh", 2 * value) for value in k], u[2 * n :]
    for j in range(n):
        c = memory.seen[4][j]
        assert abs(z[j] * (h[j] - c)) < 2**31
        assert min(h[j], c) <= c + rshift_round(z[j] * (h[j] - c), 15) <= max(h[j], c)
        h[j] = c + rshift_round(z[j] * (h[j] - c), 15)
    return [output_of(kind, value) for value in h]


def gru_step_f32(layer: QuantizedGru, w, b, memory: GruMemory, x):
    n, h = layer.n_out, memory.h
    a, u = forward_f32(layer.reads, w[0], b[0], x), forward_f32(layer.own, w[1], b[1], h)
    r = [activation_f32("sigmoid", F(a[j] + u[j])) for j in range(n)]
    z = [activation_f32("sigmoid", F(a[n + j] + u[n + j])) for j in range(n)]
    if layer.reset_before:
        again = forward_f32(layer.own, w[1], b[1], [F(r[j] * h[j]) for j in range(n)])
        k = [F(a[2 * n + j] + again[2 * n + j]) for j in range(n)]
    else:
        k = [F(a[2 * n + j] + F(r[j] * u[2 * n + j])) for j in range(n)]
    memory.seen = x, list(h), r, z, [activation_f32("tanh", value) for value in k], u[2 * n :]
    for j in range(n):
        c = memory.seen[4][j]
        h[j] = F(c + F(z[j] * F(h[j] - c)))
    return list(h)


def gru_learn(layer: QuantizedGru, w, b, memory: GruMemory, y, label, rng, decay):
    x, h, r, z, c, u = memory.seen
    n, of_r, of_z, of_c = layer.n_out, [], [], []
    for j, e in enumerate(local_errors(layer.loss_layer, y, label)):
        d_c = rshift_round(e * derivative("tanh", "s16", c[j]), 15)
        d_z = rshift_round(e * ((h[j] - c[j]) >> 1), 14) * derivative("sigmoid", "s16", z[j])
        d_r = sat_s16(rshift_round(d_c * u[j], 12)) * derivative("sigmoid", "s16", r[j])
        assert max(abs(d_z), abs(d_r)) < 2**31
        of_c.append(d_c)
        of_z.append(rshift_round(d_z, 15))
        of_r.append(rshift_round(d_r, 15))
    own = [rshift_round(of_c[j] * r[j], 15) for j in range(n)]
    outputs = [output_of(layer.x_type, value) for value in h]
    parts = (layer.reads, [*of_r, *of_z, *of_c], x), (layer.own, [*of_r, *of_z, *own], outputs)
    for k, (unit, delta, read) in enumerate(parts):
        base = rng + PHI * unit.learning.unit_offset
        for j in range(3 * n):
            d = step_size(unit, delta[j], 0, draw(base, j), decay)
            if d != 0:
                update(unit, w[k], b[k], j, read, d, mix(draw(base, j)))


def gru_learn_f32(layer: QuantizedGru, w, b, memory: GruMemory, y, label, rng, decay):
    x, h, r, z, c, u = memory.seen
    n, of_r, of_z, of_c = layer.n_out, [], [], []
    for j, e in enumerate(local_errors_f32(layer.loss_layer, y, label)):
        of_c.append(F(e * derivative_f32("tanh", c[j])))
        of_z.append(F(F(e * F(h[j] - c[j])) * derivative_f32("sigmoid", z[j])))
        of_r.append(F(F(of_c[j] * u[j]) * derivative_f32("sigmoid", r[j])))
    own = [F(of_c[j] * r[j]) for j in range(n)]
    parts = (layer.reads, [*of_r, *of_z, *of_c], x), (layer.own, [*of_r, *of_z, *own], h)
    for k, (unit, delta, read) in enumerate(parts):
        for j in range(3 * n):
            d = step_size_f32(unit, delta[j], F(0), decay)
            if d != 0:
                update_f32(unit, w[k], b[k], j, read, d)
