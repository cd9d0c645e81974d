"""Make the table of MLPerf Tiny's ResNet-8 in docs/results/imported.md.

    python tools/results_resnet8.py [--out FOLDER] [--samples 6000] [--tested 1000] [--steps 3]

The net is trained in torch on Fashion-MNIST, padded to 32 x 32 and repeated in three channels, for
two epochs of so many samples; torch.onnx writes it, and the file comes in as any other. FOLDER
keeps the file, the data and the spec.
"""

import argparse
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import torch
from numpy.typing import NDArray

from tests.support.resnet8 import resnet8
from tpsgd_edge import Spec, build, load_spec, quantization, verify
from tpsgd_edge.frontend.idx import read_idx
from tpsgd_edge.frontend.imports.onnx_net import read_onnx
from tpsgd_edge.graph.forward import outputs
from tpsgd_edge.quantize import quantize_inputs, quantize_labels
from tpsgd_edge.spec import PlatformSpec
from tpsgd_edge.stages import compile_for_device, prepare, render_project, scratch_project
from tpsgd_edge.toolchain.counting import count_instructions
from tpsgd_edge.toolchain.interface import interface_of

FASHION = Path("/usr/share/datasets/fashion-mnist")
BATCH = 32
SPEC = """\
name = "resnet8"

[model]
source = "resnet8.onnx"
{settings}
[numbers]
weights = "{weights}"

[rule]
learning_rate = 1e-4
epochs = 1

[data]
file = "fashion32.npz"

[platform]
name = "cortex-m4f"
"""
# What learns on the device, by the start of the layers' names that do not.
LEARNS = {"the last layer": ("0", "3", "4", "5"), "the last stack too": ("0", "3", "4"), "all": ()}
Array = NDArray[Any]


def main() -> None:
    """Train, export, and print the tables."""
    words = (__doc__ or "").partition("\n")
    parser = argparse.ArgumentParser(
        description=words[0], epilog=words[2], formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path)
    parser.add_argument("--samples", type=int, default=6000)
    parser.add_argument("--tested", type=int, default=1000)
    parser.add_argument("--steps", type=int, default=3)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = given.out or Path(scratch)
        folder.mkdir(parents=True, exist_ok=True)
        make(folder, given.samples, given.tested)
        for line in (*accuracy(folder), "", *costs(folder, given.steps)):
            print(line, flush=True)


def make(folder: Path, samples: int, tested: int) -> None:
    """Write data and net, where they are not there."""
    path = folder / "resnet8.onnx"
    if path.exists():
        return
    torch.manual_seed(1)
    torch.set_num_threads(1)
    x, y = fashion("train", samples)
    x_test, y_test = fashion("t10k", tested)
    net = trained(x, y)
    data: dict[str, Any] = {"x": x[:500], "y": y[:500], "x_test": x_test, "y_test": y_test}
    np.savez(folder / "fashion32.npz", **data)
    example = torch.zeros(1, 3, 32, 32)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        names: dict[str, Any] = {"input_names": ["x"], "output_names": ["y"]}
        torch.onnx.export(net.eval(), (example,), path, dynamo=False, opset_version=13, **names)


def fashion(part: str, count: int) -> tuple[Array, Array]:
    """Images (count, 32, 32, 3) between -1 and 1, and their classes."""
    images, labels = (
        read_idx(FASHION / f"{part}-{kind}-ubyte.gz") for kind in ("images-idx3", "labels-idx1")
    )
    padded = np.pad(images[:count], ((0, 0), (2, 2), (2, 2)))[..., np.newaxis]
    return (np.repeat(padded, 3, axis=3) / 127.5 - 1).astype(np.float32), labels[:count]


def trained(x: Array, y: Array) -> torch.nn.Module:
    """The net after two epochs."""
    net, maps = resnet8(), torch.tensor(np.moveaxis(x, 3, 1))
    labels, optimizer = torch.tensor(y.astype(np.int64)), torch.optim.Adam(net.parameters(), 2e-3)
    for start in (*range(0, len(maps), BATCH), *range(0, len(maps), BATCH)):
        optimizer.zero_grad()
        rows = slice(start, start + BATCH)
        loss: Any = torch.nn.functional.cross_entropy(net(maps[rows]), labels[rows])
        loss.backward()
        optimizer.step()
    return net


