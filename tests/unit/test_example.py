"""`tpsgd-edge example`: a program that compiles without a warning and has the reference's bits."""

import json
import subprocess
from pathlib import Path

import numpy as np
import pytest

from tpsgd_edge import build
from tpsgd_edge.cli import run
from tpsgd_edge.codegen.example import EPOCHS, _string
from tpsgd_edge.errors import SpecError, ToolError
from tpsgd_edge.frontend.data import load_dataset
from tpsgd_edge.memory import digest_order
from tpsgd_edge.quantize import quantize_inputs, quantize_labels
from tpsgd_edge.reference import Reference
from tpsgd_edge.spec import Spec, spec_from_dict
from tpsgd_edge.stages import prepare
from tpsgd_edge.stages.example import example_program, some_of_each
from tpsgd_edge.toolchain.compilers import find_compiler
from tpsgd_edge.toolchain.platforms import load_platform
from tpsgd_edge.trace import digest

DENSE = [{"name": "a", "units": 8}, {"name": "out", "units": 3}]
CONV = [
    {"name": "a", "kind": "conv2d", "filters": 4, "padding": "same"},
    {"kind": "max_pool"},
    {"name": "out", "units": 3},
]
RNN = [{"name": "a", "kind": "gru", "units": 8}, {"name": "out", "units": 3}]
CASES = {
    "standard s16": (DENSE, (5,), "class", {"scaling": "standard"}, {}),
    "unit s8": (DENSE, (5,), "class", {"scaling": "unit"}, {"weights": "s8"}),
    "raw f32": (DENSE, (5,), "class", {"scaling": "none"}, {"weights": "f32"}),
    "wide inputs": (DENSE, (5,), "class", {}, {"activations": "s16"}),
    "values s16": (DENSE, (5,), "vector", {"scaling": "standard"}, {}),
    "values f32": (DENSE, (5,), "vector", {"scaling": "standard"}, {"weights": "f32"}),
    "images": (CONV, (8, 8, 2), "class", {"scaling": "standard_channels"}, {}),
    "bytes": (DENSE, (5,), "class", {"raw": "uint8"}, {}),
    "int16 values": (DENSE, (5,), "vector", {"raw": "int16"}, {}),
    "sequences": (RNN, (6, 3), "class", {"scaling": "standard_all"}, {}),
}


def make_spec(folder: Path, case: str) -> Spec:
    layers, shape, kind, data, numbers = CASES[case]
    rng = np.random.default_rng(1)
    x = (rng.standard_normal((40, *shape)) * 7 + 3).astype(np.float32)
    if "raw" in data:
        x = np.abs(np.rint(x))
    y = rng.standard_normal((40, 3)) * 5 if kind == "vector" else np.array(["a", "b\n", 'ü"?'])
    np.savez(folder / "own.npz", x=x, y=y if kind == "vector" else y[np.arange(40) % 3])
    content = {
        "name": "net",
        "model": {"layers": layers},
        "numbers": numbers,
        "data": {"file": "own.npz", **data},
    }
    return spec_from_dict(content, folder=folder, source="net.toml")


def expected_digest(spec: Spec, epochs: int = EPOCHS) -> int:
    """The reference after the example's training steps."""
    prepared = prepare(spec)
    chosen = some_of_each(prepared.dataset)
    x = quantize_inputs(prepared.model, prepared.dataset.x_train[chosen])
    labels = quantize_labels(prepared.model, prepared.dataset.y_train[chosen])
    reference = Reference(prepared.model)
    for _ in range(epochs):
        for sample, label in zip(x, labels, strict=True):
            reference.train_step(sample, label)
    state = reference.state()
    return digest(state[name] for name in digest_order(prepared.model))


@pytest.mark.series(1)
@pytest.mark.parametrize("case", CASES)
def test_the_program_computes_what_the_reference_does(case, tmp_path):
    try:
        compiler = find_compiler(load_platform("host"), "gcc")
    except ToolError as error:
        pytest.skip(str(error))
    spec = make_spec(tmp_path, case)
    build(spec, out=tmp_path / "net", compile=False)
    (tmp_path / "main.c").write_text(example_program(spec), encoding="utf-8")
    sources = sorted((tmp_path / "net").glob("*.c"))
    flags = ["-std=c11", "-O1", "-ffp-contract=off", "-Wall", "-Wextra", "-Wshadow", "-Werror"]
    command = [*compiler.command, *flags, "-I", tmp_path / "net", tmp_path / "main.c", *sources]
    subprocess.run([*command, "-o", tmp_path / "demo"], check=True, timeout=120)
    done = subprocess.run([tmp_path / "demo"], check=True, capture_output=True, timeout=60)
    *answers, last = done.stdout.decode().splitlines()
    assert last == f"digest 0x{expected_digest(spec):08x}"
    assert sum("answered" in line for line in answers) >= len(some_of_each(load_dataset(spec)))


def test_some_of_each_class_are_shown(tmp_path):
    dataset = load_dataset(make_spec(tmp_path, "standard s16"))
    chosen = some_of_each(dataset)
    assert np.bincount(dataset.y_train[chosen]).tolist() == [4, 4, 4]
    wide = make_spec(tmp_path, "images").model_copy()
    assert len(some_of_each(load_dataset(wide))) == 12


def test_names_cannot_leave_their_string():
    assert _string('a"b\\c?\n') == r'"a\042b\134c\077\012"'
    assert _string("ü1") == r'"\303\2741"'


def test_labels_of_each_step_are_refused(tmp_path):
    spec = make_spec(tmp_path, "sequences")
    x = np.zeros((40, 6, 3), np.float32) + np.arange(40)[:, None, None]
    np.savez(tmp_path / "own.npz", x=x, y=np.arange(240).reshape(40, 6) % 3)
    with pytest.raises(SpecError, match="a label for each step"):
        example_program(spec)


def test_the_command_prints_it(tmp_path, capsys):
    assert run(["new", "first", "--out", str(tmp_path / "first")]) == 0
    capsys.readouterr()
    spec = str(tmp_path / "first" / "first.toml")
    assert run(["example", spec]) == 0
    text = capsys.readouterr().out
    assert '#include "first_raw.h"' in text
    assert '"blue", "green", "red",' in text
    assert max(map(len, text.splitlines())) <= 120
    assert run(["example", spec, "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"main.c": text}
