"""docs/ARITHMETIC.md once more, in scalars and loops: section 15."""

from tests.support.scalar import (
    PHI,
    F,
    clip,
    draw,
    forward,
    forward_f32,
    local_errors,
    local_errors_f32,
    mix,
    rshift_round,
    step_size,
    step_size_f32,
    update,
    update_f32,
)
from tpsgd_edge.quantize.model import QuantizedRnn


class Memory:
    """What a recurrent layer keeps during one sequence: h[j], v[i], c[j] and trace[g][i]."""

    def __init__(self, layer: QuantizedRnn) -> None:
        zero = F(0) if layer.x_type == "f32" else 0
        self.h = [zero for _ in range(layer.n_out)]
        self.v, self.c = None, None
        self.trace = [[zero] * layer.n_in for _ in layer.leak_shifts]


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
    groups = len(layer.leak_shifts)
    return max(g for g in range(groups) if g * layer.n_out // groups <= j)


def rnn_step(layer: QuantizedRnn, w, b, memory: Memory, x):
    """One step: the layer's output; the memory moves on."""
    kind, shifts = layer.x_type, layer.leak_shifts
    v = [*x, *(narrow(kind, value, layer.own_shift) for value in memory.h)]
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
    shifts = layer.leak_shifts
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
    if not layer.has_traces:
        return memory.v
    row = memory.trace[group(layer, j)]
    return row if layer.x_type == "f32" else [output_of(layer.x_type, value) for value in row]


def y_of_derivative(layer: QuantizedRnn, memory: Memory, y):
    """y of section 5, of the layer with the output y."""
    return y if layer.has_traces else memory.c


def rnn_learn(layer: QuantizedRnn, w, b, memory: Memory, y, label, rng, decay):
    base = rng + PHI * layer.unit_offset
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
