"""Names of classes in what is written: header, C, README, manifest, ONNX."""

import json
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.random.networks import project_of, samples_of
from tests.support.models import random_model
from tpsgd_edge.codegen import CProject
from tpsgd_edge.codegen.classes import c_constant, class_views
from tpsgd_edge.errors import DataError
from tpsgd_edge.frontend.metadata import class_metadata, class_names
from tpsgd_edge.quantize import QuantizedModel
from tpsgd_edge.spec import load_spec, spec_from_dict
from tpsgd_edge.stages import prepare, render_project
from tpsgd_edge.stages.export import onnx_of
from tpsgd_edge.toolchain.compilers import find_zig
from tpsgd_edge.toolchain.folder import write_project

# Names that are hard to write in C, in comments, in Markdown and on a terminal.
HARD = (
    "T-shirt",
    "t shirt",
    "*/ int evil; /*",
    '"quoted" \\',
    "größe",
    "猫",
    "line\nbreak\x1b[2J",
    "??/ `code` | cell",
    "names",
    "-1",
    "1",
    "a" * 80,
)


def model_with(names: tuple[str, ...]) -> QuantizedModel:
    model = random_model(
        np.random.default_rng(2),
        value_type="s8",
        label_kind="class",
        hidden=[4],
        label_count=len(names),
    )
    count = model.labels.count
    return replace(model, labels=replace(model.labels, names=names[:count]))


def project(model: QuantizedModel) -> CProject:
    x, labels = samples_of(model, 1)
    return project_of(model, x[:3], labels[:3])


@pytest.mark.parametrize(
    ("name", "constant"),
    [
        ("3", "3"),
        ("-1", "MINUS_1"),
        ("T-shirt", "T_SHIRT"),
        ("ankle boot", "ANKLE_BOOT"),
        ("Größe (m)", "GROSSE_M"),
        ("猫", ""),
        ("__a__", "A"),
        ("a" * 80, "A" * 31),
    ],
)
def test_constants(name: str, constant: str) -> None:
    assert c_constant(name) == constant


def test_constants_of_a_model_differ() -> None:
    model = model_with(HARD)
    names = (*HARD, "T.SHIRT", "T_SHIRT_2", "5")
    views = class_views(replace(model, labels=replace(model.labels, names=names)))
    constants = [view.constant for view in views]
    assert len(set(constants)) == len(constants) == len(names)
    assert all(c and c.replace("_", "a").isalnum() and c.isascii() for c in constants)
    assert [view.index for view in views] == list(range(len(names)))


_MAIN = """
#include <stdio.h>

#include "net.h"

int main(void)
{
    for (uint16_t k = 0; k <= NET_N_LABELS; k++) {
        printf("%s%c", net_class_name(k), 0);
    }
    printf("%d %d", LAST, NET_N_LABELS - 1);
    return 0;
}
"""
STRICT = "-std=c11 -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Werror -DNET_WITH_CLASS_NAMES"


@pytest.mark.skipif(find_zig() is None, reason="zig is not installed")
@pytest.mark.parametrize("flags", ["", "-DNET_INFERENCE_ONLY"])
def test_c_says_the_names(tmp_path: Path, flags: str) -> None:
    model = model_with(HARD)
    made = project(model)
    write_project(made.files, tmp_path)
    names, last = model.labels.names, class_views(model)[-1].constant
    (tmp_path / "main.c").write_text(_MAIN.replace("LAST", f"NET_CLASS_{last}"))
    command = [*(find_zig() or ()), "cc", *STRICT.split(), *flags.split(), "-I.", "main.c"]
    command += [*made.sources, "-o", "main"]
    subprocess.run(command, cwd=tmp_path, check=True, timeout=300)
    done = subprocess.run([str(tmp_path / "main")], capture_output=True, check=True, timeout=60)
    *said, constants = done.stdout.split(b"\0")
    assert [name.decode() for name in said] == [*names, ""]
    assert constants == f"{len(names) - 1} {len(names) - 1}".encode()


def test_files_say_the_names() -> None:
    model = model_with(HARD)
    files = project(model).files
    header = files["net.h"]
    assert "    NET_CLASS_T_SHIRT = 0, /* T-shirt */\n" in header
    assert "    NET_CLASS_T_SHIRT_2 = 1, /* t shirt */\n" in header
    assert "#ifdef NET_WITH_CLASS_NAMES\n" in header
    names = json.loads(files["manifest.json"])["labels"]["names"]
    assert names == list(model.labels.names)
    assert "0 `T-shirt`, 1 `t shirt`" in files["README.md"]
    assert not any("\x1b" in text for text in files.values())


