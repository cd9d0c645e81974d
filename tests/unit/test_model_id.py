"""The id of a model: a state that means something else is never taken for one of it."""

import json
from dataclasses import fields, is_dataclass, replace
from typing import Any

import numpy as np
import pytest

from tests.random.networks import network, project_of, samples_of
from tests.support.parts import altered
from tests.unit.test_export import NETS, bytes_of, prepared
from tpsgd_edge.cli.running import run
from tpsgd_edge.errors import DataError
from tpsgd_edge.memory import model_id, model_id_text
from tpsgd_edge.pipeline import export, quantization, simulate
from tpsgd_edge.quantize.model import QuantizedModel
from tpsgd_edge.spec import load_spec
from tpsgd_edge.stages.export import note_of, read_state, write_state
from tpsgd_edge.starter import create_project

# What a state means does not hang on how it goes on learning, nor on where it began.
LEARNING = {
    *("schedule", "gate", "learn_every", "rule", "loss", "rate", "update_shift"),
    *(
        "dead_zone",
        "error_scale",
        "input_gradient",
        "loss_layer",
        "init",
        "raw",
    ),
}
KINDS = ["dense", "a frozen convolution", "leaky, stacked"]


def changed(value: Any) -> Any:
    """A value of the same kind that is another one; None where there is none."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return value + 1
    if isinstance(value, float):
        return value * 1.001 + 1e-3
    if isinstance(value, str):
        return value + "x"
    if isinstance(value, np.ndarray) and value.size:
        other = value.copy()
        is_real = other.dtype.kind == "f"
        other.flat[-1] = other.flat[-1] * 1.001 + 1 if is_real else other.flat[-1] ^ 1
        return other
    if isinstance(value, tuple) and value and not is_dataclass(value[0]):
        return (*value[:-1], changed(value[-1]))
    return None


def one_field_changed(value: Any):
    """The value with each of its fields, and the fields of those, changed in turn."""
    for field in fields(value):
        own = getattr(value, field.name)
        if is_dataclass(own):
            for name, other in one_field_changed(own):
                yield f"{field.name}.{name}", replace(value, **{field.name: other})
        elif isinstance(own, tuple) and own and is_dataclass(own[0]):
            for at, entry in enumerate(own):
                for name, other in one_field_changed(entry):
                    entries = (*own[:at], other, *own[at + 1 :])
                    yield f"{field.name}[{at}].{name}", replace(value, **{field.name: entries})
        elif (other := changed(own)) is not None:
            yield field.name, replace(value, **{field.name: other})


@pytest.mark.parametrize("name", [*KINDS, *range(6)])
def test_every_field_that_gives_a_state_its_meaning_counts(name):
    model = network(name) if isinstance(name, int) else prepared(*NETS[name])[0].model
    own = model_id(model)
    for path, other in one_field_changed(model):
        if path == "scores" and not other.carrying:
            continue  # No layer carries any.
        parts = {part.partition("[")[0] for part in path.split(".")}
        is_learning = bool(parts & LEARNING) or path == "name"
        try:
            found = model_id(other)
        except (KeyError, ValueError, TypeError):
            continue  # Such as a type of numbers that does not exist.
        if is_learning and "init" not in parts:
            assert found == own, path
        elif not is_learning:
            assert found != own, path


def test_constants_of_frozen_layers_count_and_first_weights_do_not():
    model = network(3, value_type="s8", label_kind="class", hidden=[3], stored_weights=True)
    for trains in (True, False):
        layers = (altered(model.layers[0], trains=trains), *model.layers[1:])
        one = replace(model, layers=layers)
        init = replace(layers[0].init, w=layers[0].init.w ^ 1)
        other = replace(model, layers=(replace(layers[0], init=init), *layers[1:]))
        assert (model_id(one) == model_id(other)) is trains


def test_the_id_is_the_same_in_header_and_manifest():
    model: QuantizedModel = network(4)
    files = project_of(model, *samples_of(model, 1)).files
    assert f"#define NET_MODEL_ID {model_id_text(model)}u\n" in files["net.h"]
    assert json.loads(files["manifest.json"])["model_id"] == model_id_text(model)


# ------------------------------------------------------------------ dumps


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A starter's folder with a trained state."""
    folder = tmp_path_factory.mktemp("starter")
    create_project("net", folder / "net")
    simulate(spec_of(folder / "net"), weights_out=folder / "net" / "w.bin")
    return folder / "net"


