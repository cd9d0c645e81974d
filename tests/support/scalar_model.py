"""docs/ARITHMETIC.md once more, in scalars and loops: whole models, sections 7, 8, 10 and 15."""

from tests.support.scalar import (
    LOG2E,
    M32,
    PHI,
    F,
    clip,
    draw,
    forward,
    forward_f32,
    learn,
    learn_f32,
    local_errors,
    local_errors_f32,
    rshift_round,
    softmax,
    softmax_f32,
    stream,
)
from tests.support.scalar_backprop import backprop_step, block_step
from tests.support.scalar_lstm import (
    LstmMemory,
    lstm_learn,
    lstm_learn_f32,
    lstm_step,
    lstm_step_f32,
)
from tests.support.scalar_maps import (
    average_pool,
    average_pool_f32,
    averaged,
    averaged_f32,
    conv_forward,
    conv_forward_f32,
    conv_learn,
    conv_learn_f32,
    max_pool,
    spread,
    units,
)
from tests.support.scalar_rnn import (
    GruMemory,
    Memory,
    gru_learn,
    gru_learn_f32,
    gru_step,
    gru_step_f32,
    rnn_learn,
    rnn_learn_f32,
    rnn_step,
    rnn_step_f32,
)
from tpsgd_edge.quantize.model import QuantizedModel, SeededInit

POOLS = ("max_pool", "average_pool")
BEHIND = ("dense", "conv2d")
MEMORY = {"rnn": Memory, "gru": GruMemory, "lstm": LstmMemory}
GATED = ("gru", "lstm")
STEP = {
    ("rnn", False): rnn_step,
    ("rnn", True): rnn_step_f32,
    ("gru", False): gru_step,
    ("gru", True): gru_step_f32,
    ("lstm", False): lstm_step,
    ("lstm", True): lstm_step_f32,
}
# By the layer's kind, and whether the model is in f32.
FORWARD = {
    ("dense", False): forward,
    ("dense", True): forward_f32,
    ("conv2d", False): conv_forward,
    ("conv2d", True): conv_forward_f32,
    ("max_pool", False): max_pool,
    ("max_pool", True): max_pool,
    ("average_pool", False): average_pool,
    ("average_pool", True): average_pool_f32,
}
LEARN = {
    ("dense", False): learn,
    ("dense", True): learn_f32,
    ("conv2d", False): conv_learn,
    ("conv2d", True): conv_learn_f32,
    ("rnn", False): rnn_learn,
    ("rnn", True): rnn_learn_f32,
    ("gru", False): gru_learn,
    ("gru", True): gru_learn_f32,
    ("lstm", False): lstm_learn,
    ("lstm", True): lstm_learn_f32,
}


