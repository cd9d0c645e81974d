"""The operators that become layers or go into them, and what is checked of each."""

from collections.abc import Callable

from tpsgd_edge.frontend.imports import (
    curves,
    elementwise,
    few_bits,
    linear_models,
    norms,
    pooling,
    products,
    quantized_values,
    recurrent,
    weighted,
)
from tpsgd_edge.frontend.imports.call import Call
from tpsgd_edge.frontend.imports.chain import Chain
from tpsgd_edge.frontend.imports.help import what_to_do
from tpsgd_edge.frontend.onnx_activations import CURVES

HANDLERS: dict[tuple[str, str], Callable[[Chain, Call], Chain]] = {
    ("", "Gemm"): products.gemm,
    ("", "MatMul"): products.matmul,
    ("", "Conv"): weighted.conv,
    ("", "Pad"): weighted.pad,
    ("", "RNN"): recurrent.rnn,
    ("", "GRU"): recurrent.gru,
    ("", "LSTM"): recurrent.lstm,
    **dict.fromkeys((("", "MaxPool"), ("", "AveragePool")), pooling.pooled),
    **dict.fromkeys((("", "GlobalAveragePool"), ("", "GlobalMaxPool")), pooling.pooled_globally),
    **dict.fromkeys((("", "ReduceMean"), ("", "ReduceMax")), pooling.over_map),
    **dict.fromkeys((("", "Relu"), ("", "Tanh"), ("", "Sigmoid")), elementwise.activation),
    **dict.fromkeys((("", "LeakyRelu"), ("", "PRelu")), elementwise.leaky_relu),
    ("", "Clip"): quantized_values.clip,
    **{("", op): curves.curve for op in CURVES},
    **{("", op): norms.layer_normalization for op in norms.OPERATORS},
    ("", norms.ISLAND): norms.island,
    ("", "BatchNormalization"): elementwise.batch_normalization,
    **dict.fromkeys((("", "Max"), ("", "Min")), elementwise.extreme),
    ("", "Neg"): elementwise.negated,
    ("ai.onnx.ml", "Scaler"): elementwise.scaler,
    ("ai.onnx.ml", "LinearClassifier"): linear_models.linear_classifier,
    ("ai.onnx.ml", "LinearRegressor"): linear_models.linear_regressor,
    **{("", op): elementwise.arithmetic for op in ("Add", "Sub", "Mul", "Div")},
    **dict.fromkeys((("", "Dropout"), ("", "Cast")), elementwise.same),
    ("", "QuantizeLinear"): quantized_values.quantize,
    ("", "DequantizeLinear"): quantized_values.dequantize,
    **{(few_bits.DOMAIN, op): quantized_values.quant for op in few_bits.OPERATORS},
}
# What only scales values, or leaves them as they are.
SCALING = (
    *("Add", "Sub", "Mul", "Div", "Neg", "BatchNormalization", "Scaler"),
    *("Cast", "Dropout", "QuantizeLinear", "DequantizeLinear", *few_bits.OPERATORS),
)
# What may read zeros that Pad put around values, beside what only moves them.
_ON_ZEROS = ("Conv", "Pad", "Cast")
# What may read whole numbers, beside what only moves them.
_ON_INTEGERS = ("DequantizeLinear", "MaxPool", "GlobalMaxPool", "Clip")
# What may read samples that are whole numbers and have no scale yet.
_ON_WHOLE = (
    *("DequantizeLinear", "MaxPool", "GlobalMaxPool", "Cast"),
    *("Scaler", "LinearClassifier", "LinearRegressor"),
)
# Attributes that say nothing about what a net predicts.
WITHOUT_EFFECT: dict[str, tuple[str, ...]] = {
    "Dropout": ("ratio", "seed"),
    "BatchNormalization": ("momentum",),
    "MaxPool": ("storage_order",),
    "RNN": ("output_sequence",),
    "GRU": ("output_sequence",),
    "LSTM": ("output_sequence",),
    "Cast": ("saturate", "round_mode"),
    "QuantizeLinear": ("saturate", "precision"),
}


def check_heeded(call: Call) -> None:
    """Check that all attributes that could change the node's result were looked at.

    Raises:
        DataError: one was not.
    """
    node = call.node
    ignored = (*WITHOUT_EFFECT.get(node.op, ()), "consumed_inputs")
    values = node.attributes
    for name in values.unseen:
        # An empty list says nothing.
        if name not in ignored and values[name] != ():
            raise call.error(
                f"{node.op[:40]} has an attribute that is not known here: '{name[:40]}'",
                found=f"{name[:40]} = {values[name]!r:.40}, opset {call.opset}",
                help="export the net with a newer opset, 13 or later",
            )


def check_readable(chain: Chain, call: Call, *, is_move: bool) -> None:
    """Check that a node computes with real numbers, and not with zeros around a map.

    Raises:
        DataError: it computes with whole numbers or with such zeros.
    """
    op = call.node.op
    if is_move:
        return
    if chain.are_whole and op not in _ON_WHOLE:
        raise call.error(
            f"{op[:40]} computes with whole numbers without a scale",
            found="samples that are whole numbers",
            help="let the net take real numbers, or put Cast or DequantizeLinear behind its input",
        )
    if chain.grid is not None and op not in _ON_INTEGERS:
        raise call.error(
            f"{op[:40]} computes with whole numbers",
            found="values behind QuantizeLinear",
            help=what_to_do(op)
            if op.startswith("QLinear")
            else "put DequantizeLinear before it: quantized nets are read in the QDQ form",
        )
    if chain.has_zeros and op not in _ON_ZEROS:
        raise call.error(
            f"{op[:40]} reads zeros around a map",
            found="values behind Pad",
            help=what_to_do("Pad"),
        )
