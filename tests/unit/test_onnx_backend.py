"""ONNX's own backend node tests: those that a single node in a chain can express."""

from collections import Counter

import pytest

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")
pytest.importorskip("torch")

from tests.support.onnx_backend import OPERATORS, cases, outcome

# Later versions of ONNX may bring more.
PASSED = {
    "Gemm": 8,
    "MatMul": 1,
    "Conv": 6,
    "MaxPool": 13,
    "AveragePool": 12,
    "GlobalAveragePool": 2,
    "RNN": 4,
    "GRU": 4,
    "LSTM": 3,
    "BatchNormalization": 2,
    "Relu": 1,
    "LeakyRelu": 3,
    "Tanh": 2,
    "Sigmoid": 2,
    "Clip": 7,
    "Add": 1,
    "Elu": 3,
    "Selu": 1,
    "Softplus": 2,
    "HardSigmoid": 3,
    "HardSwish": 1,
    "Gelu": 4,
    "Swish": 1,
    "Flatten": 3,
    "Reshape": 6,
    "Transpose": 2,
    "Identity": 2,
    "Dropout": 7,
    "Softmax": 2,
    "LogSoftmax": 2,
    "QuantizeLinear": 4,
    "DequantizeLinear": 4,
}
# Every other test is left out for one of these reasons: what our reader says, or the test.
REASONS = """
    Add has constants that do not fit
    AveragePool counts some of what lies outside of its map
    AveragePool has windows that our layers have not
    BatchNormalization is not in a form for predictions
    Clip has no activation of ours
    DequantizeLinear has scales or zero points that do not fit
    Dropout is still in training mode
    LSTM has gates that look at its cells (peepholes)
    LogSoftmax reads no vector
    MaxPool has windows that our layers have not
    QuantizeLinear has an odd zero point
    Reshape does not fit
    Selu has other constants than our layers
    Softmax reads no vector
    an LSTM of this kind has no layer of ours
    an RNN of this kind has no layer of ours
    a GRU of this kind has no layer of ours
    makes other samples than it reads
    no axis for samples: values of fewer than two axes
    the bias of Gemm does not fit
    numbers of fewer than 8 bits, or of 8 bits with a point
    the input of the net is of a shape that samples cannot have
    the weights of MatMul do not fit
    values that are not real numbers
"""


@pytest.mark.slow
def test_node_tests_that_a_chain_can_express():
    passed, total, reasons = Counter(), Counter(), Counter()
    for case in cases():
        operator = case.node.op_type
        result = outcome(case)
        total[operator] += 1
        if result == "passed":
            passed[operator] += 1
        else:
            reasons[result] += 1
    for operator in OPERATORS:
        print(f"{operator:20} {passed[operator]:3} of {total[operator]}")  # noqa: T201
    for reason, count in reasons.most_common():
        print(f"{count:4} left out: {reason}")  # noqa: T201
    fewer = {op: passed[op] for op, count in PASSED.items() if passed[op] < count}
    assert not fewer
    assert set(reasons) <= {line.strip() for line in REASONS.strip().splitlines()}
