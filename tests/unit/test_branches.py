"""Layers that name what they read: what a spec may say, and what comes of it."""

from dataclasses import replace

import numpy as np
import pytest

from tpsgd_edge.errors import SpecError
from tpsgd_edge.frontend.data import dataset_from_arrays
from tpsgd_edge.frontend.network import build_graph
from tpsgd_edge.graph import Conv2d, Graph, without_adaptors
from tpsgd_edge.graph.forward import forward
from tpsgd_edge.memory import model_id
from tpsgd_edge.spec import Edges, Spec, past_adaptors, spec_from_dict
from tpsgd_edge.stages import prepare
from tpsgd_edge.stages.adapting import layers_of
from tpsgd_edge.stages.strategies import Strategy

OUT = {"name": "out", "units": 2}


def spec(*layers: dict[str, object], **sections: object) -> Spec:
    content = {"name": "net", "model": {"layers": list(layers)}, "data": {"file": "x.npz"}}
    return spec_from_dict({**content, **sections})


def error(*layers: dict[str, object], **sections: object) -> str:
    with pytest.raises(SpecError) as caught:
        spec(*layers, **sections)
    return str(caught.value)


def test_a_layer_reads_the_one_before_it():
    made = spec({"name": "a", "units": 3}, {"name": "b", "units": 4}, OUT)
    assert made.model.edges == Edges(("a", "b", "out"), (("x",), ("a",), ("b",)))
    assert made.model.edges.is_chain


def test_saying_what_holds_anyway_changes_nothing():
    said = spec({"name": "a", "units": 3, "from": "x"}, {**OUT, "from": ["a"]})
    assert said.model.edges.is_chain
    assert said.model.edges == spec({"name": "a", "units": 3}, OUT).model.edges


@pytest.mark.parametrize(
    ("layers", "words"),
    [
        (
            [{"name": "fc1", "units": 3}, {**OUT, "from": "fc2"}],
            "layer 'out' reads 'fc2', which no layer before it makes\n"
            "  where: spec, [model], layer 'out', from\n"
            '  found: from = "fc2"\n'
            "  help:  did you mean 'fc1'?",
        ),
        (
            [{"name": "fc1", "units": 3, "from": "fc2"}, {"name": "fc2", "units": 3}, OUT],
            "layer 'fc1' reads 'fc2', which comes later\n"
            "  where: spec, [model], layer 'fc1', from\n"
            '  found: from = "fc2"\n'
            "  help:  layers stand in the order of computing: move this one behind it",
        ),
        (
            [{"name": "fc1", "units": 3, "from": "fc1"}, OUT],
            "layer 'fc1' reads 'fc1', which comes later\n"
            "  where: spec, [model], layer 'fc1', from\n"
            '  found: from = "fc1"\n'
            "  help:  known: x",
        ),
        (
            [{"name": "a", "units": 3}, {"name": "b", "units": 3}, {**OUT, "from": "a"}],
            "no layer reads what layer 'b' makes\n"
            "  where: spec, [model], layer 'b'\n"
            "  found: the net ends with layer 'out'\n"
            "  help:  name it in from of another layer, or leave it out",
        ),
        (
            [{"name": "a", "units": 3}, {**OUT, "from": ["a", "x"]}],
            "layer 'out' reads one value\n"
            "  where: spec, [model], layer 'out', from\n"
            '  found: from = ["a", "x"]\n'
            '  help:  name one layer, or put { kind = "add" } or { kind = "concat" } before it',
        ),
        (
            [{"name": "a", "units": 3}, {**OUT, "from": []}],
            "'from' has too few or too many entries\n"
            "  where: spec, [model], layer 'out'\n"
            "  help:  allowed: 1 to 64 entries",
        ),
        (
            [{"name": "a", "units": 3}, {**OUT, "from": 3}],
            "'from' must be a list\n  where: spec, [model], layer 'out'\n  found: from = 3",
        ),
    ],
)
def test_what_cannot_be_read_is_refused_in_words(layers, words):
    assert error(*layers) == f"{words}"


def test_a_recurrent_layer_follows_the_one_that_it_names():
    rnn = {"kind": "rnn", "units": 3}
    message = error({"name": "a", "units": 3}, {"name": "r", **rnn, "from": "a"}, OUT)
    assert "the recurrent layer 'r' cannot follow a layer that is not recurrent" in message


