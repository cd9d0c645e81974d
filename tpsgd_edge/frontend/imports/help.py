"""What can be done about operators that have no layer of ours."""

_HELP = {
    "Add": "nets are chains: a sum of two branches (residual) has no layer yet",
    "Mul": "a product of two branches is read where it is Swish, HardSwish or Gelu of one of them",
    "Concat": "nets are chains: branches cannot be joined (of stacked RNNs read y[:, -1], not h)",
    "Mish": "train with Relu, Elu or Softplus instead; a layer with Swish or Gelu runs, untrained",
    "Celu": "train with Elu instead",
    "ThresholdedRelu": "train with Relu or LeakyRelu instead",
    "Erf": "Gelu is read from its own operator, or as x * (1 + Erf(x / sqrt 2)) / 2",
    "LSTM": "use GRU, or RNN with Tanh, or let an rnn layer learn from scratch",
    "QLinearConv": "give the net in real numbers, or with QuantizeLinear and DequantizeLinear",
    "QLinearMatMul": "give the net in real numbers, or with QuantizeLinear and DequantizeLinear",
    "ConvTranspose": "nets that make maps larger cannot learn here",
    "LayerNormalization": "use BatchNormalization, which is folded into the layers",
    "InstanceNormalization": "use BatchNormalization, which is folded into the layers",
    "Pad": "zeros around a map go into the convolution behind them; pools have pads of their own",
    "Split": "nets are chains; of an RNN that was taken apart give the weights in an .npz",
    "If": "export the net without control flow, for one example input",
    "Loop": "export the net without control flow, for one example input",
    "Scan": "export the net without control flow, for one example input",
}
_OTHERWISE = (
    "layers come from Gemm, MatMul, Conv, RNN, GRU, MaxPool, AveragePool, "
    "GlobalAveragePool; "
    "BatchNormalization, Relu, LeakyRelu, Tanh, Sigmoid, Clip, Elu, Selu, Softplus, "
    "HardSigmoid, Gelu, Swish and HardSwish go into them"
)


def what_to_do(op: str) -> str:
    """Advice for a user whose net has this operator."""
    return _HELP.get(op, _OTHERWISE)
