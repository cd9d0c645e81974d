"""docs/ARITHMETIC.md once more, in scalars and loops: slow, and easy to hold against the page.

Nothing here uses numpy but for `np.float32` scalars. Integers are Python's, which cannot overflow.
"""

import math

from tests.support import curves
from tpsgd_edge.quantize.model import QuantizedWeighted

M32 = 0xFFFFFFFF
PHI = 0x9E3779B9


# ------------------------------------------------------------------ 1, 3


def clip(v, lo, hi):
    return lo if v < lo else hi if v > hi else v


def sat_s16(v):
    return clip(v, -32768, 32767)


def rshift_round(v, s):
    return math.floor(v / 2**s + 0.5) if abs(v) < 2**40 else (v + (1 << s >> 1)) >> s


def mix(h):
    h &= M32
    h ^= h >> 16
    h = (h * 0x7FEB352D) & M32
    h ^= h >> 15
    h = (h * 0x846CA68B) & M32
    h ^= h >> 16
    return h


def draw(base, i):
    return mix(base + PHI * (i + 1))


def stream(seed, purpose, layer):
    return mix(mix(seed + PHI * (purpose + 1)) + PHI * (layer + 1))


def random_round(v, s, r):
    return (v + (r >> (32 - s))) >> s


# ------------------------------------------------------------------ 4, 5


def activation(name, y_type, z, slope=None, curve=None):
    """y; `slope` is that of leaky_relu, `curve` that of a table with R and S of the layer's own."""
    if name == "leaky_relu" and z < 0:
        return rshift_round(z * slope, 15)
    if name not in curves.FUNCTION:
        return z
    reach, full_scale = curves.reach_and_scale(name, curve)
    numbers = curve.numbers if curve else ()

    def entry(i, limit):
        real = curves.FUNCTION[name]((i - 128) * reach / 128, *numbers)
        return clip(math.floor(limit * real / full_scale + 0.5), -limit, limit - 1)

    if y_type == "s8":
        return entry(z + 128, 2**7)
    a = (z >> 8) + 128
    low, high = entry(a, 2**15), entry(a + 1, 2**15)
    return low + rshift_round((high - low) * (z & 255), 8)


def derivative(name, y_type, y, slope=None, z_max=None, curve=None):
    y15 = y << 8 if y_type == "s8" else y
    low, high = (-128, 127) if y_type == "s8" else (-32768, 32767)
    if name in curves.SLOPE:
        steepest, at = curves.SLOPE[name]
        real = (y15 >> 8) * curve.full_scale / 128
        g15 = at(real, *curve.numbers) / steepest(*curve.numbers) * 2**15
        return clip(math.floor(g15 + 0.5), 0, 2**15)
    return {
        "tanh": 32768 - ((y15 * y15) >> 15),
        "sigmoid": (y15 * (32768 - y15)) >> 15,
        "relu": 32768 if y > 0 else 0,
        "relu6": 32768 if name == "relu6" and 0 < y < z_max else 0,
        "leaky_relu": 32768 if y > 0 else slope,
        "hard_tanh": 0 if y in (low, high) else 32768,
        "linear": 32768,
        "hard_sigmoid": 32768 if 0 < y < high else 0,
    }[name]


def activation_of(layer, z):
    own = layer.numbers
    return activation(layer.activation, layer.y_type, z, own.negative_slope, own.curve)


def derivative_of(layer, y):
    name, slope = layer.activation, layer.numbers.negative_slope
    return derivative(name, layer.y_type, y, slope, layer.numbers.z_max, layer.numbers.curve)


# ------------------------------------------------------------------ 6


def softmax(logits, shift=0):
    m = max(logits)
    e = []
    for value in logits:
        d = (m - value) << shift
        h = d >> 8
        power = math.floor(32768 * 2 ** (-((d & 255) >> 2) / 64) + 0.5)
        e.append(0 if h > 15 else power >> h)
    q = 2**31 // sum(e)
    return [(value * q) >> 16 for value in e]


def target(layer: QuantizedWeighted, j, label):
    t = layer.loss.target
    is_class = isinstance(label, int)
    if layer.is_last:
        return label[j] if not is_class else t.on if j == label else t.off
    p = [int(v) for v in layer.projection.values[j]]
    if is_class:
        return sat_s16(t.mid + rshift_round(p[label] * t.mult, t.shift))
    total = sum(a * b for a, b in zip(p, label, strict=True))
    return sat_s16(t.mid + rshift_round(total * t.mult, t.shift + 15))


def target_space_error(loss, r):
    delta = loss.delta
    if loss.kind in ("l2", "cross_entropy"):
        return r
    if loss.kind == "l1":
        return 16384 if r > 0 else -16384 if r < 0 else 0
    if loss.kind == "huber":
        return clip(r, -delta, delta)
    if loss.kind == "epsilon_insensitive":
        return r - delta if r > delta else r + delta if r < -delta else 0
    assert loss.kind == "custom"
    return int(loss.table.values[clip(rshift_round(r, 8), -128, 127) + 128])


