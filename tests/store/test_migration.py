"""What was learned, carried over to another spec: the same numbers in other scales, or why not."""

import json
from pathlib import Path

import numpy as np
import pytest

from tpsgd_edge.cli import run
from tpsgd_edge.errors import DataError
from tpsgd_edge.memory import model_id, state_layout
from tpsgd_edge.memory.checkpoint import newest
from tpsgd_edge.memory.dump import read_dump
from tpsgd_edge.migration import migrate
from tpsgd_edge.quantize import quantize_inputs, quantize_labels
from tpsgd_edge.quantize.restore import unit_weights
from tpsgd_edge.reference import Reference
from tpsgd_edge.spec import load_spec
from tpsgd_edge.stages import prepare
from tpsgd_edge.stages.export import write_state
from tpsgd_edge.stages.migration import migrate_state

GOLDEN = Path(__file__).parent.parent / "golden"
_MAPS = """
name = "maps"
[model]
layers = [
    { name = "c1", kind = "conv2d", filters = 3, kernel = [3, 3], padding = "same" },
    { name = "p1", kind = "max_pool", size = [2, 2] },
    { name = "fc", units = 2 },
]
[data]
file = "maps.npz"
"""
_RECURRENT = """
name = "waves"
[model]
layers = [{ name = "r1", kind = "KIND", units = 6 }, { name = "fc", units = 2 }]
[data]
file = "waves.npz"
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder with data and specs of every kind."""
    monkeypatch.chdir(tmp_path)
    for path in GOLDEN.glob("*.*"):
        if path.suffix in (".toml", ".csv"):
            (tmp_path / path.name).write_bytes(path.read_bytes())
    rng = np.random.default_rng(1)
    y = np.arange(60) % 2
    np.savez("maps.npz", x=rng.normal(size=(60, 6, 6, 1)) + y[:, None, None, None], y=y)
    np.savez("waves.npz", x=rng.normal(size=(60, 5, 2)) + y[:, None, None], y=y)
    Path("maps.toml").write_text(_MAPS)
    for kind in ("rnn", "gru", "lstm"):
        Path(f"{kind}.toml").write_text(_RECURRENT.replace("KIND", kind))
    return tmp_path


def changed(name: str, *changes: tuple[str, str]) -> Path:
    """A spec beside another one, with other texts in it."""
    text = Path(f"{name}.toml").read_text()
    for old, new in changes:
        assert old in text, old
        text = text.replace(old, new)
    path = Path("new.toml")
    path.write_text(text)
    return path


def trained(path: Path | str, steps: int = 30):
    """What is prepared of a spec, and the state after some steps."""
    ready = prepare(load_spec(Path(path)))
    reference = Reference(ready.model)
    x = quantize_inputs(ready.model, ready.dataset.x_train)
    labels = quantize_labels(ready.model, ready.dataset.y_train)
    for step in range(steps):
        label = labels[step % len(x)]
        reference.train_step(x[step % len(x)], int(label) if label.ndim == 0 else label)
    return ready, reference.state()


def assert_same_numbers(old, state, new, made, but: tuple[str, ...] = ()) -> None:
    """Weights stand for the same real numbers, to half a step of the new scale."""
    before = {unit.name: unit for unit in old.weighted}
    for unit in new.trainable:
        if unit.name in but:
            continue
        was, now = unit_weights(before[unit.name], state), unit_weights(unit, made)
        step_w = 0 if unit.weight_type == "f32" else unit.numbers.weight_scale / 2
        step_b = 0 if unit.weight_type == "f32" else unit.numbers.bias_scale / 2
        assert np.abs(was.w - now.w).max() <= step_w + 1e-6 * np.abs(was.w).max(), unit.name
        assert np.abs(was.b - now.b).max() <= step_b + 1e-6 * np.abs(was.b).max(), unit.name


@pytest.mark.parametrize("name", ["classes", "regression", "maps", "rnn", "gru", "lstm"])
def test_the_same_spec_gives_the_same_state(folder, name):
    ready, state = trained(f"{name}.toml")
    made = migrate_state(ready.model, state, ready.model)
    for tensor, values in state.items():
        assert np.array_equal(made.state[tensor], values), tensor
    assert {layer.words for layer in made.layers} == {"as it was"}
    assert sum(layer.clipped for layer in made.layers) == 0


CHANGES = {
    "classes": [("[data]", '[numbers]\nweights = "s8"\n[data]')],
    "regression": [('weights = "f32"', 'weights = "s16"\nactivations = "s16"')],
    "maps": [("[data]", '[numbers]\nweights = "s8"\n[data]')],
    "rnn": [("[data]", '[numbers]\nweights = "f32"\n[data]')],
    "gru": [("[data]", '[numbers]\nactivations = "s16"\n[data]')],
}


