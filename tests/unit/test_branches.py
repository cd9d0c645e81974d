"""Layers that name what they read: what a spec may say, and what comes of it."""

import pytest

from tpsgd_edge.errors import SpecError
from tpsgd_edge.spec import Edges, Spec, spec_from_dict

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
