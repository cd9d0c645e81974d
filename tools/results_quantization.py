"""What 8 bits cost a net made elsewhere: a depthwise-separable CNN from torch, by way of ONNX.

    python tools/results_quantization.py [--activation relu6]

Trains the net with batch normalisation on 8,000 samples of Fashion-MNIST for five epochs (a minute
or two), writes it as ONNX into a temporary folder, and prints the tables of docs/RESULTS.md:
weights alone rounded to 8 bits, with a scale for each layer and for each filter; then the integers
of the device against real numbers. Needs torch, onnx and Fashion-MNIST.
"""

import argparse
import tempfile
import warnings
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from tpsgd_edge import load_spec, quantization
from tpsgd_edge.frontend.data import Dataset, load_dataset
from tpsgd_edge.frontend.imports.source import with_source
from tpsgd_edge.graph import Graph, Weights
from tpsgd_edge.graph.forward import outputs
from tpsgd_edge.spec import Spec
from tpsgd_edge.stages import prepare

EPOCHS, BATCH, RATE, BLOCK = 5, 64, 3e-3, 500
Unit = Callable[[], nn.Module]
ACTIVATIONS: dict[str, Unit] = {
    "relu": nn.ReLU,
    "relu6": nn.ReLU6,
    "leaky_relu": partial(nn.LeakyReLU, 0.1),
}
SPEC = """
name = "ds"
[model]
source = "ds.onnx"
[data]
file = "fashion-mnist"
limit = 8000
"""


def separable(unit: Unit, channels: int, filters: int, stride: int = 1) -> list[nn.Module]:
    """A depthwise and a pointwise convolution, both normalised."""
    return [
        nn.Conv2d(channels, channels, 3, stride, 1, groups=channels, bias=False),
        nn.BatchNorm2d(channels),
        unit(),
        nn.Conv2d(channels, filters, 1, bias=False),
        nn.BatchNorm2d(filters),
        unit(),
    ]


def trained(dataset: Dataset, unit: Unit) -> nn.Module:
    """The net after its epochs."""
    torch.manual_seed(0)
    net = nn.Sequential(
        *(nn.Conv2d(1, 16, 3, 2, 1, bias=False), nn.BatchNorm2d(16), unit()),
        *(*separable(unit, 16, 32, 2), *separable(unit, 32, 32), *separable(unit, 32, 32)),
        *(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(32, 10)),
    )
    x = torch.tensor(dataset.x_train / 255.0, dtype=torch.float32).reshape(-1, 1, 28, 28)
    y, optimizer = torch.tensor(dataset.y_train), torch.optim.Adam(net.parameters(), RATE)
    for _ in range(EPOCHS):
        order = torch.randperm(len(x))
        for i in range(0, len(x), BATCH):
            batch = order[i : i + BATCH]
            optimizer.zero_grad()
            loss: Any = nn.functional.cross_entropy(net(x[batch]), y[batch])
            loss.backward()
            optimizer.step()
    return net.eval()


def rounded(graph: Graph, *, by_filter: bool) -> Graph:
    """The graph with weights in 8 bits, a scale for each layer or for each filter."""
    weights = {}
    for name, given in graph.weights.items():
        largest = np.abs(given.w).max(axis=1, keepdims=True) if by_filter else np.abs(given.w).max()
        scale = np.maximum(largest, 1e-12) / 127
        weights[name] = Weights(np.round(given.w / scale) * scale, given.b)
    return replace(graph, weights=weights)


def predicted(graph: Graph, x: NDArray[np.float64]) -> NDArray[np.float64]:
    """Outputs of the last layer."""
    blocks = (list(outputs(graph, x[i : i + BLOCK], 1))[-1] for i in range(0, len(x), BLOCK))
    return np.concatenate(list(blocks))


def weights_alone(spec: Spec) -> None:
    """The first table."""
    ready = prepare(spec)
    dataset, inputs = ready.dataset, ready.model.inputs
    x = (dataset.x_test - inputs.mean) / inputs.std
    real = predicted(ready.graph, x)
    print("| weights | error of the outputs | test accuracy, % |\n|---|---:|---:|")
    for title, graph in (
        ("real numbers", ready.graph),
        ("8 bits, a scale for each layer", rounded(ready.graph, by_filter=False)),
        ("8 bits, a scale for each filter", rounded(ready.graph, by_filter=True)),
    ):
        y = predicted(graph, x)
        error = np.sqrt(((y - real) ** 2).sum() / (real**2).sum())
        accuracy = (y.argmax(axis=1) == dataset.y_test).mean()
        print(f"| {title} | {100 * error:.1f} % | {100 * accuracy:.2f} |")


def integers(path: Path) -> None:
    """The second table."""
    spec = with_source(load_spec(path))
    frozen = [f"model.settings.{la.name}.train=false" for la in spec.model.weighted[:-1]]
    print("\n| what learns | weights | integers, % | same class, % | error of the outputs |")
    print("|---|---|---:|---:|---:|")
    for title, settings in (("the last layer", frozen), ("every layer", [])):
        for weights in ("s16", "s8"):
            asked = load_spec(path, (*settings, f'numbers.weights="{weights}"'))
            found = quantization(asked, samples=60)
            print(
                f"| {title} | {weights} | {100 * found.integers:.2f} "
                f"| {100 * (found.agreement or 0):.2f} | {100 * found.layers[-1].error:.1f} % |"
            )


def main() -> None:
    """Train, write, print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--activation", choices=ACTIVATIONS, default="relu")
    unit = ACTIVATIONS[parser.parse_args().activation]
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        path = Path(folder) / "ds.toml"
        path.write_text(SPEC)
        dataset = load_dataset(load_spec(path, ('model={layers=[{name="a",units=10}]}',)))
        net = trained(dataset, unit)
        torch.onnx.export(
            net, (torch.zeros(1, 1, 28, 28),), path.with_suffix(".onnx"), dynamo=False
        )
        weights_alone(with_source(load_spec(path)))
        integers(path)


if __name__ == "__main__":
    main()
