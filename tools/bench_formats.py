"""Speed of the number formats on this computer: samples a second of s16, s8 and f32.

    python tools/bench_formats.py

builds nets on Fashion-MNIST in each format, trains them from their first state and asks them, by
turns of the same samples, and prints each speed as a ratio to that of s16. Beside it stands how
many multiply-adds an inference makes a second, and their share of what the same compiler reaches
with the same sums of four rows in the first-level cache. One thread, by processor time.
"""

import argparse
import ctypes
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from bench_host import SPEC, Stopwatch, host_device

from tpsgd_edge.arithmetic.types import Array
from tpsgd_edge.errors import TpsgdError
from tpsgd_edge.quantize import quantize_inputs, quantize_labels
from tpsgd_edge.spec import load_spec
from tpsgd_edge.stages import Prepared, prepare
from tpsgd_edge.stages.preparation import forward_macs
from tpsgd_edge.toolchain.compilers import find_compiler
from tpsgd_edge.toolchain.device import Device
from tpsgd_edge.toolchain.platforms import load_platform

FORMATS = ("s16", "s8", "f32")
EXAMPLES = SPEC.parent


@dataclass(frozen=True)
class Net:
    """A net of the table: keys that are set in an example, and how many samples are timed."""

    example: str
    samples: int
    keys: tuple[str, ...] = ()


NETS = {
    "784-128-10": Net("fashion_mlp", 20_000, ("model.layers.0.units=128",)),
    "fashion_cnn": Net("fashion_cnn", 2_000),
    "vgg_small": Net("vgg_small", 500),
    "fashion_rows_rnn": Net("fashion_rows_rnn", 2_000),
    "fashion_rows_gru": Net("fashion_rows_gru", 1_000),
    "rows_memory": Net("rows_memory", 20_000),
}

# Sums of four rows, as the kernels make them, of numbers that never leave the first-level cache.
PEAK = """
#include <stdint.h>
int32_t peak_s16(const int16_t *w, const int16_t *x, uint32_t n, uint32_t times);
float peak_f32(const float *w, const float *x, uint32_t n, uint32_t times);

int32_t peak_s16(const int16_t *w, const int16_t *x, uint32_t n, uint32_t times)
{
    const int16_t *const second = w + n, *const third = second + n, *const fourth = third + n;
    int32_t a = 0, b = 0, c = 0, d = 0;
    for (; times > 0; times--) {
        for (uint32_t i = 0; i < n; i++) {
            a += (int32_t)w[i] * x[i];
            b += (int32_t)second[i] * x[i];
            c += (int32_t)third[i] * x[i];
            d += (int32_t)fourth[i] * x[i];
        }
        __asm__ volatile("" : : : "memory");
    }
    return a + b + c + d;
}

typedef float eight __attribute__((vector_size(32), aligned(4)));

float peak_f32(const float *w, const float *x, uint32_t n, uint32_t times)
{
    eight a = {0.0f}, b = a, c = a, d = a;
    for (; times > 0; times--) {
        for (uint32_t i = 0; i < n; i += 8) {
            const eight input = *(const eight *)(x + i);
            a += *(const eight *)(w + i) * input;
            b += *(const eight *)(w + n + i) * input;
            c += *(const eight *)(w + 2 * n + i) * input;
            d += *(const eight *)(w + 3 * n + i) * input;
        }
        __asm__ volatile("" : : : "memory");
    }
    a += b + c + d;
    return a[0];
}
"""
PEAK_COLUMNS, PEAK_TIMES = 512, 20_000


@dataclass
class Contestant:
    """A net in one format, and what it took.

    Attributes:
        macs: multiply-adds of an inference.
    """

    device: Device
    x: Array
    labels: Array
    macs: int
    training: Stopwatch
    inference: Stopwatch

    def run(self, part: slice) -> None:
        """Train on some samples, then ask for the answers to them."""
        order = np.arange(part.start, part.stop) % len(self.x)
        x = self.x[order]
        self.training.run(lambda _: self.device.train(self.x, self.labels, order=order), part)
        self.inference.run(lambda _: self.device.outputs(x), part)


