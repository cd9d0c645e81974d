"""What defaults come to on data of others: a table of docs/RESULTS.md.

    python tools/results_defaults.py FOLDER [--half judging] [--only sequences]

Trains a net with one hidden layer of 32 units on each table of tools/open_data.py, and a small
convolutional, a recurrent and a net behind a memory on each set of sequences, from specs that hold
nothing but layers and data, with the generated code on this computer, three seeds each. Beside them
stand logistic regression (ridge where labels are values) and scikit-learn's multilayer perceptron
of the same width, sequences beside the same net in torch with Adam (memories beside the recurrent
one), and the net's own hidden layers at random.
FOLDER holds the packages' files, as tools/open_data.py says.
"""

import argparse
import tomllib
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from statistics import mean
from typing import Any, cast

import numpy as np
import torch
from experiments import trained_score
from numpy.typing import NDArray
from open_data import Half, OpenSet, classifications, regressions, sequences
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.preprocessing import StandardScaler

from tpsgd_edge.frontend.data import dataset_from_arrays
from tpsgd_edge.spec import Spec, spec_from_dict
from tpsgd_edge.stages import prepare, with_frozen_hidden_layers

SEEDS = (1, 2, 3)
_TEST_SHARE = 0.2


@dataclass(frozen=True, slots=True)
class Split:
    """Training and test samples of a set."""

    x: NDArray[np.float32]
    y: NDArray[Any]
    x_test: NDArray[np.float32]
    y_test: NDArray[Any]


def split(data: OpenSet, seed: int) -> Split:
    """A fifth of the samples for the test, drawn by the seed, or the set's own test samples."""
    order = np.random.default_rng(seed).permutation(len(data.x))
    if data.test is not None:
        return Split(data.x[order], data.y[order], *data.test)
    count = max(1, round(_TEST_SHARE * len(order)))
    held_out, rest = order[:count], order[count:]
    return Split(data.x[rest], data.y[rest], data.x[held_out], data.y[held_out])


def table_layers(outputs: int) -> list[dict[str, Any]]:
    """One hidden layer of 32 units."""
    return [{"name": "fc1", "units": 32}, {"name": "fc2", "units": outputs}]


def conv_layers(outputs: int) -> list[dict[str, Any]]:
    """A convolution over 5 steps, a max pool, a dense layer."""
    return [
        {"name": "conv1", "kind": "conv1d", "filters": 16, "kernel": 5},
        {"kind": "max_pool", "size": 2},
        {"name": "fc1", "units": outputs},
    ]


def rnn_layers(outputs: int) -> list[dict[str, Any]]:
    """A recurrent layer of 32 units."""
    return [{"name": "rnn1", "kind": "rnn", "units": 32}, {"name": "fc1", "units": outputs}]


def memory_layers(outputs: int) -> list[dict[str, Any]]:
    """Sixteen cosine sums of each channel, and 32 units that read them."""
    return [
        {"name": "mem", "kind": "memory", "cosines": 16},
        {"name": "fc1", "units": 32},
        {"name": "fc2", "units": outputs},
    ]


def default_spec(data: OpenSet, layers: list[dict[str, Any]], seed: int) -> Spec:
    """A spec that says nothing but layers and data, and what --set adds."""
    content: dict[str, Any] = {
        "name": "net",
        "seed": seed,
        "model": {"layers": layers},
        "data": {"file": "arrays.npz", "task": data.task},
    }
    for setting in _settings:
        key, _, value = setting.partition("=")
        section, _, name = key.partition(".")
        content.setdefault(section, {})[name] = tomllib.loads(f"value = {value}")["value"]
    return spec_from_dict(content)


# What --set says, in each worker.
_settings: list[str] = []


def _start(settings: list[str]) -> None:
    _settings[:] = settings
    warnings.simplefilter("ignore")


def scores(spec: Spec, data: OpenSet, part: Split) -> tuple[float, float]:
    """Scores after training, and with hidden layers left as they were, in %."""
    y, y_test = part.y, part.y_test
    if data.task == "regression":
        y, y_test = y[:, None], y_test[:, None]
    prepared = prepare(spec, dataset_from_arrays(spec, part.x, y, part.x_test, y_test))
    still = replace(prepared, model=with_frozen_hidden_layers(prepared.model))
    return 100 * trained_score(prepared), 100 * trained_score(still)


def linear_and_mlp(data: OpenSet, part: Split, seed: int) -> tuple[float, float]:
    """Logistic regression (ridge for values) and a perceptron of 32 units, standardised, in %."""
    scaler = StandardScaler().fit(part.x)
    x, x_test = scaler.transform(part.x), scaler.transform(part.x_test)
    if data.task == "regression":
        models = Ridge(), MLPRegressor(hidden_layer_sizes=(32,), max_iter=1000, random_state=seed)
    else:
        models = LogisticRegression(max_iter=500), MLPClassifier((32,), random_state=seed)
    linear, mlp = (100 * m.fit(x, part.y).score(x_test, part.y_test) for m in models)
    return linear, mlp


def table_row(data: OpenSet, seed: int) -> tuple[float, ...]:
    """A table with one seed: here, hidden layer at random, linear, perceptron."""
    part = split(data, seed)
    outputs = 1 if data.task == "regression" else int(data.y.max()) + 1
    here = scores(default_spec(data, table_layers(outputs), seed), data, part)
    return (*here, *(linear_and_mlp(data, part, seed) if not _settings else (0.0, 0.0)))


