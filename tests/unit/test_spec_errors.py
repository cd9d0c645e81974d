"""Single mistakes in a spec, and the words that they end in."""

from typing import Any

import pytest

from tests.support.wrong_specs import GOOD, error_of
from tpsgd_edge.errors import SpecError
from tpsgd_edge.spec import spec_from_dict


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
            "scores, learn_every",
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
            "l1, huber, epsilon_insensitive, cross_entropy, custom, softmax_cross_entropy",
        ),
        (
            "rule.learning_rate",
            float("nan"),
            "'learning_rate' is out of range\n"
            "  where: digits.toml, [rule]\n"
            "  found: learning_rate = nan\n"
            "  help:  allowed: above 0, at most 1,000,000",
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
            "underscores, such as 'my_net'\n  where: digits.toml",
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


@pytest.mark.parametrize(
    "name",
    ["tps", "my_tps", "my_tps_net", "digits_train", "digits_store", "d_raw", "d_log", "d_wire"],
)
def test_a_model_may_not_be_called_like_a_part_of_another_one(name):
    message = error_of(("name", name))
    assert f"{name!r} would share names with other models in one firmware" in message
    assert "leave out the word 'tps', and _train, _store, _raw, _log, _wire at the end" in message


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


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({"activation": "relu"}, "an lstm layer has tanh and sigmoid inside: leave activation out"),
        ({"cell_clip": 0}, "'cell_clip' is out of range"),
        ({"reset": "after"}, "'reset'"),
    ],
)
def test_what_an_lstm_cannot_be(keys: dict[str, Any], words: str) -> None:
    lstm = {"kind": "lstm", "name": "g", "units": 4, **keys}
    assert words in error_of(("model.layers", [lstm, {"name": "out", "units": 3}]))


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