SCALED = ("data.scaling=none",)


def spec_of(folder, *overrides):
    return load_spec(folder / "net.toml", ["platform.name=host", "rule.epochs=1", *overrides])


def test_a_state_of_other_scales_is_refused(trained):
    weights, onnx = trained / "w.bin", trained / "out.onnx"
    assert export(spec_of(trained), weights=weights, onnx=onnx).knows_model
    before = onnx.read_bytes()
    for read in (export, quantization):
        options = {"onnx": onnx} if read is export else {}
        with pytest.raises(DataError, match="the dump is of another model") as caught:
            read(spec_of(trained, *SCALED), weights=weights, **options)
        assert "use the spec and the data that the firmware was built from" in str(caught.value)
    assert onnx.read_bytes() == before
    # How it learned is another matter.
    assert export(
        spec_of(trained, "rule.learning_rate=0.02"), weights=weights, onnx=onnx
    ).knows_model


def test_a_bare_dump_is_checked_against_the_id_of_the_header(trained, capsys):
    bare = trained / "bare.bin"
    bare.write_bytes((trained / "w.bin").read_bytes())
    own = json.loads(note_of(trained / "w.bin").read_text())["model_id"]
    arguments = ["export", str(trained / "net.toml"), "--weights", str(bare)]
    arguments += ["--onnx", str(trained / "o.onnx"), "--set", "platform.name=host"]
    assert run(arguments) == 0
    assert "--model-id takes MODEL_ID of the firmware's header" in " ".join(
        capsys.readouterr().out.split()
    )
    assert run([*arguments, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["model_id_checked"] is False
    for text in (own, f"{own}u", str(int(own, 16))):
        assert run([*arguments, "--model-id", text, "--json"]) == 0
        assert json.loads(capsys.readouterr().out)["model_id_checked"] is True
    assert run([*arguments, "--model-id", "0x1"]) == 2
    assert "model id 0x00000001, this spec makes" in capsys.readouterr().err
    assert run([*arguments, "--model-id", own, "--set", "data.scaling=none"]) == 2


@pytest.mark.parametrize(
    "note",
    [
        None,
        "",
        "{",
        "[]",
        '{"model_id": 3}',
        '{"model_id": "zz", "sha256": "OWN"}',
        '{"model_id": "0x1", "sha256": "00"}',
        "[" * 60_000,
        "9" * 70_000,
    ],
)
def test_a_note_that_is_none_says_nothing(tmp_path, note):
    ready, reference = prepared(*NETS["dense"])
    raw = bytes_of(ready.model, reference.state())
    path = tmp_path / "w.bin"
    write_state(ready, raw, path)
    assert read_state(ready, path)[1]
    if note is None:
        note_of(path).unlink()
    else:
        own = json.loads(note_of(path).read_text())["sha256"]
        note_of(path).write_text(note.replace("OWN", own))
    assert not read_state(ready, path)[1]


def test_a_note_of_other_bytes_is_not_believed(tmp_path):
    ready, reference = prepared(*NETS["dense"])
    path = tmp_path / "w.bin"
    write_state(ready, bytes_of(ready.model, reference.state()), path)
    state = {**reference.state()}
    state["a.b"] = state["a.b"] + 1
    path.write_bytes(bytes_of(ready.model, state))
    assert not read_state(ready, path)[1]
