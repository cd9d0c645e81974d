"""Programs that learn and write down what they learned from, each with a spec of its own."""

import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tpsgd_edge.quantize import quantize_inputs, quantize_labels
from tpsgd_edge.spec import Spec, spec_from_dict
from tpsgd_edge.stages import prepare, render_project
from tpsgd_edge.toolchain.compilers import find_compiler
from tpsgd_edge.toolchain.folder import write_project
from tpsgd_edge.toolchain.platforms import load_platform

# Writes what the device's function was told to append to stdout; fails after so many writes.
_MAIN = """
#include "net_log.h"

#include <stdio.h>
#include <stdlib.h>

static struct net_model model, saved;
static long writes;

static bool append(void *context, const void *bytes, uint32_t count)
{
    return writes-- > 0 && fwrite(bytes, 1, count, (FILE *)context) == count;
}

int main(int count, char **arguments)
{
    static const DATA_X x[][NET_N_IN] = {X};
    static const DATA_Y y[][LABELS] = {Y};
    struct net_log log = {.write = append, .context = stdout};

    writes = count > 1 ? atol(arguments[1]) : 1000000;
    net_init(&model);
    saved = model;
    (void)x;
    (void)y;
    (void)net_log_begin(&log, &model);
    BODY
    return 0;
}
"""
_TRAIN = """
    for (int i = FROM; i < TO; i++) {
        (void)net_log_train_step(&log, &model, x[i], LABEL);
    }
"""
STEPS = 35


def trained(first: int, last: int) -> str:
    """C that trains on some of the samples."""
    return _TRAIN.replace("FROM", str(first)).replace("TO", str(last))


ALL = trained(0, STEPS)
OUT = {"name": "out", "units": 3}
DENSE = [{"name": "fc1", "units": 5}, OUT]
KINDS: dict[str, dict[str, Any]] = {
    "classes": {},
    "values": {"y": "values"},
    "f32": {"numbers": {"weights": "f32"}},
    "each step": {"y": "each step", "layers": [{"name": "g", "kind": "gru", "units": 3}, OUT]},
}


@dataclass(frozen=True)
class Logged:
    """A spec, and a program that learns by it and writes its log."""

    spec: Spec
    program: Path

    def log(self, *arguments: str) -> bytes:
        """What the program wrote."""
        command = [self.program, *arguments]
        return subprocess.run(command, check=True, capture_output=True, timeout=60).stdout


def spec_of(kind: str, folder: Path, every: int) -> Spec:
    """A spec of one kind, and its data."""
    rng, made = np.random.default_rng(3), dict(KINDS[kind])
    y_kind, layers = made.pop("y", ""), made.pop("layers", DENSE)
    y: Any = np.arange(60) % 3
    x = rng.standard_normal((60, 4, 2)) if y_kind == "each step" else rng.standard_normal((60, 6))
    if y_kind:
        y = rng.integers(0, 3, (60, 4)) if y_kind == "each step" else rng.standard_normal((60, 3))
    else:
        x[:, 0] += 2 * y
    np.savez(folder / "own.npz", x=x, y=y)
    content = {
        "name": "net",
        "model": {"layers": layers},
        "data": {"file": "own.npz"},
        "platform": {"name": "host"},
        "firmware": {"log": every},
        **made,
    }
    return spec_from_dict(content, folder=folder, source="net.toml")


def compiled(spec: Spec, folder: Path, body: str) -> Path:
    """Compile the program, every warning an error."""
    prepared, project = prepare(spec), folder / "net"
    write_project(render_project(prepared).files, project)
    x = quantize_inputs(prepared.model, prepared.dataset.x_train[:STEPS])
    y = quantize_labels(prepared.model, prepared.dataset.y_train[:STEPS]).reshape(STEPS, -1)
    one = prepared.model.labels.kind == "class" and not prepared.model.labels.each_step
    real = prepared.model.value_type == "f32"
    text = _MAIN.replace("BODY", body).replace("LABELS", str(y.shape[1]))
    text = text.replace("LABEL", "y[i][0]" if one else "y[i]")
    text = text.replace("DATA_X", "float" if real else "int8_t")
    kind = prepared.model.labels.kind
    text = text.replace("DATA_Y", "uint16_t" if kind == "class" else "float" if real else "int16_t")
    text = text.replace("{X}", rows(x)).replace("{Y}", rows(y))
    sources = (f'#include "{path.as_posix()}"\n' for path in sorted(project.glob("*.c")))
    (folder / "unit.c").write_text("".join(sources) + text)
    flags = ["-std=c11", "-O0", "-Wall", "-Wextra", "-Wconversion", "-Wshadow", "-Werror"]
    command = [*find_compiler(load_platform("host")).command, *flags, "-I", project]
    program = folder / "program"
    subprocess.run([*command, folder / "unit.c", "-o", program], check=True, timeout=300)
    return program


def rows(values: np.ndarray[Any, Any]) -> str:
    """An initialiser of two dimensions."""
    cell = float.hex if values.dtype.kind == "f" else str
    lines = ("{" + ", ".join(cell(v) for v in row.tolist()) + "}" for row in values)
    return "{" + ", ".join(lines) + "}"
