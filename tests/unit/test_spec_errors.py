"""Every way to get a spec wrong, and the words that it ends in."""

import contextlib
import copy
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tpsgd_edge.errors import SpecError
from tpsgd_edge.spec import check_labels_kind, load_spec, spec_from_dict

GOOD: dict[str, Any] = {
    "name": "digits",
    "model": {"layers": [{"name": "fc1", "units": 32}, {"name": "fc2", "units": 10}]},
    "data": {"file": "digits.npz"},
}


def changed(*changes: tuple[str, Any]) -> dict[str, Any]:
    """GOOD with values put at dotted paths."""
    content = copy.deepcopy(GOOD)
    for path, value in changes:
        place: Any = content
        *steps, last = path.split(".")
        for step in steps:
            place = place[int(step)] if step.isdigit() else place.setdefault(step, {})
        place[int(last) if last.isdigit() else last] = value
    return content


def error_of(*changes: tuple[str, Any]) -> str:
    with pytest.raises(SpecError) as error:
        spec_from_dict(changed(*changes), source="digits.toml")
    assert error.value.exit_code == 2
    return str(error.value)


def test_the_good_one_is_good() -> None:
    assert spec_from_dict(GOOD).name == "digits"


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (
            "model.layers.0.activaton",
            "tanh",
            "unknown key 'activaton'\n"
            "  where: digits.toml, [model], layer 'fc1'\n"
            "  help:  did you mean 'activation'?",
        ),
        (
            "rule.momentum",
            0.9,
            "unknown key 'momentum'\n"
            "  where: digits.toml, [rule]\n"
            "  help:  known: kind, loss, output_loss, learning_rate, step_size, "
            "output_learning_rate, schedule, final_rate, epochs, dead_zone, error_gate, "
            "learn_every",
        ),
        (
            "modle",
            {},
            "unknown key 'modle'\n  where: digits.toml\n  help:  did you mean 'model'?",
        ),
        (
            "model.layers.1.units",
            0,
            "'units' is out of range\n"
            "  where: digits.toml, [model], layer 'fc2'\n"
            "  found: units = 0\n"
            "  help:  allowed: at least 1, at most 65,535",
        ),
        (
            "model.layers.1.units",
            "10",
            "'units' must be a whole number\n"
            "  where: digits.toml, [model], layer 'fc2'\n"
            '  found: units = "10"\n'
            "  help:  write units = 10, without quotes",
        ),
        (
            "model.layers.1.units",
            2.5,
            "'units' must be a whole number\n"
            "  where: digits.toml, [model], layer 'fc2'\n"
            "  found: units = 2.5",
        ),
        (
            "model.layers.1.units",
            True,
            "'units' must be a whole number\n"
            "  where: digits.toml, [model], layer 'fc2'\n"
            "  found: units = true",
        ),
        (
            "data.file",
            3,
            "'file' must be text\n"
            "  where: digits.toml, [data]\n"
            "  found: file = 3\n"
            '  help:  write file = "3", in quotes',
        ),
        (
            "data",
            3,
            "'data' must be a table of keys\n  where: digits.toml\n  found: data = 3",
        ),
        (
            "model.layers",
            {},
            "'layers' must be a list\n  where: digits.toml, [model]\n  found: layers = a table",
        ),
        (
            "model.layers",
            [],
            "'layers' has too few or too many entries\n"
            "  where: digits.toml, [model]\n"
            "  help:  allowed: 1 to 64 entries",
        ),
        (
            "model.layers.0",
            "fc1",
            "'layers[0]' must be a table of keys\n"
            "  where: digits.toml, [model], layers[0]\n"
            '  found: layers[0] = "fc1"',
        ),
        (
            "numbers.weights",
            "s18",
            "unknown value of 'weights'\n"
            "  where: digits.toml, [numbers]\n"
            '  found: weights = "s18"\n'
            "  help:  did you mean 's8'? allowed: s16, s8, f32",
        ),
        (
            "rule.loss",
            "hubert",
            "unknown value of 'kind'\n"
            "  where: digits.toml, [rule], loss\n"
            '  found: kind = "hubert"\n'
            "  help:  did you mean 'huber'? allowed: projected_cross_entropy, projected_l2, l2, "
            "l1, huber, dead_zone, cross_entropy, custom, softmax_cross_entropy",
        ),
        (
            "rule.learning_rate",
            float("nan"),
            "'learning_rate' is out of range\n"
            "  where: digits.toml, [rule]\n"
            "  found: learning_rate = nan\n"
            "  help:  allowed: above 0, at most 1,000,000.0",
        ),
        (
            "rule.error_gate",
            1.5,
            "'error_gate' is out of range\n"
            "  where: digits.toml, [rule]\n"
            "  found: error_gate = 1.5\n"
            "  help:  allowed: above 0, at most 1",
        ),
        (
            "seed",
            -1,
            "'seed' is out of range\n"
            "  where: digits.toml\n"
            "  found: seed = -1\n"
            "  help:  allowed: at least 0, at most 4,294,967,295",
        ),
        (
            "platform.ram",
            "20Q",
            "a memory size looks like 20K, 1M or 512, not '20Q'\n"
            "  where: digits.toml, [platform]\n"
            '  found: ram = "20Q"',
        ),
        (
            "platform.flash",
            0,
            "a memory size is a positive number of bytes\n"
            "  where: digits.toml, [platform]\n"
            "  found: flash = 0",
        ),
        (
            "name",
            "My Net",
            "'My Net' is not a lower-case C name: a letter, then up to 30 letters, digits or "
            "underscores\n  where: digits.toml",
        ),
    ],
)
def test_one_mistake(path: str, value: object, message: str) -> None:
    assert error_of((path, value)) == message


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("Fc1", "not a lower-case C name"),
        ("1fc", "not a lower-case C name"),
        ("fc-1", "not a lower-case C name"),
        ("", "not a lower-case C name"),
        ("a" * 32, "not a lower-case C name"),
        ("größe", "not a lower-case C name"),
        ("fc1\n", "not a lower-case C name"),
        ("while", "'while' is a word of the C language"),
        ("rng", "'rng' is taken by the generated code"),
        ("step", "'step' is taken by the generated code"),
        ("int8_t", "'int8_t' is taken by the generated code"),
        ("tps_dense", "'tps_dense' is taken by the generated code"),
    ],
)
def test_layer_names_that_c_does_not_allow(name: str, words: str) -> None:
    assert words in error_of(("model.layers.0.name", name))


