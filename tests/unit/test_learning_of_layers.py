"""How each layer learns, as the spec says it: nothing is lost on the way to the integers."""

from typing import Any

import numpy as np
import pytest

from tests.support import resolved
from tpsgd_edge.errors import SpecError
from tpsgd_edge.frontend.data import dataset_from_arrays
from tpsgd_edge.frontend.learning import learning_of
from tpsgd_edge.frontend.network import build_graph
from tpsgd_edge.graph import Learning
from tpsgd_edge.quantize.model import QuantizedModel
from tpsgd_edge.quantize.network import _updates_per_sample
from tpsgd_edge.spec import LossSpec, Spec, spec_from_dict

RNG = np.random.default_rng(4)
X, CLASSES = RNG.normal(size=(60, 6)).astype(np.float32), np.arange(60) % 3
OUT = {"name": "out", "units": 3}


def make(*hidden: dict[str, Any], last: dict[str, Any] | None = None, **sections: Any) -> Spec:
    layers = [{"name": name, "units": 5} | own for name, own in zip("abc", hidden, strict=False)]
    model = {"layers": [*layers, OUT | (last or {})], **sections.pop("model", {})}
    return spec_from_dict({"name": "net", "model": model, "data": {"file": "d.npz"}, **sections})


def quantized(spec: Spec) -> QuantizedModel:
    return resolved.quantized(spec, X, CLASSES)


def test_each_layer_learns_as_the_spec_says():
    spec = make(
        {"learning_rate": 0.5, "weights": "s8", "weight_range": 4.0, "loss": "l1"},
        {"train": False},
        rule={"learning_rate": 0.02, "dead_zone": 0.125, "output_learning_rate": 0.25},
        projection={"kind": "ternary"},
    )
    l1 = LossSpec(kind="l1")
    assert learning_of(spec, 0, "class") == Learning(
        loss=l1,
        projection="ternary",
        first_loss=l1,
        first_projection="ternary",
        rate=0.5,
        is_rate_open=False,
        dead_zone=0.125,
        trainable=True,
        weights="s8",
        weight_range=4.0,
    )
    usual = LossSpec(kind="projected_cross_entropy")
    second = learning_of(spec, 1, "class")
    assert (second.loss, second.rate, second.trainable) == (usual, 0.02, False)
    assert (second.weights, second.weight_range, second.is_rate_open) == ("s16", None, False)
    last = learning_of(spec, 2, "class")
    assert (last.loss.kind, last.rate) == ("softmax_cross_entropy", 0.25)
    assert learning_of(spec, 1, "vector").loss.kind == "projected_l2"


def test_a_net_that_has_learned_has_other_targets_than_at_first():
    learned = learning_of(make({}, model={"weights_file": "w.npz"}), 0, "class")
    assert (learned.loss.kind, learned.projection) == ("l2", "prototype")
    assert learned.first_loss.kind == "projected_cross_entropy"
    assert learned.first_projection == "sign"
    assert learned.is_rate_open
    assert learning_of(make({}), 0, "class").is_rate_open


def test_a_dead_zone_of_the_rule_is_that_of_each_layer():
    none, some = (
        quantized(make({}, rule={"learning_rate": 0.02, "dead_zone": zone})) for zone in (0, 0.25)
    )
    assert [layer.learning.steps.dead_zone for layer in none.trainable] == [0, 0]
    assert all(layer.learning.steps.dead_zone > 1000 for layer in some.trainable)


def test_a_range_of_weights_that_is_asked_for_is_met():
    rates = {"rule": {"learning_rate": 0.02}}
    wide, usual = (quantized(make(own, **rates)).layers[0] for own in ({"weight_range": 64.0}, {}))
    reach = [layer.numbers.weight_scale * 2.0**layer.numbers.weight_bits for layer in (wide, usual)]
    assert reach[0] == 64
    assert reach[1] < 32


def test_a_rate_is_refused_only_where_it_was_asked_for():
    quantized(make({}))
    with pytest.raises(SpecError, match="learning rate"):
        quantized(make({}, rule={"learning_rate": 1e-12}))


def test_each_layer_may_have_weights_of_its_own_format():
    model = quantized(make({"weights": "s8"}, {}, rule={"learning_rate": 0.02}))
    assert [layer.weight_type for layer in model.trainable] == ["s8", "s16", "s16"]


@pytest.mark.parametrize("activations", ["s8", "s16"])
def test_each_layer_reads_in_the_unit_of_what_it_reads(activations):
    """The sample, the layer before it, or what it names."""
    spec = spec_from_dict(
        {
            "name": "net",
            "model": {
                "layers": [
                    {"name": "a", "units": 5, "activation": "relu"},
                    {"name": "b", "units": 5, "activation": "relu", "from": "x"},
                    {"name": "c", "units": 4, "activation": "tanh", "from": "a"},
                    {"name": "j", "kind": "concat", "from": ["b", "c"]},
                    OUT,
                ]
            },
            "numbers": {"activations": activations},
            "data": {"file": "d.npz", "scaling": "none"},
        }
    )
    model = resolved.quantized(spec, 9 * X, CLASSES)
    scales = {"x": model.inputs.scale} | {layer.name: layer.y_scale for layer in model.layers}
    assert len({scales[name] for name in "xabcj"}) > 2
    for layer in model.layers:
        read = tuple(scales[value] for value in model.edges.inputs_of(layer.name))
        own = layer.x_scales if layer.kind == "concat" else (layer.numbers.x_scale,)
        assert own == read, layer.name


@pytest.mark.parametrize(
    ("every", "each_step", "updates"),
    [(0, False, 1), (1, False, 4), (2, False, 2), (3, False, 2), (4, False, 1), (1, True, 4)],
)
def test_a_schedule_counts_the_updates_on_the_way_through_a_sequence(every, each_step, updates):
    """After every so many of four steps, and at the end."""
    layers = [{"name": "r", "kind": "rnn", "units": 4}, OUT]
    content = {"name": "net", "model": {"layers": layers}, "data": {"file": "d.npz"}}
    spec = spec_from_dict({**content, "rule": {"learn_every": every, "learning_rate": 0.02}})
    labels = np.repeat(CLASSES[:, np.newaxis], 4, axis=1) if each_step else CLASSES
    dataset = dataset_from_arrays(spec, RNG.normal(size=(60, 4, 3)).astype(np.float32), labels)
    assert _updates_per_sample(build_graph(spec, dataset), None) == updates