def test_vectors_and_nameless_classes_have_no_constants() -> None:
    for model in (
        random_model(np.random.default_rng(2), value_type="s8", label_kind="vector", hidden=[4]),
        replace(model_with(HARD), labels=replace(model_with(HARD).labels, names=())),
    ):
        files = project(model).files
        assert "CLASS" not in files["net.h"]
        assert "class_name" not in files["net.c"]


def test_a_spec_gives_names_to_the_header() -> None:
    examples = Path(__file__).parents[2] / "examples"
    prepared = prepare(load_spec(examples / "digits.toml", ["platform.name=host"]))
    assert prepared.model.labels.names == tuple("0123456789")
    assert "    DIGITS_CLASS_3 = 3,\n" in render_project(prepared).files["digits.h"]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[",
        "{}",
        "3",
        "[1, 2]",
        '["a", "a"]',
        '["a"]',
        "[" * 100_000,
        json.dumps([str(at) for at in range(70_000)]),
        '["' + "a" * (1 << 20) + '", "b"]',
    ],
)
def test_metadata_that_names_no_classes(text: str) -> None:
    assert class_names({"classes": text}) is None


def test_metadata_goes_both_ways() -> None:
    assert class_names(class_metadata(HARD)) == HARD
    assert class_metadata(()) == {}
    assert class_names({}) is None


def spec_of(folder: Path, model: dict[str, Any], file: str, **data: Any) -> Any:
    content = {
        "name": "net",
        "model": model,
        "data": {"file": file, "scaling": "none", **data},
        "rule": {"learning_rate": 0.01},
        "numbers": {"weights": "f32"},
    }
    return spec_from_dict(content, folder=folder)


def test_an_exported_net_keeps_the_order_of_its_classes(tmp_path: Path) -> None:
    onnx = pytest.importorskip("onnx")
    rng = np.random.default_rng(3)
    names = np.array(["up", "down", "left"])
    x, y = rng.normal(size=(60, 4)).astype(np.float32), np.arange(60) % 3
    np.savez(tmp_path / "text.npz", x=x, y=names[y])
    np.savez(tmp_path / "numbers.npz", x=x, y=y)
    np.savez(tmp_path / "others.npz", x=x, y=np.array(["a", "b", "c"])[y])
    layers = {"layers": [{"name": "out", "units": 3}]}
    trained = prepare(spec_of(tmp_path, layers, "text.npz", classes=names.tolist()))
    state = {
        "out.w": np.eye(3, 4, dtype=np.float32),
        "out.b": np.zeros(3, np.float32),
        "step": np.uint32(0),
        "rng": np.uint32(0),
    }
    raw = onnx_of(trained, state)
    (tmp_path / "net.onnx").write_bytes(raw)
    model = onnx.load_from_string(raw)
    assert {e.key: e.value for e in model.metadata_props} == {"classes": '["up", "down", "left"]'}
    assert onnx_of(trained, state) == raw

    source = {"source": "net.onnx"}
    for file in ("text.npz", "numbers.npz"):
        dataset = prepare(spec_of(tmp_path, source, file)).dataset
        assert dataset.class_names == ("up", "down", "left")
        assert dataset.said.notes == ()
    dataset = prepare(spec_of(tmp_path, source, "text.npz", classes=names[::-1].tolist())).dataset
    assert dataset.class_names == ("left", "down", "up")
    notes = prepare(spec_of(tmp_path, source, "others.npz")).dataset.said.notes
    assert "'net.onnx' names other classes (up, down, left) than the data have" in notes[0]
    assert "names of classes are sorted" in notes[1]
    with pytest.raises(DataError, match=r"the label .up. is not among"):
        prepare(spec_of(tmp_path, source, "text.npz", classes=["a", "down", "left"]))


def test_new_classes_come_behind_those_of_a_source(tmp_path: Path) -> None:
    pytest.importorskip("onnx")
    rng = np.random.default_rng(3)
    x, y = rng.normal(size=(60, 4)).astype(np.float32), np.arange(60) % 3
    np.savez(tmp_path / "old.npz", x=x, y=np.array(["up", "down", "left"])[y])
    np.savez(tmp_path / "new.npz", x=x, y=np.array(["up", "back", "left"])[y])
    layers = {"layers": [{"name": "out", "units": 3}]}
    trained = prepare(spec_of(tmp_path, layers, "old.npz", classes=["up", "down", "left"]))
    state = {
        "out.w": np.eye(3, 4, dtype=np.float32),
        "out.b": np.zeros(3, np.float32),
        "step": np.uint32(0),
        "rng": np.uint32(0),
    }
    (tmp_path / "net.onnx").write_bytes(onnx_of(trained, state))
    source = {"source": "net.onnx", "extra_classes": 2}
    dataset = prepare(spec_of(tmp_path, source, "new.npz")).dataset
    assert dataset.class_names == ("up", "down", "left", "back", "extra 1")