def test_model_names_that_hide_a_header() -> None:
    assert "'stdint' is taken: stdint.h would hide another file" in error_of(("name", "stdint"))


def test_layer_names_that_collide() -> None:
    assert "layer names must differ; used twice: fc2" in error_of(("model.layers.0.name", "fc2"))
    message = error_of(("model.layers.0.name", "fc2_w"))
    assert "layer 'fc2_w' has the C name of a tensor of layer 'fc2'" in message


def test_a_gru_owns_the_names_of_its_two_parts() -> None:
    layers = [{"kind": "gru", "name": "g", "units": 4}, {"name": "g_x", "units": 3}]
    for name in ("g_x", "g_h_w"):
        message = error_of(("model.layers", [layers[0], {**layers[1], "name": name}]))
        assert f"layer '{name}' has the C name of a tensor of layer 'g'" in message


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({"negative_slope": 0.1}, "'negative_slope' goes with activation = \"leaky_relu\""),
        ({"negative_slope": 1.0, "activation": "leaky_relu"}, "'negative_slope' is out of range"),
        ({"negative_slope": 0.0, "activation": "leaky_relu"}, "'negative_slope' is out of range"),
    ],
)
def test_slopes_that_no_layer_has(keys: dict[str, Any], words: str) -> None:
    layers = [{"name": "a", "units": 4, **keys}, {"name": "out", "units": 3}]
    assert words in error_of(("model.layers", layers))


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({"reset": "before"}, 'reset = "before" does not learn on the device'),
        ({"activation": "relu"}, "a gru layer has tanh and sigmoid inside: leave activation out"),
        ({"reset": "never"}, "unknown value of 'reset'"),
    ],
)
def test_what_a_gru_cannot_be(keys: dict[str, Any], words: str) -> None:
    gru = {"kind": "gru", "name": "g", "units": 4, **keys}
    assert words in error_of(("model.layers", [gru, {"name": "out", "units": 3}]))


