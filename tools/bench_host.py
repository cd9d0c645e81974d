"""Speed of training on this computer: generated code, torch at batch 1, the numpy reference.

    python tools/bench_host.py

trains 784-256-10 (examples/fashion_mlp.toml) from its initial state over the 60,000 samples of
Fashion-MNIST with the generated code, and by turns a part of them with backpropagation in torch and
with the numpy reference, so that whatever else the machine does slows all three. One thread each,
by processor time. Exits with 1 where a goal is missed; without torch there is no ratio.
"""

import argparse
import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

os.environ["OMP_NUM_THREADS"] = "1"
os.environ["OPENBLAS_NUM_THREADS"] = "1"
os.environ["MKL_NUM_THREADS"] = "1"

import numpy as np
from numpy.typing import NDArray

from tpsgd_edge.errors import TpsgdError
from tpsgd_edge.frontend.data import input_scaling
from tpsgd_edge.quantize import quantize_inputs, quantize_labels
from tpsgd_edge.reference import Reference
from tpsgd_edge.spec import load_spec
from tpsgd_edge.stages import Prepared, prepare, render_project
from tpsgd_edge.toolchain.build import compile_simulation
from tpsgd_edge.toolchain.compilers import find_compiler
from tpsgd_edge.toolchain.device import Device
from tpsgd_edge.toolchain.folder import write_project
from tpsgd_edge.toolchain.interface import interface_of
from tpsgd_edge.toolchain.open_device import open_device
from tpsgd_edge.toolchain.platforms import load_platform

SPEC = Path(__file__).resolve().parent.parent / "examples" / "fashion_mlp.toml"
RATIO_GOAL = 20.0
REFERENCE_GOAL = 500.0
# Torch and the reference do a share of the samples in each turn, so that a run is short.
TORCH_SHARE, REFERENCE_SHARE = 10, 120

Trainer = Callable[[slice], object]


@dataclass
class Stopwatch:
    """Samples and seconds of one contestant."""

    samples: int = 0
    cpu: float = 0.0
    wall: float = 0.0

    def run(self, train: Trainer, part: slice) -> None:
        """Train on some samples and note the time."""
        cpu, wall = time.process_time(), time.perf_counter()
        train(part)
        self.cpu += time.process_time() - cpu
        self.wall += time.perf_counter() - wall
        self.samples += part.stop - part.start

    @property
    def speed(self) -> float:
        """Samples for each second of processor time."""
        return self.samples / self.cpu if self.cpu else 0.0

    def __str__(self) -> str:
        return (
            f"{self.speed:,.0f} samples/s ({self.samples:,} samples in {self.cpu:.2f} s of "
            f"processor time, {self.wall:.2f} s by the clock)"
        )


def host_device(prepared: Prepared, folder: Path, preferred: str | None) -> tuple[Device, str]:
    """The generated code, built in the folder, and which compiler built it."""
    project = render_project(prepared)
    write_project(project.files, folder / "project")
    compiler = find_compiler(load_platform("host"), preferred)
    binary = compile_simulation(
        folder / "project", project.name, project.sources, compiler, build_dir=folder / "build"
    )
    return open_device(binary, interface_of(prepared.model)), compiler.title


def code_trainer(prepared: Prepared, folder: Path, preferred: str | None) -> tuple[Trainer, str]:
    """Training with the generated code, and which compiler built it."""
    device, title = host_device(prepared, folder, preferred)
    x = quantize_inputs(prepared.model, prepared.dataset.x_train)
    labels = quantize_labels(prepared.model, prepared.dataset.y_train)

    def train(part: slice) -> None:
        device.train(x, labels, order=np.arange(part.start, part.stop))

    return train, title


def reference_trainer(prepared: Prepared, count: int) -> Trainer:
    """Training with the numpy reference on the first `count` samples."""
    model, dataset = prepared.model, prepared.dataset
    reference = Reference(model)
    x = quantize_inputs(model, dataset.x_train[:count])
    labels = quantize_labels(model, dataset.y_train[:count])

    def train(part: slice) -> None:
        for sample, label in zip(x[part], labels[part], strict=True):
            reference.train_step(sample, label)

    return train


def torch_trainer(prepared: Prepared, count: int) -> tuple[Trainer, str] | None:
    """Backpropagation in torch, one sample at a time; None where torch is missing."""
    try:
        import torch
    except ImportError:
        return None
    torch.set_num_threads(1)
    torch.manual_seed(1)
    middle, std = input_scaling(prepared.spec, prepared.dataset.x_train)
    scaled: NDArray[np.float64] = (prepared.dataset.x_train[:count] - middle) / std
    x = torch.tensor(scaled.astype(np.float32))
    y = torch.tensor(prepared.dataset.y_train[:count])
    sizes = [layer.n_out for layer in prepared.graph.weighted]
    net = torch.nn.Sequential(
        torch.nn.Linear(prepared.model.n_inputs, sizes[0]),
        torch.nn.Tanh(),
        torch.nn.Linear(sizes[0], sizes[1]),
    )
    loss = torch.nn.CrossEntropyLoss()
    optimizer = torch.optim.SGD(net.parameters(), lr=0.01)

    def train(part: slice) -> None:
        for i in range(part.start, part.stop):
            optimizer.zero_grad()
            loss(net(x[i : i + 1]), y[i : i + 1]).backward()
            optimizer.step()

    return train, torch.__version__


def contest(prepared: Prepared, samples: int, turns: int, preferred: str | None) -> bool:
    """Run all three by turns and print their speeds. Whether the goals are met."""
    step = samples // turns
    torch_step, reference_step = step // TORCH_SHARE, max(1, step // REFERENCE_SHARE)
    with TemporaryDirectory(prefix="bench-host-") as folder:
        code, compiler = code_trainer(prepared, Path(folder), preferred)
        reference = reference_trainer(prepared, turns * reference_step)
        torch = torch_trainer(prepared, turns * torch_step)
        watches = [Stopwatch(), Stopwatch(), Stopwatch()]
        for turn in range(turns):
            watches[0].run(code, slice(turn * step, (turn + 1) * step))
            watches[1].run(reference, slice(turn * reference_step, (turn + 1) * reference_step))
            if torch is not None:
                watches[2].run(torch[0], slice(turn * torch_step, (turn + 1) * torch_step))
    print(f"generated code, {compiler}: {watches[0]}")
    print(f"numpy reference: {watches[1]}; goal: {REFERENCE_GOAL:g}")
    good = watches[1].speed >= REFERENCE_GOAL
    if torch is None:
        print("torch is not installed: no ratio (pip install 'tpsgd-edge[torch]')")
        return good
    ratio = watches[0].speed / watches[2].speed
    print(f"torch {torch[1]}, backpropagation, batch 1: {watches[2]}")
    print(f"generated code / torch: {ratio:.1f}; goal: {RATIO_GOAL:g}")
    return good and ratio >= RATIO_GOAL


def main() -> int:
    """Measure, and say by the exit code whether the goals are met."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--samples", type=int, default=60_000, help="for the generated code")
    parser.add_argument("--turns", type=int, default=20)
    parser.add_argument("--compiler", help="gcc, clang or zig; the first that is found by default")
    arguments = parser.parse_args()
    try:
        prepared = prepare(load_spec(SPEC, ["rule.learning_rate=0.003", "platform.name=host"]))
        good = contest(prepared, arguments.samples, arguments.turns, arguments.compiler)
    except TpsgdError as error:
        print(f"error: {error}", file=sys.stderr)
        return 3
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