def spec_of(folder: Path, weights: str, learns: str) -> Spec:
    """The spec, written beside the net."""
    path, frozen = folder / "resnet8.toml", LEARNS[learns]
    names = [name for name in names_of(folder) if part_of(name) in frozen]
    settings = "\n".join(f"settings.{name}.train = false" for name in names)
    path.write_text(SPEC.format(weights=weights, settings=settings + "\n"), encoding="utf-8")
    return load_spec(path)


def names_of(folder: Path) -> list[str]:
    """The layers of the file that have weights."""
    layers = read_onnx(folder / "resnet8.onnx").layers
    return [str(layer["name"]) for layer in layers if layer["kind"] in ("conv2d", "dense")]


def part_of(name: str) -> str:
    """The part of the net that a layer belongs to, by the first number in its name."""
    return next(c for c in name if c.isdigit())


def accuracy(folder: Path) -> Iterator[str]:
    """The rows of the first table."""
    yield "| weights | real numbers | integers | same class | ONNX Runtime, largest difference |"
    yield "|---|---:|---:|---:|---:|"
    for weights in ("s16", "s8"):
        spec = spec_of(folder, weights, "the last layer")
        result = quantization(spec, samples=20)
        far = difference(spec, folder)
        yield (
            f"| {weights} | {100 * result.real:.1f} | {100 * result.integers:.1f} "
            f"| {100 * (result.agreement or 0):.1f} | {far:.1e} |"
        )


def difference(spec: Spec, folder: Path) -> float:
    """How far the net in real numbers is from ONNX Runtime, over 20 samples."""
    prepared = prepare(spec)
    x = prepared.dataset.x_test[:20]
    *_, real = outputs(prepared.graph, np.asarray(x, np.float64), spec.seed)
    session = onnxruntime.InferenceSession(str(folder / "resnet8.onnx"))
    maps = np.moveaxis(x.reshape(-1, 32, 32, 3), 3, 1).astype(np.float32)
    theirs = np.concatenate([session.run(None, {"x": one[np.newaxis]})[0] for one in maps])
    return float(np.abs(real - theirs).max())


def costs(folder: Path, steps: int) -> Iterator[str]:
    """The rows of the second table: what a Cortex-M4F needs, and whether it says the same."""
    yield "| weights | learns | RAM | of it arena | flash | inference | training step | verdicts |"
    yield "|---|---|---:|---:|---:|---:|---:|---|"
    for weights in ("s16", "s8"):
        for learns in LEARNS:
            spec = spec_of(folder, weights, learns)
            document: dict[str, Any] = build(spec, out=folder / "build").to_json()
            ram, flash = document["ram_bytes"], document["flash_bytes"]
            inference, step = counts(spec)
            yield (
                f"| {weights} | {learns} | {ram['total']:,} | {ram['arena']:,} "
                f"| {flash['total']:,} | {inference:,} | {step:,} | {verdicts(spec, steps)} |"
            )


def counts(spec: Spec) -> tuple[int, int]:
    """Instructions of an inference and of the first training step, on the first sample."""
    prepared = prepare(spec)
    project = render_project(prepared)
    x = quantize_inputs(prepared.model, prepared.dataset.x_train[:1])
    labels = quantize_labels(prepared.model, prepared.dataset.y_train[:1])
    with scratch_project(project) as folder:
        binary = compile_for_device(prepared, project, folder)
        counted = count_instructions(binary, interface_of(prepared.model), x, labels)
    assert counted.step is not None
    return counted.inference.per_run, counted.step.per_run


def verdicts(spec: Spec, steps: int) -> str:
    """Whether reference and device agree after each step, on the core and on this computer."""
    host = spec.model_copy(update={"platform": PlatformSpec(name="host")})
    equal = [verify(one, steps=steps).is_equal for one in (spec, host)]
    return ", ".join("equal" if same else "MISMATCH" for same in equal)


if __name__ == "__main__":
    main()