def test_missing_keys_say_what_to_add() -> None:
    with pytest.raises(SpecError) as error:
        spec_from_dict({"model": {"layers": [{"name": "a"}, {"units": 3}]}, "data": {}})
    message = str(error.value)
    assert message.startswith("4 things are wrong in spec\n  1. 'name' is missing\n")
    assert (
        "'units' is missing\n     where: [model], layer 'a'\n     help:  add units = 32" in message
    )
    assert "'name' is missing\n     where: [model], layers[1]" in message
    assert (
        "'file' is missing\n     where: [data]\n     help:  add file = \"my_data.npz\"" in message
    )


def test_an_empty_spec_asks_for_its_sections() -> None:
    with pytest.raises(SpecError) as error:
        spec_from_dict({})
    assert 'add name = "my_model" at the top' in str(error.value)
    assert "add a [model] section with layers" in str(error.value)


def test_all_mistakes_at_once() -> None:
    message = error_of(
        ("rule.learing_rate", 0.1), ("model.layers.0.units", -3), ("platform.ram", "x")
    )
    assert message.startswith("3 things are wrong in digits.toml\n  1. ")
    assert "\n  2. " in message
    assert "\n  3. " in message
    assert "did you mean 'learning_rate'?" in message
    assert "too few" not in message


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (
            [("rule.output_loss", "projected_l2")],
            "the last layer 'fc2' cannot have the loss 'projected_l2'\n"
            "  where: digits.toml, [rule], output_loss, for layer 'fc2'",
        ),
        (
            [("model.layers.1.loss", "projected_l2")],
            "the last layer 'fc2' cannot have the loss 'projected_l2'\n"
            "  where: digits.toml, [model], layer 'fc2'",
        ),
        (
            [("rule.loss", "softmax_cross_entropy")],
            "the hidden layer 'fc1' cannot have the loss 'softmax_cross_entropy'\n"
            "  where: digits.toml, [rule], loss, for layer 'fc1'",
        ),
        (
            [("rule.output_loss", "softmax_cross_entropy"), ("model.layers.1.activation", "tanh")],
            "the loss 'softmax_cross_entropy' of layer 'fc2' needs the activation 'linear'",
        ),
        (
            [("data.task", "classification"), ("model.layers.1.activation", "relu")],
            'found: activation = "relu"',
        ),
        (
            [("rule.loss", "cross_entropy")],
            "the loss 'cross_entropy' of layer 'fc1' needs the activation 'sigmoid'",
        ),
        (
            [("data.task", "regression"), ("rule.output_loss", "softmax_cross_entropy")],
            "the loss 'softmax_cross_entropy' of layer 'fc2' needs classes",
        ),
        (
            [("data.task", "regression"), ("rule.loss", "projected_cross_entropy")],
            'help:  use "projected_l2" for real values',
        ),
        (
            [("rule.error_gate", 0.7), ("rule.output_loss", "l2")],
            "an error gate needs the output loss 'softmax_cross_entropy'",
        ),
        (
            [("rule.error_gate", 0.7), ("data.task", "regression")],
            "found: the last layer has the loss 'l2'",
        ),
        (
            [("model.layers.0.weights", "f32")],
            "f32 and integer layers cannot be mixed\n"
            "  where: digits.toml, [model] and [numbers]\n"
            "  found: fc1 f32, fc2 s16",
        ),
        (
            [("rule.loss", {"kind": "custom"})],
            "a custom loss needs an expression",
        ),
        (
            [("rule.loss", {"kind": "l2", "expression": "r"})],
            "'expression' goes with the loss 'custom', not with 'l2'",
        ),
        (
            [("rule.loss", {"kind": "l2", "delta": 0.5})],
            "'delta' goes with the loss 'huber' or 'dead_zone', not with 'l2'",
        ),
        (
            [("projection", {"kind": "gaussian", "storage": "packed"})],
            '2 bits hold sign and ternary entries; use storage = "s8" or "seed"',
        ),
        (
            [("data.test_labels_file", "y.gz")],
            "test_labels_file goes with a test_file",
        ),
        (
            [("data.file", "fashion-mnist"), ("data.test_file", "t.npz")],
            'file = "fashion-mnist" brings its own labels and test set',
        ),
        (
            [("model.weights_file", "w.npz"), ("model.pretrain", {})],
            "weights come from one place only, not from weights_file and pretrain",
        ),
    ],
)
def test_what_does_not_go_together(changes: list[tuple[str, Any]], words: str) -> None:
    assert words in error_of(*changes)


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        (
            {"kind": "conv2", "name": "conv1", "filters": 3},
            "unknown value of 'kind'\n"
            "  where: digits.toml, [model], layer 'conv1'\n"
            '  found: kind = "conv2"\n'
            "  help:  did you mean 'conv2d'? allowed: dense, adaptor, conv2d, conv1d, rnn, gru, "
            "max_pool, avg_pool, global_avg_pool, flatten",
        ),
        (
            {"kind": 3, "name": "conv1"},
            "unknown value of 'kind'\n"
            "  where: digits.toml, [model], layer 'conv1'\n"
            '  found: kind = "3"\n'
            "  help:  allowed: dense, adaptor, conv2d, conv1d, rnn, gru, max_pool, avg_pool, "
            "global_avg_pool, flatten",
        ),
        (
            {"kind": "conv2d", "name": "conv1"},
            "'filters' is missing\n"
            "  where: digits.toml, [model], layer 'conv1'\n"
            "  help:  add filters = 32",
        ),
        (
            {"kind": "conv2d", "name": "conv1", "filters": 3, "kernal": 3},
            "unknown key 'kernal'\n"
            "  where: digits.toml, [model], layer 'conv1'\n"
            "  help:  did you mean 'kernel'?",
        ),
        (
            {"kind": "conv2d", "name": "conv1", "filters": 0},
            "'filters' is out of range\n"
            "  where: digits.toml, [model], layer 'conv1'\n"
            "  found: filters = 0\n"
            "  help:  allowed: at least 1, at most 65,535",
        ),
        (
            {"kind": "conv2d", "name": "conv1", "filters": 3, "padding": "sane"},
            '\'padding\' is "valid", "same" or numbers of zeros: '
            "1, [1, 2] for rows and columns, or [above, left, below, right]\n"
            "  where: digits.toml, [model], layer 'conv1'\n"
            '  found: padding = "sane"',
        ),
        (
            {"kind": "conv2d", "name": "conv1", "filters": 3, "kernel": [3, 0]},
            "'kernel' looks like 3, or [3, 5] for rows and columns; 1 to 65,535\n"
            "  where: digits.toml, [model], layer 'conv1'\n"
            "  found: kernel = a list of 2",
        ),
        (
            {"kind": "conv2d", "name": "conv1", "filters": 3, "stride": True},
            "'stride' looks like 3, or [3, 5] for rows and columns; 1 to 65,535\n"
            "  where: digits.toml, [model], layer 'conv1'\n"
            "  found: stride = true",
        ),
        (
            {"kind": "conv2d", "name": "conv1", "filters": 3, "groups": "deepwise"},
            "'groups' is a number from 1 to 65,535, or \"depthwise\"\n"
            "  where: digits.toml, [model], layer 'conv1'\n"
            '  found: groups = "deepwise"',
        ),
        (
            {"kind": "conv2d", "name": "conv1", "filters": 3, "target_pool": 0},
            "'target_pool' is a number from 1 to 65,535, or \"position\"\n"
            "  where: digits.toml, [model], layer 'conv1'\n"
            "  found: target_pool = 0",
        ),
        (
            {"kind": "conv1d", "name": "conv1", "filters": 3, "kernel": [3, 3]},
            "'kernel' must be a whole number\n"
            "  where: digits.toml, [model], layer 'conv1'\n"
            "  found: kernel = a list of 2",
        ),
        (
            {"kind": "max_pool", "size": "2"},
            "'size' looks like 3, or [3, 5] for rows and columns; 1 to 65,535\n"
            "  where: digits.toml, [model], layers[0]\n"
            '  found: size = "2"',
        ),
        (
            {"kind": "flatten", "units": 3},
            "unknown key 'units'\n"
            "  where: digits.toml, [model], layers[0]\n"
            "  help:  known: name, kind",
        ),
        (
            {"kind": "max_pool", "name": "fc2"},
            "layer names must differ; used twice: fc2\n  where: digits.toml",
        ),
        (
            {"kind": "max_pool", "name": "Pool"},
            "'Pool' is not a lower-case C name: a letter, then up to 30 letters, digits or "
            "underscores\n  where: digits.toml, [model], layer 'Pool'",
        ),
        (
            {"kind": "conv2d", "name": "conv1", "filters": 3, "weights": "f32"},
            "f32 and integer layers cannot be mixed\n"
            "  where: digits.toml, [model] and [numbers]\n"
            "  found: conv1 f32, fc2 s16\n"
            '  help:  set numbers.weights = "f32" for the whole model, or "s16" or "s8" here',
        ),
        (
            {"kind": "conv2d", "name": "conv1", "filters": 3, "loss": "softmax_cross_entropy"},
            "the hidden layer 'conv1' cannot have the loss 'softmax_cross_entropy'\n"
            "  where: digits.toml, [model], layer 'conv1'\n"
            '  help:  use loss = "projected_cross_entropy", its kin for hidden layers',
        ),
    ],
)
def test_layers_on_maps(layer: dict[str, Any], message: str) -> None:
    assert error_of(("model.layers.0", layer)) == message


