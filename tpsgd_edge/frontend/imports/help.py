"""Advice on operators that have no layer of ours."""

from tpsgd_edge.frontend.onnx_activations import CURVES

_IN_INTEGERS = "give the net in real numbers, or with QuantizeLinear and DequantizeLinear"
_NO_NET = "trees and kernels are no layers; a small net on the same data is"
_TAKEN_APART = (
    "a recurrent layer that the exporter took apart: torch.onnx.export(..., "
    "dynamo=False), or give the weights in an .npz"
)
_HELP = {
    "Add": "a sum adds values of one shape, each made by a layer or the sample itself",
    "Mul": "a product of two branches is read where it is Swish, HardSwish or Gelu of one of them",
    "Concat": "maps are joined by their channels, vectors by their entries (of stacked RNNs read "
    "y[:, -1], not h)",
    "Mish": "train with Relu, Elu or Softplus instead; a layer with Swish or Gelu runs, untrained",
    "ThresholdedRelu": "train with Relu or LeakyRelu instead",
    "Erf": "Gelu is read from its own operator, or as x * (1 + Erf(x / sqrt 2)) / 2",
    "QLinearConv": _IN_INTEGERS,
    "QLinearMatMul": _IN_INTEGERS,
    "ConvTranspose": "nets that make maps larger cannot learn here",
    "InstanceNormalization": "use BatchNormalization, which is folded into the layers",
    "Pad": "zeros around a map go into the convolution behind them; pools have pads of their own",
    "Split": _TAKEN_APART,
    "Max": "the larger of a value and a number is a relu; of two branches there is no layer yet",
    "Exp": "scikit-learn: to_onnx(model, x, options={id(model): {'raw_scores': True}})",
    "ReduceL2": "a vector over its length is no layer: nn.RMSNorm and nn.LayerNorm are",
    "Normalizer": "it divides each sample by its own length, which no layer does: give "
    "normalized samples, or use StandardScaler",
    "ConvInteger": _IN_INTEGERS,
    "MatMulInteger": _IN_INTEGERS,
    "DynamicQuantizeLinear": _IN_INTEGERS,
    "RequantShift": "PULP's own (Deeploy, QuantLib): export the net in real numbers",
    "TreeEnsembleClassifier": _NO_NET,
    "TreeEnsembleRegressor": _NO_NET,
    "SVMClassifier": _NO_NET,
    "SVMRegressor": _NO_NET,
    "If": "export the net without control flow, for one example input",
    "Loop": "export the net without control flow, for one example input",
    "Scan": "export the net without control flow, for one example input",
}
_OTHERWISE = (
    "layers come from Gemm, MatMul, Conv, RNN, GRU, LSTM, MaxPool, AveragePool, "
    "GlobalAveragePool; "
    f"BatchNormalization, Relu, LeakyRelu, Tanh, Sigmoid, Clip, {', '.join(CURVES)} go into them"
)
# Tools that keep their own quantization in a file, by the domain of their operators.
_TOOLS = {
    "onnx.brevitas": "Brevitas",
    "qonnx.custom_op.general": "QONNX",
    "finn.custom_op.general": "FINN",
    "PACTOps": "PACT",
    "com.microsoft": "ONNX Runtime",
}
_OF_QONNX = {
    "BipolarQuant": "one bit is no format of ours: train the net with Quant of 2 bits or more",
    "Trunc": "an average that is cut to fewer bits: take an average pool of real numbers",
    "FloatQuant": "numbers of few bits with a point are no format of ours: train with Quant",
}
_SIMPLIFY = "write the file with its constants computed, for example by onnxruntime's optimizer"


def what_to_do(op: str, domain: str = "", *, constants: bool = False) -> str:
    """Advice for a user whose net has this operator.

    Args:
        constants: whether it computes with constants only.
    """
    if domain in _TOOLS and op in _OF_QONNX:
        return f"{op} is {_TOOLS[domain]}'s own. {_OF_QONNX[op]}"
    if domain in _TOOLS:
        return f"{op[:40]} is {_TOOLS[domain]}'s own: export the net in real numbers"
    if domain not in ("", "ai.onnx", "ai.onnx.ml"):
        return "only operators of ONNX itself are read: export the net in real numbers with these"
    return _HELP.get(op, _SIMPLIFY if constants else _OTHERWISE)
