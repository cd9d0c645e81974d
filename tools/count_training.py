"""What training costs, counted: every step of six epochs of Fashion-MNIST on an emulated core.

    python tools/count_training.py docs/results/training.json --platform cortex-m4f --format s16
    python tools/count_training.py docs/results/training.json --platform rv32imc --windows 72

trains 784-128-10 in QEMU and counts each of its 360,000 steps by a plugin (firmware/host/steps.c),
then 2,000 inferences of the trained net. Where a core is slow to emulate, `--windows` counts the
first 1,000 steps and that many stretches of 50 at equal distances, to each of which the net is
trained on this computer; the mean then has a standard error. `--set` counts another spec, such as
rule.kind=backprop. Without a platform it prints the table of what the file holds. A row has a
digest of the code that was counted, which a test compares.
"""

import argparse
import json
import re
import sys
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from bench_device import EPOCHS, fashion, firmware, prepared_for
from numpy.typing import NDArray

from tpsgd_edge.assets import firmware_dir
from tpsgd_edge.codegen import CProject
from tpsgd_edge.errors import TpsgdError
from tpsgd_edge.frontend.split import epoch_order
from tpsgd_edge.stages import (
    Prepared,
    compile_for_host,
    quantize_samples,
    render_project,
    scratch_project,
)
from tpsgd_edge.stages.training import Samples
from tpsgd_edge.toolchain.build import Binary
from tpsgd_edge.toolchain.compilers import find_compiler
from tpsgd_edge.toolchain.elf import read_elf
from tpsgd_edge.toolchain.interface import ModelInterface, interface_of
from tpsgd_edge.toolchain.open_device import open_device
from tpsgd_edge.toolchain.platforms import load_platform
from tpsgd_edge.toolchain.programs import compile_plugin
from tpsgd_edge.toolchain.protocol import StreamDevice
from tpsgd_edge.toolchain.qemu_link import QemuLink

Counts = NDArray[np.uint32]

EARLY = 1000
WINDOW = 50
# Samples of one request.
CHUNK = 20_000
INFERENCES = 2000
_TIMEOUT = 7200.0


@dataclass(frozen=True)
class Row:
    """Instructions of one format on one core by one compiler.

    Attributes:
        steps: how many were counted.
        error: standard error of `mean`; 0 where all steps were counted.
        epochs: the mean of each epoch.
        early: the mean of the first 1,000 steps.
        code: digest of the kernels' sources.
    """

    inference: int
    mean: int
    error: int
    epochs: tuple[int, ...]
    early: int
    worst: int
    steps: int
    code: str


class Counter:
    """Runs firmware in QEMU and keeps the count of each call of a function."""

    def __init__(self, binary: Binary, interface: ModelInterface, folder: Path) -> None:
        self._binary = binary
        self._interface = interface
        self._folder = folder
        source = firmware_dir() / "host" / "steps.c"
        compiler = find_compiler(load_platform("host"), "gcc")
        self._plugin = compile_plugin(source, compiler, build_dir=folder)

    def open(self, function: str) -> tuple[StreamDevice, Path]:
        """A new device, and the file that gets the counts of the function's calls."""
        out = self._folder / f"{function}.bin"
        out.unlink(missing_ok=True)
        elf = read_elf(self._binary.path)
        entry = elf.find(f"{self._binary.name}_{function}_with").address
        start = elf.places[".port_text"]
        places = f"entry={entry:x},outside={start:x},end={start + elf.sections['.port_text']:x}"
        arguments = ("-plugin", f"{self._plugin.resolve()},{places},out={out}")
        link = QemuLink(self._binary, timeout=_TIMEOUT, arguments=arguments)
        return StreamDevice(link, self._interface), out


def read_counts(path: Path) -> Counts:
    """The counts of a file, one a call."""
    return np.frombuffer(path.read_bytes(), "<u4")


def orders(prepared: Prepared, count: int) -> NDArray[np.integer]:
    """The sample of each step."""
    return np.concatenate([epoch_order(prepared.model.seed, e, count) for e in range(EPOCHS)])


def count_all(
    counter: Counter, samples: Samples, order: NDArray[np.integer]
) -> tuple[Counts, bytes]:
    """Counts of all steps, and the state behind them."""
    device, out = counter.open("train_step")
    with device:
        for start in range(0, len(order), CHUNK):
            device.train(samples.x, samples.labels, order=order[start : start + CHUNK])
        state = device.state()
    return read_counts(out), state


def count_windows(
    counter: Counter, prepared: Prepared, samples: Samples, order: NDArray[np.integer], windows: int
) -> tuple[Counts, Counts, bytes]:
    """Counts of the first steps, of each window, as rows, and the state behind all steps."""
    device, out = counter.open("train_step")
    starts = [round((i + 0.5) * len(order) / windows) for i in range(windows)]
    project = render_project(prepared)
    with device, scratch_project(project) as folder:
        device.train(samples.x, samples.labels, order=order[:EARLY])
        host = open_device(compile_for_host(project, folder), interface_of(prepared.model))
        done = 0
        for start in starts:
            host.train(samples.x, samples.labels, order=order[done:start])
            done = start
            device.load_state(host.state())
            device.train(samples.x, samples.labels, order=order[start : start + WINDOW])
        host.train(samples.x, samples.labels, order=order[done:])
        state = host.state()
    counts = read_counts(out)
    return counts[:EARLY], counts[EARLY:].reshape(windows, WINDOW), state