@pytest.mark.parametrize("kind", ["max_pool", "global_avg_pool", "flatten"])
def test_the_last_layer_must_be_dense(kind: str) -> None:
    assert error_of(("model.layers.1", {"kind": kind})) == (
        "the last layer must be dense: it gives one output for each class or label value\n"
        "  where: digits.toml, [model], layers[1]\n"
        f'  found: kind = "{kind}"\n'
        '  help:  end the layers with { name = "out", units = 10 }'
    )


@pytest.mark.parametrize("shape", [3, [28, 28], [28, 28, 0], [1.0, 2, 3], "28", [True, 1, 1]])
def test_input_shapes(shape: object) -> None:
    message = error_of(("data.input_shape", shape))
    assert "'input_shape' looks like [28, 28, 1]: height, width, channels" in message


def test_losses_are_judged_again_when_the_data_tell_the_labels() -> None:
    spec = spec_from_dict(changed(("model.layers.1.activation", "tanh")))
    check_labels_kind(spec, "vector")
    with pytest.raises(SpecError, match="needs the activation 'linear'"):
        check_labels_kind(spec, "class")


def test_long_and_odd_values_are_shown_short() -> None:
    assert "a number of" in error_of(("seed", 10**400))
    assert "..." in error_of(("numbers.weights", "x" * 1000))
    assert len(error_of(("platform.ram", ["x"] * 1000))) < 500