@pytest.mark.parametrize("name", CHANGES)
def test_other_formats_keep_the_numbers(folder, name):
    old, state = trained(f"{name}.toml")
    new = prepare(load_spec(changed(name, *CHANGES[name])))
    assert model_id(old.model) != model_id(new.model)
    made = migrate_state(old.model, state, new.model)
    assert sum(layer.clipped for layer in made.layers) == 0
    assert_same_numbers(old.model, state, new.model, made.state)
    again = read_dump(new.model, made.raw, where="made")
    assert int(again["step"]) == int(state["step"]) >= 30
    # The new firmware goes on from it, and answers nearly always as the old one did.
    reference = Reference(new.model)
    reference.load_state(again)
    before = Reference(old.model)
    before.load_state(state)
    if old.model.labels.kind == "class":
        x = old.dataset.x_train
        pairs = zip(quantize_inputs(old.model, x), quantize_inputs(new.model, x), strict=True)
        same = [before.output(a).argmax() == reference.output(b).argmax() for a, b in pairs]
        assert np.mean(same) > 0.9


def test_new_classes_begin_with_the_mean_and_are_not_answered(folder):
    old, state = trained("classes.toml", 200)
    path = changed(
        "classes",
        ('{ name = "fc2", units = 3 }', '{ name = "fc2", units = 5 }'),
        ("[data]", '[data]\nclasses = ["square", "round", "long", "notched", "tiny"]'),
    )
    new = prepare(load_spec(path))
    made = migrate_state(old.model, state, new.model)
    assert [layer.words for layer in made.layers][-1] == "3 classes kept, 2 new"
    # The old order is that of the alphabet: long, notched, round.
    was = unit_weights(old.model.last, state)
    now = unit_weights(new.model.last, made.state)
    half = new.model.last.numbers.weight_scale / 2 + 1e-9
    assert np.abs(now.w[[2, 3, 1]] - was.w).max() <= half
    assert np.abs(now.w[[0, 4]] - was.w.mean(axis=0)).max() <= half
    assert_same_numbers(old.model, state, new.model, made.state, but=("fc2",))
    reference = Reference(new.model)
    reference.load_state(made.state)
    answers = {
        int(reference.output(x).argmax()) for x in quantize_inputs(new.model, old.dataset.x_train)
    }
    assert answers <= {1, 2, 3}


def test_classes_that_were_taught_on_the_device_keep_their_place(folder):
    path = changed("classes", ("[rule]", "extra_classes = 1\n[rule]"))
    old, state = trained(path)
    assert old.model.n_out == 4
    new = prepare(
        load_spec(
            changed(
                "classes",
                ('{ name = "fc2", units = 3 }', '{ name = "fc2", units = 4 }'),
                ("[data]", '[data]\nclasses = ["long", "notched", "round", "square"]'),
            )
        )
    )
    made = migrate_state(old.model, state, new.model)
    assert_same_numbers(old.model, state, new.model, made.state)


def test_learned_read_outs_follow_their_classes(folder):
    learned = ("[data]", '[projection]\nkind = "learned"\n[data]')
    old, state = trained(changed("classes", learned))
    new = prepare(
        load_spec(
            changed(
                "classes",
                ('{ name = "fc2", units = 3 }', '{ name = "fc2", units = 4 }'),
                (
                    "[data]",
                    '[projection]\nkind = "learned"\n'
                    '[data]\nclasses = ["round", "long", "notched", "x"]',
                ),
            )
        )
    )
    made = migrate_state(old.model, state, new.model).state["fc1.p"]
    assert np.array_equal(made[:, [1, 2, 0]], state["fc1.p"])
    assert np.array_equal(made[:, 3], Reference(new.model).state()["fc1.p"][:, 3])


@pytest.mark.parametrize("name", ["classes", "regression"])
def test_samples_and_values_that_are_scaled_otherwise(folder, name):
    """What is learned on samples in other units answers the same for the same raw samples."""
    old, state = trained(f"{name}.toml")
    scaling = '[data]\nscaling = "standard"' if name == "classes" else ""
    change = ("[data]", scaling) if scaling else ('scaling = "standard"', 'scaling = "none"')
    new = prepare(load_spec(changed(name, change)))
    made = migrate_state(old.model, state, new.model)
    assert made.layers[0].words == "for other scaled samples"
    outputs = []
    for ready, values in ((old, state), (new, made.state)):
        inputs, first = ready.model.inputs, ready.model.layers[0]
        x = (old.dataset.x_train - inputs.mean) / inputs.std
        real = unit_weights(first, values)
        outputs.append(x @ real.w.T + real.b)
    scale = np.abs(outputs[0]).max()
    assert np.abs(outputs[0] - outputs[1]).max() < (1e-5 if name == "regression" else 0.02) * scale