CONV = {"kind": "conv2d", "filters": 4, "padding": "same"}
FROM_DATA = {"file": "x.npz", "scaling": "none"}


def graph_of(*layers: dict[str, object], shape: tuple[int, ...] = (6, 6, 4)) -> Graph:
    """The graph of a spec for samples of a shape, with two classes."""
    made = spec(*layers, data=FROM_DATA)
    x = np.random.default_rng(1).normal(size=(8, *shape))
    return build_graph(made, dataset_from_arrays(made, x, np.arange(8) % 2))


BLOCK = (
    {"name": "c1", **CONV},
    {"name": "c2", **CONV, "activation": "linear"},
    {"kind": "add", "from": ["c1", "c2"], "activation": "relu"},
)


def test_values_have_the_names_of_layers_and_their_shapes():
    graph = graph_of(*BLOCK, {"kind": "global_avg_pool", "name": "mean"}, OUT)
    assert [layer.name for layer in graph.layers] == ["c1", "c2", "add1", "mean", "out"]
    assert graph.value("x").shape == graph.value("add1").shape == (6, 6, 4)
    assert graph.value("mean").shape == (1, 1, 4)
    assert graph.edges.consumers_of("c1") == ("c2", "add1")
    assert graph.edges.producers_of("add1") == (0, 1)
    assert graph.edges.up_to("c2") == {"c1", "c2"}


@pytest.mark.parametrize(
    ("layers", "words"),
    [
        (
            [{"name": "c1", **CONV, "stride": 2}, {"kind": "add", "from": ["c1", "x"]}],
            "layer 'add1' adds values of unlike shapes\n"
            "  where: [model], layer 'add1'\n"
            "  found: 3 x 3 x 4 and 6 x 6 x 4\n"
            "  help:  bring them to one shape",
        ),
        (
            [{"name": "c1", **CONV, "stride": 2}, {"kind": "concat", "from": ["c1", "x"]}],
            "layer 'concat1' joins maps of unlike height or width",
        ),
    ],
)
def test_values_that_do_not_fit_are_refused_in_words(layers, words):
    with pytest.raises(SpecError) as caught:
        graph_of(*layers, OUT)
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("layer", "found"),
    [
        ({"kind": "add"}, "found: nothing"),
        ({"kind": "add", "from": "a"}, 'found: from = "a"'),
        ({"kind": "concat", "from": ["a", "a"]}, 'found: from = ["a", "a"]'),
    ],
)
def test_a_layer_that_joins_reads_two_values_or_more(layer, found):
    message = error({"name": "a", "units": 3}, {"name": "j", **layer}, OUT)
    assert message.startswith("layer 'j' reads two values or more, each of them once\n")
    assert found in message


def test_a_local_loss_sees_a_pool_that_alone_reads_the_map():
    pool = {"kind": "max_pool", "name": "p"}
    ends = {"kind": "global_avg_pool", "name": "end"}
    alone = graph_of({"name": "c1", **CONV}, pool, ends, OUT).layer("c1")
    assert isinstance(alone, Conv2d)
    assert alone.pool is not None
    wide = {"kind": "avg_pool", "name": "q", "from": "c1"}
    both = graph_of(
        {"name": "c1", **CONV}, pool, wide, {"kind": "add", "from": ["p", "q"]}, ends, OUT
    ).layer("c1")
    assert isinstance(both, Conv2d)
    assert both.pool is None


def test_branches_are_refused_under_backpropagation_and_along_sequences():
    a = {"name": "a", "units": 4}
    join = {"name": "j", "kind": "add", "from": ["a", "b"]}
    message = error(a, {"name": "b", "units": 4}, join, OUT, rule="backprop")
    assert message == (
        "backpropagation does not pass through nets that branch\n"
        '  where: spec, [rule], kind = "backprop"\n'
        "  found: from in 'j'\n"
        '  help:  leave from out, so that each layer reads the one before it, or kind = "tpsgd"'
    )
    rnn = {"kind": "rnn", "units": 4}
    between = {"name": "j", "kind": "concat", "from": ["r1", "r2"]}
    message = error({"name": "r1", **rnn}, {"name": "r2", **rnn}, between, OUT)
    assert message.startswith("layer 'j' cannot read 'r1', a sequence that branches\n")
    assert (
        "help:  layers along a sequence follow each other; what comes behind them may branch"
        in message
    )
    behind = {"name": "j", "kind": "concat", "from": ["a", "r1"]}
    assert spec({"name": "r1", **rnn}, a, behind, OUT).model.edges.inputs_of("j") == ("a", "r1")


