"""docs/ARITHMETIC.md once more, in scalars and loops: section 29."""

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
from tests.support.scalar_rnn import output_of
from tpsgd_edge.quantize.model import QuantizedLstm


class LstmMemory:
    """What an lstm keeps during one sequence: h[j] and cell[j]."""

    def __init__(self, layer: QuantizedLstm) -> None:
        self.seen = None
        zero = F(0) if layer.x_type == "f32" else 0
        self.h, self.cell = [zero] * layer.n_out, [zero] * layer.n_out


def lstm_step(layer: QuantizedLstm, w, b, memory: LstmMemory, x):
    """One step: the layer's output; w and b hold those of X and of U."""
    n, kind = layer.n_out, layer.x_type
    gx = forward(layer.reads, w[0], b[0], x)
    gh = forward(layer.own, w[1], b[1], [output_of(kind, value) for value in memory.h])

    def table(name, q):
        return activation(name, "s16", clip(q, -32768, 32767))

    memory.seen, h, cell = [], [], []
    for j in range(n):
        take, keep, show = (table("sigmoid", gx[g * n + j] + gh[g * n + j]) for g in range(3))
        act = table("tanh", 2 * (gx[3 * n + j] + gh[3 * n + j]))
        before = memory.cell[j]
        now = rshift_round(keep * before, 15) + rshift_round(take * act, 15)
        assert abs(now) <= 2**30
        now = clip(now, -layer.cell_max, layer.cell_max)
        shown = table("tanh", rshift_round(now, 2))
        memory.seen.append((take, keep, show, act, before, shown))
        h.append(rshift_round(show * shown, 15))
        cell.append(now)
    memory.read = x, [output_of(kind, value) for value in memory.h]
    memory.h, memory.cell = h, cell
    return [output_of(kind, value) for value in h]


def lstm_step_f32(layer: QuantizedLstm, w, b, memory: LstmMemory, x):
    n = layer.n_out
    gx, gh = forward_f32(layer.reads, w[0], b[0], x), forward_f32(layer.own, w[1], b[1], memory.h)
    memory.seen, h, cell = [], [], []
    for j in range(n):
        take, keep, show = (
            activation_f32("sigmoid", F(gx[g * n + j] + gh[g * n + j])) for g in range(3)
        )
        act = activation_f32("tanh", F(gx[3 * n + j] + gh[3 * n + j]))
        before = memory.cell[j]
        most = F(layer.cell_max)
        now = max(-most, min(most, F(F(keep * before) + F(take * act))))
        shown = activation_f32("tanh", now)
        memory.seen.append((take, keep, show, act, before, shown))
        h.append(F(show * shown))
        cell.append(now)
    memory.read = x, memory.h
    memory.h, memory.cell = h, cell
    return list(h)


def lstm_learn(layer: QuantizedLstm, w, b, memory: LstmMemory, y, label, rng, decay):
    n = layer.n_out
    delta = [0] * (4 * n)
    for j, e in enumerate(local_errors(layer.loss_layer, y, label)):
        take, keep, show, act, before, shown = memory.seen[j]
        of_cell = rshift_round(e * derivative("tanh", "s16", shown), 15)
        reach = sat_s16(rshift_round(of_cell * sat_s16(rshift_round(before, 3)), 12))
        gates = rshift_round(of_cell * act, 15), reach, rshift_round(e * shown, 15)
        for g, (value, gate) in enumerate(zip(gates, (take, keep, show), strict=True)):
            product = value * derivative("sigmoid", "s16", gate)
            assert abs(product) < 2**31
            delta[g * n + j] = rshift_round(product, 15)
        taken = rshift_round(of_cell * take, 15)
        delta[3 * n + j] = rshift_round(taken * derivative("tanh", "s16", act), 15)
    for k, unit in enumerate(layer.units):
        base = rng + PHI * unit.learning.unit_offset
        for j in range(4 * n):
            d = step_size(unit, delta[j], 0, draw(base, j), decay)
            if d != 0:
                update(unit, w[k], b[k], j, memory.read[k], d, mix(draw(base, j)))


def lstm_learn_f32(layer: QuantizedLstm, w, b, memory: LstmMemory, y, label, rng, decay):
    n = layer.n_out
    delta = [F(0)] * (4 * n)
    for j, e in enumerate(local_errors_f32(layer.loss_layer, y, label)):
        take, keep, show, act, before, shown = memory.seen[j]
        of_cell = F(e * derivative_f32("tanh", shown))
        gates = F(of_cell * act), F(of_cell * before), F(e * shown)
        for g, (value, gate) in enumerate(zip(gates, (take, keep, show), strict=True)):
            delta[g * n + j] = F(value * derivative_f32("sigmoid", gate))
        delta[3 * n + j] = F(F(of_cell * take) * derivative_f32("tanh", act))
    for k, unit in enumerate(layer.units):
        for j in range(4 * n):
            d = step_size_f32(unit, delta[j], F(0), decay)
            if d != 0:
                update_f32(unit, w[k], b[k], j, memory.read[k], d)
