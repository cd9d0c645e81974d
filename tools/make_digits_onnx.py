"""Make examples/digits_onnx.onnx: a net that scikit-learn trained on a few digits.

    python tools/make_digits_onnx.py

It learns from 200 of the training samples of examples/digits.toml, divided by 16 as the spec does,
so that much is left to learn on the device and no test sample was seen before. Needs scikit-learn
and skl2onnx.
"""

import argparse
from pathlib import Path

import numpy as np
from skl2onnx import to_onnx
from sklearn.neural_network import MLPClassifier

from tpsgd_edge.frontend.data import load_dataset
from tpsgd_edge.spec import load_spec

EXAMPLES = Path(__file__).resolve().parent.parent / "examples"


def main() -> None:
    """Write the file and say how good the net is."""
    parser = argparse.ArgumentParser(description="Make examples/digits_onnx.onnx.")
    parser.add_argument("--samples", type=int, default=200, help="digits that it learns from")
    samples = parser.parse_args().samples
    data = load_dataset(load_spec(EXAMPLES / "digits.toml"))
    x, y = data.x_train[:samples].astype(np.float32) / 16, data.y_train[:samples]
    net = MLPClassifier((32,), max_iter=400, random_state=1, n_iter_no_change=400).fit(x, y)
    model = to_onnx(net, x[:1], options={"zipmap": False})
    path = EXAMPLES / "digits_onnx.onnx"
    path.write_bytes(model.SerializeToString())
    accuracy = net.score(data.x_test.astype(np.float32) / 16, data.y_test)
    print(f"{path.name}: {path.stat().st_size:,} bytes, {100 * accuracy:.1f} % of the test digits")


if __name__ == "__main__":
    main()