def contestant(prepared: Prepared, samples: int, folder: Path, preferred: str | None) -> Contestant:
    """Build a net; it has no more samples than it needs."""
    model, dataset = prepared.model, prepared.dataset
    x = quantize_inputs(model, dataset.x_train[:samples])
    labels = quantize_labels(model, dataset.y_train[:samples])
    device, _ = host_device(prepared, folder, preferred)
    return Contestant(device, x, labels, forward_macs(model), Stopwatch(), Stopwatch())


def peaks(folder: Path, preferred: str | None) -> dict[str, float]:
    """Multiply-adds a second of numbers of 16 bits, to which s8 is widened too, and of f32."""
    platform = load_platform("host")
    compiler = find_compiler(platform, preferred)
    cc = ["cc"] if compiler.family == "zig" else []
    flags = ["-O3", "-ffp-contract=off", "-shared", "-fPIC", *platform.flags[compiler.family]]
    source, library = folder / "peak.c", folder / "peak.so"
    source.write_text(PEAK)
    subprocess.run(
        [*compiler.command, *cc, *flags, str(source), "-o", str(library)], check=True, timeout=60
    )
    functions = ctypes.CDLL(str(library))
    found = {}
    for name, dtype in (("s16", np.int16), ("f32", np.float32)):
        w, x = np.ones(4 * PEAK_COLUMNS, dtype), np.ones(PEAK_COLUMNS, dtype)
        arguments = (ctypes.c_void_p(w.ctypes.data), ctypes.c_void_p(x.ctypes.data), PEAK_COLUMNS)
        taken = []
        for _ in range(5):
            start = time.process_time()
            getattr(functions, f"peak_{name}")(*arguments, PEAK_TIMES)
            taken.append(time.process_time() - start)
        found[name] = 4 * PEAK_COLUMNS * PEAK_TIMES / min(taken)
    return found | {"s8": found["s16"]}


def contest(
    title: str, samples: int | None, turns: int, preferred: str | None, peak: Mapping[str, float]
) -> Iterator[str]:
    """A line of the table for each format of a net."""
    net = NETS[title]
    samples = samples or net.samples
    step = samples // turns
    with TemporaryDirectory(prefix="bench-formats-") as folder:
        those = {}
        for weights in FORMATS:
            own = (*net.keys, "platform.name=host", f"numbers.weights={weights}")
            prepared = prepare(load_spec(EXAMPLES / f"{net.example}.toml", own))
            those[weights] = contestant(prepared, samples, Path(folder) / weights, preferred)
        for turn in range(turns):
            for one in those.values():
                one.run(slice(turn * step, (turn + 1) * step))
    first = those[FORMATS[0]]
    for weights, one in those.items():
        macs = one.macs * one.inference.speed
        yield (
            f"| {title} | {weights} | {one.training.speed:,.0f} "
            f"| {one.training.speed / first.training.speed:.2f} | {one.inference.speed:,.0f} "
            f"| {one.inference.speed / first.inference.speed:.2f} | {macs / 1e9:.1f} "
            f"| {macs / peak[weights]:.2f} |"
        )


def main() -> int:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--net", action="append", choices=NETS, help="all by default")
    parser.add_argument("--samples", type=int, help="of each net and format")
    parser.add_argument("--turns", type=int, default=10)
    parser.add_argument("--compiler", help="gcc, clang or zig; the first that is found by default")
    arguments = parser.parse_args()
    try:
        with TemporaryDirectory(prefix="bench-formats-") as folder:
            peak = peaks(Path(folder), arguments.compiler)
        print(
            "| net | format | training, samples/s | to s16 | inference, samples/s | to s16 ", end=""
        )
        print("| 10^9 multiply-adds/s | of the peak |")
        print("|---|---|---:|---:|---:|---:|---:|---:|")
        for title in arguments.net or NETS:
            lines = contest(title, arguments.samples, arguments.turns, arguments.compiler, peak)
            print("\n".join(lines), flush=True)
    except TpsgdError as error:
        print(f"error: {error}", file=sys.stderr)
        return 3
    return 0


if __name__ == "__main__":
    sys.exit(main())