def sequence_row(
    layers: Callable[[int], list[dict[str, Any]]], data: OpenSet, seed: int
) -> tuple[float, ...]:
    """A set of sequences with one seed: here, at random, linear on all values, torch's Adam."""
    part = split(data, seed)
    here = scores(default_spec(data, layers(int(data.y.max()) + 1), seed), data, part)
    return (
        *here,
        *(sequence_peers(part, seed, is_conv=layers is conv_layers) if not _settings else (0, 0)),
    )


def sequence_peers(part: Split, seed: int, *, is_conv: bool) -> tuple[float, float]:
    """Logistic regression on all values of a sequence, and the same net in torch with Adam, %."""
    flat = Split(
        part.x.reshape(len(part.x), -1),
        part.y,
        part.x_test.reshape(len(part.x_test), -1),
        part.y_test,
    )
    scaler = StandardScaler().fit(flat.x)
    linear = LogisticRegression(max_iter=500).fit(scaler.transform(flat.x), flat.y)
    mean_, std = part.x.mean((0, 1)), part.x.std((0, 1))
    x, x_test = ((torch.from_numpy(v) - mean_) / std for v in (part.x, part.x_test))
    net = train_adam(
        _TorchNet(x.shape[1:], int(part.y.max()) + 1, is_conv=is_conv), x, part.y, seed
    )
    with torch.no_grad():
        right = (net(x_test).argmax(1).numpy() == part.y_test).mean()
    return 100 * linear.score(scaler.transform(flat.x_test), flat.y_test), 100 * float(right)


class _TorchNet(torch.nn.Module):
    """The nets of `conv_layers` and `rnn_layers`."""

    def __init__(self, shape: Sequence[int], outputs: int, *, is_conv: bool) -> None:
        super().__init__()
        steps, channels = shape
        self.conv = torch.nn.Conv1d(channels, 16, 5) if is_conv else None
        self.rnn = torch.nn.RNN(channels, 32, batch_first=True)
        self.last = torch.nn.Linear(16 * ((steps - 4) // 2) if is_conv else 32, outputs)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Outputs (n, classes) of sequences (n, steps, channels)."""
        if self.conv is None:
            return cast(torch.Tensor, self.last(self.rnn(x)[0][:, -1]))
        maps = torch.tanh(self.conv(x.transpose(1, 2)))
        return cast(torch.Tensor, self.last(torch.max_pool1d(maps, 2).flatten(1)))


def train_adam(net: _TorchNet, x: torch.Tensor, y: NDArray[Any], seed: int) -> _TorchNet:
    """The net after 3,000 steps of Adam, 32 samples each, at a rate of 0.003 with cosine decay."""
    torch.manual_seed(seed)
    for module in (net.conv, net.rnn, net.last):
        if module is not None:
            module.reset_parameters()
    labels = torch.from_numpy(np.asarray(y, np.int64))
    optimizer = torch.optim.Adam(net.parameters(), lr=0.003)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, _ADAM_STEPS)
    for _ in range(_ADAM_STEPS):
        chosen = torch.randint(len(x), (32,))
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(net(x[chosen]), labels[chosen]).backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimizer.step()
        schedule.step()
    return net.eval()


_ADAM_STEPS = 3000
_RNN_STEPS = 200


def jobs(
    folder: Path, half: Half, only: str
) -> Iterator[tuple[str, str, Callable[..., Any], OpenSet]]:
    """Name of the set, name of the net, what computes a row with one seed, the set."""
    if only in ("", "tables"):
        for data in [*classifications(folder, half), *regressions(folder, half)]:
            yield data.name, "dense", table_row, data
    if only in ("", "sequences"):
        for data in sequences(folder, half):
            yield data.name, "conv1d", partial(sequence_row, conv_layers), data
            if data.x.shape[1] <= _RNN_STEPS:
                yield data.name, "rnn", partial(sequence_row, rnn_layers), data
                yield data.name, "memory", partial(sequence_row, memory_layers), data


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--half", choices=("choosing", "judging"), default="judging")
    parser.add_argument("--only", choices=("tables", "sequences"), default="")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("--seeds", type=int, default=len(SEEDS))
    asked = parser.parse_args()
    print("| data | net | defaults | hidden layers at random | linear | MLP, Adam |")
    print("|---|---|---:|---:|---:|---:|")
    means: dict[str, list[list[float]]] = {}
    with ProcessPoolExecutor(2, initializer=_start, initargs=(asked.set,)) as pool:
        started = [
            (name, net, [pool.submit(row, data, seed) for seed in SEEDS[: asked.seeds]])
            for name, net, row, data in jobs(asked.folder, asked.half, asked.only)
        ]
        for name, net, rows in started:
            columns = zip(*(row.result() for row in rows), strict=True)
            means.setdefault(net, []).append([mean(column) for column in columns])
            _print(name, net, means[net][-1])
    for net, found in means.items():
        _print("**mean**", net, [mean(column) for column in zip(*found, strict=True)])


def _print(name: str, net: str, row: Sequence[float]) -> None:
    print(f"| {name} | {net} | {' | '.join(f'{value:.1f}' for value in row)} |", flush=True)


if __name__ == "__main__":
    main()
