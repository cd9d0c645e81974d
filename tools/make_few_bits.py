"""Make the nets of few bits that tests read: Brevitas trains and exports them.

    pip install --no-deps brevitas==0.13.4 dependencies==2.0.1 unfoldNd onnxscript onnxoptimizer
    python tools/make_few_bits.py [FOLDER]

Writes bv_*.onnx, some of which lie in tests/data: a dense net and a small CNN on digits, as QONNX
and as QuantizeLinear, Clip and DequantizeLinear (QCDQ). Test samples are every fifth. Prints what
Brevitas itself scores there. Needs torch and scikit-learn; a minute.
"""

import argparse
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from sklearn.datasets import load_digits
from torch import nn

DATA = Path(__file__).resolve().parent.parent / "tests" / "data"
EPOCHS, BATCH, RATE = 40, 32, 2e-3


def dense(weights: int, values: int) -> nn.Module:
    """64-32-16-10."""
    import brevitas.nn as qnn

    return nn.Sequential(
        qnn.QuantIdentity(bit_width=8),
        qnn.QuantLinear(64, 32, bias=True, weight_bit_width=weights),
        qnn.QuantReLU(bit_width=values),
        qnn.QuantLinear(32, 16, bias=True, weight_bit_width=weights),
        qnn.QuantReLU(bit_width=values),
        qnn.QuantLinear(16, 10, bias=True, weight_bit_width=weights),
    )


def cnn(weights: int, values: int) -> nn.Module:
    """Two convolutions of 3 x 3, batch normalisation behind the first one, a pool."""
    import brevitas.nn as qnn

    return nn.Sequential(
        qnn.QuantIdentity(bit_width=8),
        qnn.QuantConv2d(1, 8, 3, padding=1, bias=True, weight_bit_width=weights),
        nn.BatchNorm2d(8),
        qnn.QuantReLU(bit_width=values),
        nn.MaxPool2d(2),
        qnn.QuantConv2d(8, 16, 3, padding=1, bias=True, weight_bit_width=weights),
        qnn.QuantReLU(bit_width=values),
        nn.Flatten(),
        qnn.QuantLinear(256, 10, bias=True, weight_bit_width=weights),
    )


def digits() -> tuple[torch.Tensor, ...]:
    """Samples (n, 64) from 0 to 1 and classes, to learn from and to test."""
    x, y = load_digits(return_X_y=True)
    tests = np.arange(len(x)) % 5 == 0
    x, y = torch.tensor(x / 16, dtype=torch.float32), torch.tensor(y)
    return x[~tests], y[~tests], x[tests], y[tests]


def trained(net: nn.Module, shape: tuple[int, ...]) -> tuple[nn.Module, float]:
    """The net after it learned, and the share of test samples that it names."""
    x, y, x_test, y_test = digits()
    optimizer = torch.optim.Adam(net.parameters(), RATE)
    for _ in range(EPOCHS):
        for some in torch.split(torch.randperm(len(x)), BATCH):
            optimizer.zero_grad()
            loss = nn.functional.cross_entropy(net(x[some].reshape(-1, *shape)), y[some])
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
    net.eval()
    with torch.no_grad():
        found = net(x_test.reshape(-1, *shape)).argmax(1)
    return net, float((found == y_test).float().mean())


def nets() -> Iterator[tuple[str, Any, tuple[int, ...]]]:
    """Names, nets and the shapes of their samples."""
    for weights, values in ((8, 8), (4, 8), (4, 4), (3, 3), (2, 2)):
        yield f"digits_w{weights}a{values}", dense(weights, values), (64,)
        yield f"digits_cnn_w{weights}a{values}", cnn(weights, values), (1, 8, 8)


def main() -> None:
    """Write the files."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("folder", type=Path, nargs="?", default=DATA)
    folder = parser.parse_args().folder
    from brevitas.export import export_onnx_qcdq, export_qonnx

    warnings.simplefilter("ignore")
    torch.manual_seed(0)
    for name, net, shape in nets():
        learned, score = trained(net, shape)
        print(f"{name}: {100 * score:.1f} %", flush=True)
        for export, ending in ((export_qonnx, "qonnx"), (export_onnx_qcdq, "qcdq")):
            path = folder / f"bv_{name}_{ending}.onnx"
            export(learned, args=torch.zeros(1, *shape), export_path=str(path), dynamo=False)


if __name__ == "__main__":
    main()
