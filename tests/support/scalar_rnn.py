"""docs/ARITHMETIC.md once more, in scalars and loops: section 15."""

from tests.support.scalar import F, clip, forward, forward_f32, learn, learn_f32, rshift_round
from tpsgd_edge.quantize.model import QuantizedRnn


class Memory:
    """What a recurrent layer keeps during one sequence: h[j] and trace[i]."""

    def __init__(self, layer: QuantizedRnn) -> None:
        zero = F(0) if layer.x_type == "f32" else 0
        self.h = [zero for _ in range(layer.n_out)]
        self.trace = [zero for _ in range(layer.n_in)]


def narrow(value_type, a):
    return clip(rshift_round(a, 8), -128, 127) if value_type == "s8" else a


def wide(value_type, v):
    return v << 8 if value_type == "s8" else v


def toward(a, b, leak):
    return a + rshift_round((b - a) * leak, 15)


def toward_f32(a, b, leak):
    return F(a + F(F(b - a) * F(leak)))


def rnn_step(layer: QuantizedRnn, w, b, memory: Memory, x):
    """One step: the layer's output; h and trace move on."""
    kind = layer.x_type
    v = [*x, *(narrow(kind, value) for value in memory.h)]
    c = forward(layer, w, b, v)
    for j in range(layer.n_out):
        memory.h[j] = toward(memory.h[j], wide(kind, c[j]), layer.leak)
    for i in range(layer.n_in):
        memory.trace[i] = toward(memory.trace[i], wide(kind, v[i]), layer.leak)
    assert all(-32768 <= value <= 32767 for value in memory.h + memory.trace)
    return [narrow(kind, value) for value in memory.h]


def rnn_step_f32(layer: QuantizedRnn, w, b, memory: Memory, x):
    v = [*x, *memory.h]
    c = forward_f32(layer, w, b, v)
    for j in range(layer.n_out):
        memory.h[j] = toward_f32(memory.h[j], c[j], layer.leak)
    for i in range(layer.n_in):
        memory.trace[i] = toward_f32(memory.trace[i], v[i], layer.leak)
    return list(memory.h)


def rnn_learn(layer: QuantizedRnn, w, b, memory: Memory, y, label, rng, decay):
    x = [narrow(layer.x_type, value) for value in memory.trace]
    learn(layer, w, b, x, y, label, rng, decay)


def rnn_learn_f32(layer: QuantizedRnn, w, b, memory: Memory, y, label, rng, decay):
    learn_f32(layer, w, b, memory.trace, y, label, rng, decay)