def label_errors(layer: QuantizedWeighted, y, label):
    """q of the losses in label space, or e of the softmax cross entropy."""
    if layer.loss.kind == "softmax_cross_entropy":
        v = y
    else:
        p, g = layer.projection.values, layer.loss.readout.gain
        y8 = y if layer.y_type == "s8" else [value >> 8 for value in y]
        s = [sum(int(p[j][k]) * y8[j] for j in range(len(y))) for k in range(p.shape[1])]
        v = [sat_s16(rshift_round(value * g.mult, g.shift)) for value in s]
    if layer.loss.kind == "projected_l2":
        if isinstance(label, int):
            label = [32767 if k == label else 0 for k in range(len(v))]
        return [(a - b) >> 1 for a, b in zip(label, v, strict=True)]
    return [
        ((32768 if k == label else 0) - p_k) >> 1
        for k, p_k in enumerate(softmax(v, layer.loss.logit_shift))
    ]


def local_errors(layer: QuantizedWeighted, y, label):
    loss = layer.loss
    if loss.kind == "softmax_cross_entropy":
        return label_errors(layer, y, label)
    if loss.kind.startswith("projected"):
        q = label_errors(layer, y, label)
        p = layer.projection.values
        totals = [sum(int(p[j][k]) * q[k] for k in range(len(q))) for j in range(len(y))]
        return [clip(rshift_round(t, loss.readout.error_shift), -32767, 32767) for t in totals]
    errors = []
    for j, value in enumerate(y):
        y15 = value << 8 if layer.y_type == "s8" else value
        errors.append(target_space_error(loss, (target(layer, j, label) - y15) >> 1))
    return errors


# ------------------------------------------------------------------ 4, 7, 8: one layer


def output(layer: QuantizedWeighted, row, bias, x):
    """y of one unit."""
    acc = bias << layer.numbers.bias_shift
    for i in range(layer.n_in):
        acc += row[i] * x[i]
    n = layer.numbers
    z = clip(rshift_round(acc * n.z.mult, n.z.shift), n.z_min, n.z_max)
    return activation_of(layer, z)


def forward(layer: QuantizedWeighted, w, b, x):
    return [output(layer, w[j], b[j], x) for j in range(layer.n_out)]


def step_size(layer: QuantizedWeighted, error, y, word, decay):
    """d of one unit with the local error, the output and the random word."""
    delta = error
    if not layer.loss.cancels_derivative:
        slope = derivative_of(layer, y)
        delta = rshift_round(error * slope, 15)
    if abs(delta) < layer.learning.steps.dead_zone:
        delta = 0
    a = (layer.learning.steps.rate.mult * decay) >> 15
    return sat_s16(random_round(delta * a, layer.learning.steps.rate.shift, word))


def update(layer: QuantizedWeighted, w, b, j, x, d, rho):
    """Section 8 for row j, in place, with the inputs x of a unit that has d != 0."""
    k, u = layer.numbers.weight_bits, layer.learning.steps.update_shift
    start = rho >> (32 - u)
    left = [((rho + m * 2**30) % 2**32) >> (32 - u) for m in range(4)]
    for i in range(layer.n_in):
        total = d * x[i] + (start if layer.weight_type == "s16" else left[i % 4])
        left[i % 4] = total % 2**u
        w[j][i] = clip(w[j][i] + (total >> u), -(2**k), 2**k - 1)
    b[j] = clip(b[j] + ((d * layer.learning.steps.bias_one + start) >> u), -(2**27), 2**27)


def learn(layer: QuantizedWeighted, w, b, x, y, label, rng, decay):
    base = rng + PHI * layer.learning.unit_offset
    for j, error in enumerate(local_errors(layer, y, label)):
        d = step_size(layer, error, y[j], draw(base, j), decay)
        if d != 0:
            update(layer, w, b, j, x, d, mix(draw(base, j)))


# ------------------------------------------------------------------ 12: one layer in binary32

F, LOG2E, TWO_LOG2E = curves.F, curves.LOG2E, curves.TWO_LOG2E
exp2_f32 = curves.exp2_f32


def sum_f32(values):
    total = F(0)
    for value in values:
        total = F(total + value)
    return total


def softmax_f32(logits):
    m = max(logits)
    e = [exp2_f32(F(value - m)) for value in logits]
    inverse = F(F(1) / sum_f32(e))
    return [F(value * inverse) for value in e]


def activation_f32(name, z, *numbers):
    one = F(1)
    if name in curves.FUNCTION_F32:
        return curves.FUNCTION_F32[name](z, *numbers)
    if name == "tanh":
        return F(one - F(F(2) / F(exp2_f32(F(z * TWO_LOG2E)) + one)))
    if name == "sigmoid":
        return F(one / F(one + exp2_f32(F(F(-z) * LOG2E))))
    if name == "relu":
        return z if z > 0 else F(0)
    if name == "relu6":
        return min(z, F(6)) if z > 0 else F(0)
    if name == "leaky_relu":
        return z if z > 0 else F(z * numbers[0])
    return clip(z, F(-1), one) if name == "hard_tanh" else z