KEYS = st.sampled_from(
    "name seed model layers units activation weights loss kind delta expression temperature rule "
    "output_loss learning_rate error_gate numbers data file task platform ram pretrain x filters "
    "kernel stride padding groups target_pool size input_shape".split()
) | st.text(max_size=5)
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.sampled_from([10**400, -(10**400), 2**64])
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(["l2", "huber", "custom", "tanh", "s8", "f32", "20K", "r", "fc1"])
    | st.sampled_from(["conv2d", "conv1d", "max_pool", "flatten", "dense", "same", "position"])
    | st.dates(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=12,
)
PATHS = st.sampled_from(
    "name seed model model.layers model.layers.0 model.layers.1.loss model.layers.1.units rule "
    "rule.loss rule.output_loss rule.dead_zone numbers numbers.weights projection data data.task "
    "platform platform.ram platform.flash model.pretrain model.layers.0.name model.layers.0.kind "
    "data.input_shape model.layers.1 model.layers.1.kind".split()
)


@pytest.mark.slow
@settings(max_examples=150, deadline=None)
@given(content=st.dictionaries(KEYS, VALUES, max_size=6))
def test_no_dict_crashes_the_reader(content: dict[str, Any]) -> None:
    with contextlib.suppress(SpecError):
        spec_from_dict(content)


@settings(max_examples=300, deadline=None)
@given(path=PATHS, value=VALUES)
def test_no_value_crashes_the_reader(path: str, value: Any) -> None:
    with contextlib.suppress(SpecError):
        assert spec_from_dict(changed((path, value))).digest


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    text=st.text(max_size=60)
    | st.lists(
        st.sampled_from(['name="a"', "[model]", "[[model.layers]]", "units=3", "x=", "[data]"])
    ).map("\n".join),
    overrides=st.lists(
        st.text(max_size=12) | st.sampled_from(["seed=3", "model.layers.0=1"]), max_size=3
    ),
)
def test_no_text_crashes_the_reader(tmp_path: Any, text: str, overrides: list[str]) -> None:
    path = tmp_path / "spec.toml"
    path.write_bytes(text.encode(errors="surrogatepass"))
    with pytest.raises(SpecError):
        load_spec(path, overrides)
