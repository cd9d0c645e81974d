"""Activations that ONNX has one operator for: by this table they come in and go out."""

from collections.abc import Mapping
from dataclasses import dataclass

from tpsgd_edge.arithmetic.activations import FACTS, SELU_ALPHA, SELU_SCALE


@dataclass(frozen=True, slots=True)
class Operator:
    """An operator with one input; what a layer sets of it is alpha, then beta.

    Attributes:
        constants: attributes that must be what they are in our activation.
        in_rnn: whether RNN has it inside.
        is_written: False where runtimes lack it: it is written as several operators.
    """

    name: str
    constants: Mapping[str, float] | None = None
    in_rnn: bool = True
    is_written: bool = True


OPERATORS: Mapping[str, Operator] = {
    "tanh": Operator("Tanh"),
    "sigmoid": Operator("Sigmoid"),
    "relu": Operator("Relu"),
    "leaky_relu": Operator("LeakyRelu"),
    "elu": Operator("Elu"),
    "celu": Operator("Celu", in_rnn=False),
    "selu": Operator("Selu", {"alpha": SELU_ALPHA, "gamma": SELU_SCALE}, in_rnn=False),
    "softplus": Operator("Softplus"),
    "hard_sigmoid": Operator("HardSigmoid"),
    "gelu": Operator("Gelu", in_rnn=False, is_written=False),
    "silu": Operator("Swish", {"alpha": 1.0}, in_rnn=False, is_written=False),
    "hard_swish": Operator("HardSwish", in_rnn=False),
}
"""By the activation; relu6, hard_tanh and gelu_tanh have no operator of their own."""

# Without settings: what is read by name alone.
PLAIN = {
    operator.name: name
    for name, operator in OPERATORS.items()
    if name in ("relu", "tanh", "sigmoid")
}
# Those that become tables of the layer's own.
CURVES = {
    operator.name: name
    for name, operator in OPERATORS.items()
    if FACTS[name].curve is not None and operator.name not in PLAIN
}
IN_RNN = {operator.name: name for name, operator in OPERATORS.items() if operator.in_rnn}