REFUSED = {
    "another width": (
        "classes",
        [('"fc1", units = 6', '"fc1", units = 7')],
        ["'fc1' was 3 to 6, and is 3 to 7", "'fc2' was 6 to 3, and is 7 to 3"],
    ),
    "another activation": (
        "classes",
        [('"fc1", units = 6', '"fc1", units = 6, activation = "relu"')],
        ["'fc1' was tanh, and is relu or set otherwise"],
    ),
    "a new layer": (
        "classes",
        [('{ name = "fc2"', '{ name = "fc", units = 6 },\n    { name = "fc2"')],
        ["'fc' is a new layer"],
    ),
    "a layer less": (
        "classes",
        [('    { name = "fc1", units = 6 },\n', "")],
        ["'fc1' is no layer of the new spec", "'fc2' was 6 to 3, and is 3 to 3"],
    ),
    "another name": (
        "classes",
        [('"fc1"', '"first"')],
        ["'fc1' is no layer of the new spec", "'first' is a new layer"],
    ),
    "another kind": (
        "maps",
        [('kind = "max_pool"', 'kind = "avg_pool"')],
        ["'p1' was max_pool, and is average_pool"],
    ),
    "another kernel": (
        "maps",
        [("kernel = [3, 3]", "kernel = [1, 9]"), ('padding = "same"', "padding = [0, 4]")],
        ["'c1' has another shape"],
    ),
    "other scaling of maps": (
        "maps",
        [("[data]", '[data]\nscaling = "unit"')],
        ["samples are scaled otherwise, which 'c1' cannot make up for"],
    ),
    "an rnn for a gru": ("gru", [('"gru"', '"rnn"')], ["'r1' was gru, and is rnn"]),
    "frozen": (
        "classes",
        [('"fc1", units = 6', '"fc1", units = 6, train = false')],
        ["'fc1' no longer learns: its weights lie in flash"],
    ),
}


@pytest.mark.series(4)
@pytest.mark.parametrize("name", REFUSED)
def test_what_does_not_fit_is_said_layer_by_layer(folder, name):
    spec, changes, reasons = REFUSED[name]
    old, state = trained(f"{spec}.toml")
    new = prepare(load_spec(changed(spec, *changes)))
    with pytest.raises(DataError) as caught:
        migrate_state(old.model, state, new.model)
    found = caught.value.found.split("; ")
    assert set(reasons) <= set(found)
    assert caught.value.where == f"{len(found)} reason{'s' * (len(found) > 1)}"
    assert f"what '{old.model.name}' has learned cannot be carried over" in str(caught.value)
    assert "export the net as ONNX" in str(caught.value)


def test_a_class_that_is_gone_is_named(folder):
    path = changed(
        "classes",
        ('{ name = "fc2", units = 3 }', '{ name = "fc2", units = 4 }'),
        ("[data]", '[data]\nclasses = ["long", "notched", "round", "square"]'),
    )
    old, state = trained(path)
    new = prepare(load_spec(Path("classes.toml")))
    with pytest.raises(DataError) as caught:
        migrate_state(old.model, state, new.model)
    assert (
        "a class is missing: long, notched, round, square before, long, notched, round now"
        in str(caught.value)
    )


def test_the_command_writes_a_checkpoint_that_the_new_spec_takes(folder, capsys):
    old, state = trained("classes.toml")
    write_state(old, state_layout(old.model).write(state), Path("dump.bin"))
    changed("classes", ("seed = 7", "seed = 9"))
    words = ["migrate", "classes.toml", "new.toml", "dump.bin", "--out", "new.bin"]
    assert run(words) == 0
    out = capsys.readouterr().out
    assert "fc1" in out
    assert "30 steps" in out
    new = prepare(load_spec(Path("new.toml")))
    raw = Path("new.bin").read_bytes()
    layout = state_layout(new.model)
    assert newest(raw, model_id(new.model), layout.used_bytes, where="new.bin").step == 30
    assert run(["verify", "new.toml", "--steps", "5", "--weights-in", "new.bin"]) == 0
    capsys.readouterr()
    assert run([*words, "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["bytes"] == len(raw)
    assert document["model_id"] == f"0x{model_id(new.model):08X}"
    assert [layer["layer"] for layer in document["layers"]] == ["fc1", "fc2"]


def test_an_input_is_never_overwritten(folder):
    old, state = trained("classes.toml")
    write_state(old, state_layout(old.model).write(state), Path("dump.bin"))
    specs = [load_spec(Path("classes.toml"))] * 2
    before = Path("dump.bin").read_bytes()
    with pytest.raises(Exception, match=r"dump\.bin"):
        migrate(*specs, weights=Path("dump.bin"), out=Path("dump.bin"))
    assert Path("dump.bin").read_bytes() == before
