"""Specs with attention: what `compare` makes of them, and that all other commands refuse them."""

import json
from pathlib import Path

import numpy as np
import pytest

from tests.support.attention import CHANNELS, CLASSES, STEPS, WIDTH, block_layers
from tests.support.wrong_specs import error_of
from tpsgd_edge.cli import run
from tpsgd_edge.frontend.data import load_dataset
from tpsgd_edge.frontend.defaults import with_defaults
from tpsgd_edge.frontend.network import build_graph
from tpsgd_edge.spec import Spec, load_spec, spec_from_dict

REFUSAL = (
    "error: layer 'mix' is in floating point only: no device can have it\n"
    "  where: net.toml, [model], layer 'mix'\n"
    '  found: kind = "attention"\n'
    "  help:  tpsgd-edge compare trains it; for a device take a memory and dense layers, or "
    "conv1d, which learn more in less RAM (docs/results/attention.md)\n"
)
PASSED = {"error": "passed"}


def text_of(layers) -> str:
    """A spec as TOML."""
    tables = (
        "{ " + ", ".join(f"{key} = {json.dumps(value)}" for key, value in layer.items()) + " }"
        for layer in layers
    )
    return (
        f'name = "net"\n[model]\nlayers = [\n{",".join(tables)}\n]\n'
        '[data]\nfile = "d.npz"\n[rule]\nepochs = 2\n'
    )


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A spec with a transformer block, and data beside it."""
    rng = np.random.default_rng(0)
    y = np.arange(90) % CLASSES
    x = rng.normal(size=(90, STEPS, CHANNELS)).astype(np.float32)
    x[:, :, 0] += y[:, None]
    np.savez(tmp_path / "d.npz", x=x, y=y)
    path = tmp_path / "net.toml"
    path.write_text(text_of(block_layers()), encoding="utf-8")
    return path


def passing(layers, names):
    """The layers, some of which are passed their error."""
    return [layer | (PASSED if layer.get("name") in names else {}) for layer in layers]


@pytest.mark.parametrize(
    "arguments",
    [
        ["build", "--out", "made"],
        ["simulate"],
        ["verify"],
        ["report"],
        ["export", "--weights", "d.npz"],
        ["quantization"],
        ["adapt"],
        ["search", "--ram", "4K", "--trials", "1"],
        ["fleet"],
        ["package", "--for", "arduino", "--out", "made"],
    ],
    ids=lambda arguments: arguments[0],
)
def test_every_command_of_devices_refuses_it_in_words(path, arguments, capsys, monkeypatch):
    monkeypatch.chdir(path.parent)
    before = sorted(path.parent.iterdir())
    assert run([arguments[0], str(path), *arguments[1:]]) == 2
    assert capsys.readouterr().err == REFUSAL
    assert sorted(path.parent.iterdir()) == before


def test_compare_trains_it_on_data_of_ones_own(path, tmp_path, capsys):
    pytest.importorskip("torch")
    common = ["--out", str(tmp_path / "r.sqlite"), "--seeds", "1", "--jobs", "1", "--json"]
    asked = ["--rules", "tpsgd,tpsgd_carried,backprop", "--rates", "0.01", "--epochs", "4"]
    assert run(["compare", str(path), *asked, *common]) == 0
    found = {rule["rule"]: rule for rule in json.loads(capsys.readouterr().out)["rules"]}
    assert list(found) == ["tpsgd", "tpsgd_carried", "backprop", "random"]
    assert found["tpsgd"]["mean"] > 0.5
    assert found["backprop"]["macs"] > found["random"]["macs"]


def graph_of(path: Path, layers):
    path.write_text(text_of(layers), encoding="utf-8")
    spec = load_spec(path)
    return build_graph(spec, load_dataset(spec))


def test_blocks_of_attention_and_of_the_feed_forward_layers(path):
    graph = graph_of(path, passing(block_layers(), ("q", "k", "v", "up")))
    assert graph.blocks == (("o", "mix", "v", "k", "q"), ("down", "up"))


def test_attention_without_layers_that_are_passed_an_error_is_in_no_block(path):
    assert graph_of(path, block_layers()).blocks == ()


def test_rates_that_nobody_says_are_small_but_for_the_last_layer(path):
    """The usual step size of 0.3 makes linear layers diverge whose outputs no bound stops."""
    spec = load_spec(path)
    spec, _ = with_defaults(spec, load_dataset(spec))
    rates = {layer.name: layer.learning_rate for layer in spec.model.weighted}
    assert rates["q"] == rates["o"] == pytest.approx(0.01 / (WIDTH / 2))
    assert rates["down"] == pytest.approx(0.01 / WIDTH)
    assert rates["out"] == pytest.approx(0.3 / (STEPS * WIDTH / 2), rel=0.01)


def test_samples_of_steps_need_no_shape(path):
    assert graph_of(path, block_layers()).layers[0].x_shapes == ((1, STEPS, CHANNELS),)


def spec_with(reads) -> str:
    """What the reader says of attention that reads these."""
    layers = block_layers()
    mix = next(layer for layer in layers if layer.get("name") == "mix")
    mix.pop("from") if reads is None else mix.update({"from": reads})
    return error_of(("model.layers", layers))


@pytest.mark.parametrize(
    ("reads", "found"),
    [
        (None, "nothing"),
        (["q", "k"], 'from = ["q", "k"]'),
        (["q", "q", "v"], 'from = ["q", "q", "v"]'),
        (["q", "k", "v", "n1"], 'from = ["q", "k", "v", "n1"]'),
    ],
)
def test_it_reads_three_values(reads, found):
    text = spec_with(reads)
    assert "layer 'mix' reads queries, keys and values, each of a layer of its own" in text
    assert f"found: {found}\n" in text


def test_a_name_is_made_where_none_is_given():
    layers = block_layers()
    next(layer for layer in layers if layer.get("name") == "mix").pop("name")
    spec: Spec = spec_from_dict(
        {"name": "net", "model": {"layers": layers}, "data": {"file": "d.npz"}}
    )
    assert "attention1" in spec.model.keys