class ScalarModel:
    """A model and its state in nested lists: w[l][j][i], b[l][j], rng, step.

    A pool's w and b are empty.
    """

    def __init__(self, model: QuantizedModel) -> None:
        self.model = model
        self.real = model.value_type == "f32"
        self.rng, self.step = stream(model.seed, 0, 0), 0
        self.start, self.rate = 0, F(1) if self.real else 2**15
        self.w, self.b = [], []
        for layer in model.layers:
            if layer.kind in GATED:
                w, b = zip(*(self._initial(unit) for unit in layer.units), strict=True)
            else:
                w, b = ([], []) if layer.kind in POOLS else self._initial(layer)
            self.w.append(w)
            self.b.append(b)

    def _initial(self, layer):
        init, k = layer.init, 0 if self.real else layer.numbers.weight_bits
        if not isinstance(init, SeededInit):
            if self.real:
                return [list(row) for row in init.w], list(init.b)
            return init.w.tolist(), init.b.tolist()
        w = []
        for j in range(layer.n_out):
            row = []
            for i in range(layer.n_in):
                u = (draw(init.seed, j * layer.n_in + i) >> 16) - 32768
                reads_input = layer.kind == "rnn" and i < layer.n_in - layer.n_out
                bound = init.recurrent.inputs if reads_input else init.bound
                if self.real:
                    row.append(F(F(u) * F(bound)))
                else:
                    row.append(clip(rshift_round(u * bound, 15), -(2**k), 2**k - 1))
            w.append(row)
        if layer.kind != "rnn":
            return w, [F(0) if self.real else 0] * layer.n_out
        b = []
        for j in range(layer.n_out):
            u = (draw(init.seed, layer.n_out * layer.n_in + j) >> 16) - 32768
            if self.real:
                b.append(F(F(u) * F(init.recurrent.biases)))
            else:
                b.append(rshift_round(u * init.recurrent.biases, 15))
        return w, b

    def _units(self, layer):
        if layer.kind in GATED:
            return layer.n_sums if layer.trains else 0
        if layer.kind in POOLS or not layer.trains:
            return 0
        if layer.kind in ("dense", "rnn"):
            return layer.n_out
        oh, ow, co = layer.shape.y_shape
        return oh * ow * co

    def output(self, x):
        """The outputs; where each step has a label, a list of them for each step."""
        answers = [values[-1] for values in self._walk(x)]
        return answers if self.model.labels.each_step else answers[-1]

    def train_step(self, x, label):
        """The outputs at the last step, as they were before what was learned there."""
        model = self.model
        count, every = model.steps, model.learn_every
        for t, values in enumerate(self._walk(x)):
            if model.labels.each_step:
                self._learn(values, label[t], (*MEMORY, *BEHIND))
            elif t == count - 1:
                self._learn(values, label, (*MEMORY, *BEHIND))
            elif every != 0 and (count - 1 - t) % every == 0:
                self._learn(values, label, (*MEMORY,))
        return values[-1]

    def _walk(self, x):
        """Values between the layers, the input first, at each step of a sequence."""
        x = list(x) if self.real else [int(v) for v in x]
        n = len(x) // self.model.steps
        self.memory = [
            MEMORY[la.kind](la) if la.kind in MEMORY else None for la in self.model.layers
        ]
        for t in range(self.model.steps):
            values = [x[t * n : t * n + n]]
            for index in range(len(self.model.layers)):
                values.append(self._forward(index, values[-1]))
            yield values

    def _forward(self, index, x):
        layer, w, b = self.model.layers[index], self.w[index], self.b[index]
        if layer.kind in MEMORY:
            return STEP[layer.kind, self.real](layer, w, b, self.memory[index], x)
        return FORWARD[layer.kind, self.real](layer, w, b, x)

    def _learn(self, values, label, kinds):
        """Learn in the layers of these kinds."""
        if self.model.labels.kind == "class":
            label = int(label)
        else:
            label = list(label) if self.real else [int(v) for v in label]
        if self.model.rule == "backprop":
            decay = self._decay()
            backprop_step(self.model, self.w, self.b, values, label, self.rng, decay)
        else:
            self._learn_locally(values, label, kinds)
        units = sum(self._units(layer) for layer in self.model.layers)
        self.rng = (self.rng + PHI * units) & M32
        self.step = min(self.step + 1, M32)

    def _learn_locally(self, values, label, kinds):
        closed = self._gate_is_closed(values[-1], label)
        last = len(self.model.layers) - 1
        ways = {way[0]: way for way in self.model.ways_down}
        passed = {index for way in ways.values() for index in way[1:]}
        for index, layer in enumerate(self.model.layers):
            if layer.kind not in kinds or not layer.trains or index in passed:
                continue
            if index in ways:
                e = self._errors_of_units(index, values[index + 1], label)
                decay = self._decay()
                block_step(self.model, ways[index], self.w, self.b, values, e, self.rng, decay)
            elif index == last or not closed:
                self._learn_layer(index, values, label)

    def _errors_of_units(self, index, y, label):
        """The errors of a layer's own loss, of a map those of the units that it sees."""
        layer, errors = self.model.layers[index], local_errors_f32 if self.real else local_errors
        if layer.kind == "dense":
            return errors(layer, y, label)
        seen = (averaged_f32 if self.real else averaged)(layer, y)
        found = spread(layer, y, errors(layer, seen, label))
        return [found.get(unit, F(0) if self.real else 0) for unit in units(layer)]

    def _decay(self):
        schedule = self.model.schedule
        segment = min((self.step - self.start) // schedule.segment_steps, len(schedule.decay) - 1)
        if self.real:
            return F(F(schedule.decay[segment] / 2**15) * self.rate)
        return schedule.decay[segment] * self.rate >> 15

    def _gate_is_closed(self, y, label):
        if self.model.gate is None:
            return False
        shift = self.model.last.loss.logit_shift
        p = softmax_f32([F(v * LOG2E) for v in y]) if self.real else softmax(y, shift)
        return not p[label] < self.model.gate

    def _learn_layer(self, index, values, label):
        layer = self.model.layers[index]
        # A recurrent layer learns from what its memory holds.
        x = self.memory[index] if layer.kind in MEMORY else values[index]
        LEARN[layer.kind, self.real](
            layer,
            self.w[index],
            self.b[index],
            x,
            values[index + 1],
            label,
            self.rng,
            self._decay(),
        )