def derivative_f32(name, y, *numbers):
    one = F(1)
    if name in curves.SLOPE_F32:
        return curves.SLOPE_F32[name](y, *numbers)
    return {
        "tanh": F(one - F(y * y)),
        "sigmoid": F(y * F(one - y)),
        "relu": one if y > 0 else F(0),
        "relu6": one if 0 < y < 6 else F(0),
        "leaky_relu": one if y > 0 or name != "leaky_relu" else numbers[0],
        "hard_tanh": one if -1 < y < 1 else F(0),
        "linear": one,
    }[name]


def output_f32(layer: QuantizedWeighted, row, bias, x):
    lanes = [sum_f32(F(row[i] * x[i]) for i in range(m, layer.n_in, 8)) for m in range(8)]
    even = F(F(lanes[0] + lanes[4]) + F(lanes[2] + lanes[6]))
    odd = F(F(lanes[1] + lanes[5]) + F(lanes[3] + lanes[7]))
    acc = F(F(even + odd) + bias)
    return activation_f32(layer.activation, clip(acc, F(-(2**20)), F(2**20)), *numbers_f32(layer))


def numbers_f32(layer: QuantizedWeighted):
    return [F(number) for number in layer.settings]


def forward_f32(layer: QuantizedWeighted, w, b, x):
    return [output_f32(layer, w[j], b[j], x) for j in range(layer.n_out)]


def target_f32(layer: QuantizedWeighted, j, label):
    t = layer.loss.target
    is_class = isinstance(label, int)
    if layer.is_last:
        return label[j] if not is_class else F(t.on if j == label else t.off)
    p = [F(int(v)) for v in layer.projection.values[j]]
    if is_class:
        return F(F(t.mid) + F(p[label] * F(t.mult)))
    total = sum_f32(F(a * b) for a, b in zip(p, label, strict=True))
    return F(F(t.mid) + F(total * F(t.mult)))


def target_space_error_f32(loss, r):
    delta = F(loss.delta)
    if loss.kind in ("l2", "cross_entropy"):
        return r
    if loss.kind == "l1":
        return F(1) if r > 0 else F(-1) if r < 0 else F(0)
    if loss.kind == "huber":
        return clip(r, -delta, delta)
    if loss.kind == "epsilon_insensitive":
        return F(r - delta) if r > delta else F(r + delta) if r < -delta else F(0)
    scaled = F(F(r * F(loss.table.scale)) + F(128.5))
    return loss.table.values[clip(math.floor(float(scaled)), 0, 255)]


def local_errors_f32(layer: QuantizedWeighted, y, label):
    loss, units = layer.loss, range(len(y))
    if loss.kind == "softmax_cross_entropy":
        p = softmax_f32([F(value * LOG2E) for value in y])
        return [F(F(k == label) - p_k) for k, p_k in enumerate(p)]
    if not loss.kind.startswith("projected"):
        return [target_space_error_f32(loss, F(target_f32(layer, j, label) - y[j])) for j in units]
    p = [[F(int(v)) for v in row] for row in layer.projection.values]
    classes = range(len(p[0]))
    v = [F(sum_f32(F(p[j][k] * y[j]) for j in units) * F(loss.readout.gain)) for k in classes]
    if loss.kind == "projected_l2":
        wanted = [F(k == label) for k in classes] if isinstance(label, int) else label
        q = [F(wanted[k] - v[k]) for k in classes]
    else:
        q = [F(F(k == label) - p_k) for k, p_k in enumerate(softmax_f32(v))]
    scale = F(loss.readout.error_scale)
    return [F(sum_f32(F(p[j][k] * q[k]) for k in classes) * scale) for j in units]


def step_size_f32(layer: QuantizedWeighted, error, y, decay):
    delta = error
    if not layer.loss.cancels_derivative:
        delta = F(error * derivative_f32(layer.activation, y, *numbers_f32(layer)))
    if abs(delta) < F(layer.learning.steps.dead_zone):
        delta = F(0)
    a = F(F(layer.learning.steps.rate) * decay)
    return clip(F(a * delta), F(-1024), F(1024))


def update_f32(layer: QuantizedWeighted, w, b, j, x, d):
    for i in range(layer.n_in):
        w[j][i] = F(w[j][i] + F(d * x[i]))
    b[j] = F(b[j] + d)


def learn_f32(layer: QuantizedWeighted, w, b, x, y, label, rng, decay):
    for j, error in enumerate(local_errors_f32(layer, y, label)):
        d = step_size_f32(layer, error, y[j], decay)
        if d != 0:
            update_f32(layer, w, b, j, x, d)