def test_a_value_depends_on_all_that_its_layers_read():
    edges = Edges.of(["a", "b", "j", "c"], {"b": ("x",), "j": ("b", "a"), "c": ("b",)})
    assert edges.up_to("j") == {"a", "b", "j"}
    assert edges.up_to("c") == {"b", "c"}
    assert edges.up_to("x") == frozenset()
    assert edges.without_consumers == ("j", "c")
    # One value each, but not that of the layer before.
    assert not Edges.of(["a", "b"], {"b": ("x",)}).is_chain


def test_values_in_real_numbers_are_joined_as_they_will_be_in_integers():
    block = (
        {"name": "c1", **CONV, "filters": 2},
        {"name": "c2", **CONV, "filters": 2},
        {"kind": "add", "from": ["c1", "x", "c2"], "activation": "relu"},
        {"kind": "concat", "from": ["add1", "c1", "x"]},
    )
    graph = graph_of(*block, OUT, shape=(3, 4, 2))
    x = np.random.default_rng(2).normal(size=(5, 24))
    first, second, added, joined, _ = forward(graph, x, 1)
    np.testing.assert_allclose(added, np.maximum(first + x + second, 0))
    maps = [values.reshape(5, 12, 2) for values in (added, first, x)]
    assert joined.tolist() == np.concatenate(maps, axis=2).reshape(5, -1).tolist()


def test_a_buffer_lives_to_its_last_consumer():
    made = spec(*BLOCK, {"kind": "global_avg_pool", "name": "mean"}, OUT, data=FROM_DATA)
    x = np.random.default_rng(1).normal(size=(40, 6, 6, 4))
    ready = prepare(made, dataset_from_arrays(made, x, np.arange(40) % 2))
    plan = ready.plan.inference
    order = [model.name for model in ready.model.layers]
    (life,) = plan.find("c1", "y").lives
    assert life == (order.index("c1"), order.index("add1"))
    value = ready.model.value("add1")
    assert (value.count, value.type, value.scale) == (144, "s8", ready.model.layers[2].y_scale)


def test_a_model_id_knows_who_reads_what():
    layers = [{"name": name, "units": 4} for name in "abc"]
    joined = {"name": "j", "kind": "add"}
    ids = set()
    for reads in (["a", "c"], ["b", "c"], ["c", "b"]):
        made = spec(*layers, {**joined, "from": reads}, OUT, data=FROM_DATA)
        x = np.random.default_rng(1).normal(size=(40, 4))
        ids.add(model_id(prepare(made, dataset_from_arrays(made, x, np.arange(40) % 2)).model))
    assert len(ids) == 3


def test_a_model_id_is_that_of_the_chain_whether_it_says_so_or_not():
    made = spec({"name": "a", "units": 4}, OUT, data=FROM_DATA)
    x = np.random.default_rng(1).normal(size=(40, 4))
    model = prepare(made, dataset_from_arrays(made, x, np.arange(40) % 2)).model
    reads = ({}, {"a": ("x",)}, {"a": ("x",), "out": ("a",)})
    assert {model_id(replace(model, reads=said)) for said in reads} == {model_id(model)}
    assert model_id(replace(model, reads={"out": ("x",)})) != model_id(model)


def test_an_adaptor_stands_between_a_layer_and_all_that_read_it():
    adapted = {"kind": "adaptor", "name": "a1"}
    own = ({"name": "c1", **CONV}, adapted, {**BLOCK[1], "from": "a1"})
    graph = graph_of(*own, {"kind": "add", "from": ["a1", "c2"]}, OUT)
    before = without_adaptors(graph)
    assert [layer.name for layer in before.layers] == ["c1", "c2", "add1", "out"]
    assert before.edges.inputs_of("add1") == ("c1", "c2")
    assert past_adaptors(("c1", "x"), {"c1": "a1"}) == ("a1", "x")


def test_adapting_puts_adaptors_behind_layers_that_branch():
    made = spec(*BLOCK, OUT)
    way = Strategy(("out",), "prototype", 0.1, ("c1",))
    reads = {layer.name: layer.reads for layer in layers_of(made, way)}
    assert list(reads) == ["c1", "c1_adaptor", "c2", None, "out"]
    assert reads[None] == ("c1_adaptor", "c2")