def count_inferences(counter: Counter, samples: Samples, state: bytes) -> int:
    """The mean of an inference of the trained net."""
    device, out = counter.open("outputs")
    with device:
        device.load_state(state)
        device.outputs(samples.x_test[:INFERENCES])
    return round(float(read_counts(out).mean()))


def code_of(project: CProject) -> str:
    """A digest of what is compiled for the core, without the model's constants and comments."""
    files = [project.files[name] for name in sorted(project.files) if "_tps_" in name]
    text = "".join(line for file in files for line in on_cores(file))
    words = re.sub(r"/\*.*?\*/", "", text, flags=re.DOTALL).split()
    return f"{zlib.crc32(' '.join(words).encode()):08x}"


def on_cores(text: str) -> Iterator[str]:
    """The lines of a file without what only computers with vector units compile.

    >>> "".join(on_cores("#ifdef TPS_VECTORS\\nwide\\n#else\\nplain\\n#endif\\nboth\\n")).split()
    ['plain', 'both']
    """
    # The conditions around a line: whether each asks for vector units, and whether cores meet it.
    inside: list[tuple[bool, bool]] = []
    for line in text.splitlines(keepends=True):
        asks = line.split() in (["#ifdef", "TPS_VECTORS"], ["#ifndef", "TPS_VECTORS"])
        is_mark = False
        if line.startswith("#if"):
            inside.append((asks, not asks or line.startswith("#ifndef")))
            is_mark = asks
        elif line.startswith("#else"):
            is_mark, met = inside.pop()
            inside.append((is_mark, met != is_mark))
        elif line.startswith("#endif"):
            is_mark, _ = inside.pop()
        if not is_mark and all(met for _, met in inside):
            yield line


def measured(platform: str, weights: str, windows: int, settings: Sequence[str] = ()) -> Row:
    """One row, by the compiler that is chosen; `settings` change keys of the spec."""
    rates = ("rule.learning_rate=0.003", *settings)
    prepared = prepared_for(platform, weights, rates)
    project = render_project(prepared)
    on_host = prepared_for("host", weights, rates)
    samples = quantize_samples(prepared.model, fashion())
    order = orders(prepared, len(samples.x))
    with scratch_project(project) as folder:
        binary = firmware(prepared, project, folder, "-O2")
        counter = Counter(binary, interface_of(prepared.model), folder)
        if windows:
            first, rows, state = count_windows(counter, on_host, samples, order, windows)
            means = rows.mean(axis=1)
            # Windows lie at equal distances: what differs between neighbours is chance.
            error = float(np.sqrt(np.mean(np.diff(means) ** 2) / 2 / windows))
            steps = np.concatenate([first, rows.ravel()])
            of_epochs = means.reshape(EPOCHS, -1).mean(axis=1)
        else:
            steps, state = count_all(counter, samples, order)
            first, error = steps[:EARLY], 0.0
            of_epochs = steps.reshape(EPOCHS, -1).mean(axis=1)
        inference = count_inferences(counter, samples, state)
    return Row(
        inference=inference,
        mean=round(float(of_epochs.mean())),
        error=round(error),
        epochs=tuple(round(float(mean)) for mean in of_epochs),
        early=round(float(first.mean())),
        worst=int(steps.max()),
        steps=len(steps),
        code=code_of(project),
    )


def read(path: Path) -> dict[str, Row]:
    """What a file of results holds."""
    if not path.exists():
        return {}
    content: Mapping[str, Mapping[str, object]] = json.loads(path.read_text(encoding="utf-8"))
    return {name: Row(**{**row, "epochs": tuple(row["epochs"])}) for name, row in content.items()}  # type: ignore[arg-type]


def table(rows: Mapping[str, Row]) -> Iterator[str]:
    """A line for each row."""
    yield (
        "| core, format, compiler | inference | mean step | of an inference | first 1,000 | worst "
        "| steps counted |"
    )
    yield "|---|---:|---:|---:|---:|---:|---:|"
    for name, row in sorted(rows.items()):
        error = f" ± {row.error:,}" if row.error else ""
        yield (
            f"| {name} | {row.inference:,} | {row.mean:,}{error} | {row.mean / row.inference:.2f} "
            f"| {row.early:,} | {row.worst:,} | {row.steps:,} |"
        )


def main() -> int:
    """Count one row, or print all."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("file", type=Path, help="results so far; updated")
    parser.add_argument("--platform", help="the core to count on")
    parser.add_argument("--format", default="s16", help="s16, s8 or f32")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("--windows", type=int, default=0, help="stretches, a multiple of 6")
    arguments = parser.parse_args()
    rows = read(arguments.file)
    try:
        if arguments.platform:
            family = find_compiler(load_platform(arguments.platform)).family
            name = " ".join((arguments.platform, arguments.format, family, *arguments.set))
            row = measured(arguments.platform, arguments.format, arguments.windows, arguments.set)
            rows = read(arguments.file) | {name: row}
            content = {key: asdict(rows[key]) for key in sorted(rows)}
            arguments.file.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    except TpsgdError as error:
        print(f"error: {error}", file=sys.stderr)
        return 3
    print("\n".join(table(rows)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
