"""Whatever a spec can name goes through every stage, or is refused there in words."""

from collections.abc import Mapping
from typing import get_args

import pytest

from tests.support.kinds import (
    FORMATS,
    IN_FLOATS_ALONE,
    IN_REAL_NUMBERS,
    KINDS,
    NETS,
    STAGES,
    Way,
    assert_trains_on_this_computer,
    begun,
    net,
)
from tpsgd_edge.comparison.runs import Run
from tpsgd_edge.comparison.training import execute
from tpsgd_edge.errors import TpsgdError
from tpsgd_edge.frontend.data import load_dataset
from tpsgd_edge.frontend.defaults import with_defaults
from tpsgd_edge.spec import (
    NOT_MONOTONE,
    SCHEDULES,
    Activation,
    HiddenLoss,
    OutputLoss,
    ProjectionKind,
    ProjectionSpec,
)
from tpsgd_edge.spec.sections import NumbersSpec

Refusals = Mapping[tuple[str, str], str]
# A stage and what it does not take -> words of its refusal.
REFUSED_KINDS: Refusals = {
    ("export", "adaptor"): "cannot be exported",
    ("import", "adaptor"): "cannot be exported",
    ("import", "rnn"): "the operator Scan has no layer of ours",
    ("import", "memory"): "the weights of MatMul do not fit",
    ("backprop", "memory"): "does not pass through the memory",
    ("backprop", "adaptor"): "does not pass through the adaptor",
    ("quantization", "detector"): "no quantization error",
    ("export", "detector"): "cannot be exported",
    ("import", "detector"): "cannot be exported",
    ("torch", "detector"): "no rule in floating point",
    ("backprop in torch", "detector"): "no rule in floating point",
    ("backprop", "detector"): "learns without labels",
    ("backprop", "rnn"): "recurrent",
    ("backprop", "gru"): "recurrent",
    ("backprop", "lstm"): "recurrent",
    ("backprop", "norm"): "does not pass through layers that normalize",
    ("backprop", "add"): "does not pass through nets that branch",
    ("backprop", "concat"): "does not pass through nets that branch",
}
REFUSED_ACTIVATIONS: Refusals = {
    (stage, name): "no rule trains layer"
    for name in NOT_MONOTONE
    for stage in ("torch", "backprop in torch")
}
# A sigmoid cannot be scaled to the labels' range in one dense layer.
REFUSED_LOSSES: Refusals = {("import", "cross_entropy"): "the last layer of the net must be dense"}
FORMAT_NAMES = [f"{weights} {activations}" for weights, activations in FORMATS]
ONE_OF_EACH = {"s16 s8": FORMATS[0], "s8 s16": FORMATS[3], "f32": FORMATS[4]}
LEARNING = [name for name in get_args(Activation) if name not in NOT_MONOTONE]
STORAGES = get_args(ProjectionSpec.model_fields["storage"].annotation)


def assert_goes_through(way: Way, name: str, refused: Refusals) -> None:
    """Take a net through all stages; those that refuse it do so in the words that are listed.

    Real numbers are the same whatever the integers are, so one format goes through their stages.
    """
    numbers = way.spec.numbers
    is_first = (numbers.weights, numbers.activations) == FORMATS[0]
    for stage, take in STAGES.items():
        if stage in IN_REAL_NUMBERS and not is_first:
            continue
        if (stage, name) not in refused:
            take(way)
            continue
        with pytest.raises(TpsgdError, match=refused[stage, name]):
            take(way)


def is_refused(kind: str, formats: tuple[str, str]) -> bool:
    """Tell whether a kind has no such format, and see that it says so."""
    if kind in IN_FLOATS_ALONE:
        with pytest.raises(TpsgdError, match="no device can have it"):
            begun(net(kind, formats))
        return True
    if (kind, formats[0]) != ("detector", "f32"):
        return False
    with pytest.raises(TpsgdError, match="detectors compute in integers"):
        net(kind, formats)
    return True


@pytest.mark.parametrize("rule", ["tpsgd", "tpsgd_carried", "backprop", "random"])
@pytest.mark.parametrize("kind", IN_FLOATS_ALONE)
def test_a_kind_of_floating_point_trains_in_compare(kind, rule):
    pytest.importorskip("torch")
    rate = None if rule.startswith("tpsgd") else 0.01
    spec = net(kind)
    spec, _ = with_defaults(spec, load_dataset(spec))
    result = execute(spec, Run(rule, seed=1, rate=rate, epochs=1, batch=4))
    assert len(result.scores) == 2


def test_there_is_a_net_for_each_kind():
    assert set(NETS) == set(KINDS)


def test_the_formats_are_those_of_a_spec():
    fields = NumbersSpec.model_fields
    weights, activations = (get_args(fields[n].annotation) for n in ("weights", "activations"))
    assert {pair[0] for pair in FORMATS} == set(weights)
    assert {pair[1] for pair in FORMATS} == set(activations)


@pytest.mark.series(6)
@pytest.mark.parametrize("formats", FORMATS, ids=FORMAT_NAMES)
@pytest.mark.parametrize("kind", KINDS)
def test_a_kind_of_layer_goes_through_all_stages(kind, formats):
    if is_refused(kind, formats):
        return
    assert_goes_through(begun(net(kind, formats)), kind, REFUSED_KINDS)


@pytest.mark.series(1)
@pytest.mark.parametrize("formats", FORMATS, ids=FORMAT_NAMES)
@pytest.mark.parametrize("kind", KINDS)
def test_a_kind_of_layer_trains_bit_for_bit(kind, formats):
    if is_refused(kind, formats):
        return
    assert_trains_on_this_computer(begun(net(kind, formats)))


@pytest.mark.series(11)
@pytest.mark.parametrize("formats", ONE_OF_EACH.values(), ids=ONE_OF_EACH)
@pytest.mark.parametrize("activation", LEARNING)
def test_an_activation_goes_through_all_stages(activation, formats):
    way = begun(net(formats=formats, layer={"activation": activation}))
    assert_goes_through(way, activation, REFUSED_ACTIVATIONS)


@pytest.mark.series(4)
@pytest.mark.parametrize("formats", ONE_OF_EACH.values(), ids=ONE_OF_EACH)
@pytest.mark.parametrize("activation", NOT_MONOTONE)
def test_an_activation_that_cannot_learn_goes_through_where_it_does_not(activation, formats):
    way = begun(net(formats=formats, layer={"activation": activation, "train": False}))
    assert_goes_through(way, activation, REFUSED_ACTIVATIONS)
    with pytest.raises(TpsgdError, match="cannot learn"):
        net(layer={"activation": activation})


def loss_table(kind: str) -> dict[str, str]:
    """A loss with what it needs."""
    return {"kind": kind} | ({"expression": "tanh(r)"} if kind == "custom" else {})


# What a loss asks of the layer that has it.
WANTS = {"cross_entropy": {"activation": "sigmoid"}}


@pytest.mark.series(8)
@pytest.mark.parametrize("is_class", [True, False], ids=["classes", "values"])
@pytest.mark.parametrize("formats", ONE_OF_EACH.values(), ids=ONE_OF_EACH)
@pytest.mark.parametrize("kind", get_args(HiddenLoss))
def test_a_hidden_loss_goes_through_all_stages(kind, formats, is_class):
    layer = {"loss": loss_table(kind), **WANTS.get(kind, {})}
    if kind == "projected_cross_entropy" and not is_class:
        with pytest.raises(TpsgdError, match="needs classes"):
            net(formats=formats, layer=layer, is_class=False)
        return
    assert_goes_through(begun(net(formats=formats, layer=layer, is_class=is_class)), kind, {})


@pytest.mark.series(8)
@pytest.mark.parametrize("is_class", [True, False], ids=["classes", "values"])
@pytest.mark.parametrize("formats", ONE_OF_EACH.values(), ids=ONE_OF_EACH)
@pytest.mark.parametrize("kind", get_args(OutputLoss))
def test_an_output_loss_goes_through_all_stages(kind, formats, is_class):
    output = {"loss": loss_table(kind), **WANTS.get(kind, {})}
    if kind == "softmax_cross_entropy" and not is_class:
        with pytest.raises(TpsgdError, match="needs classes"):
            net(formats=formats, output=output, is_class=False)
        return
    way = begun(net(formats=formats, output=output, is_class=is_class))
    assert_goes_through(way, kind, {} if is_class else REFUSED_LOSSES)


@pytest.mark.series(9)
@pytest.mark.parametrize("storage", STORAGES)
@pytest.mark.parametrize("formats", ONE_OF_EACH.values(), ids=ONE_OF_EACH)
@pytest.mark.parametrize("kind", get_args(ProjectionKind))
def test_a_projection_goes_through_all_stages(kind, formats, storage):
    projection = {"kind": kind}
    is_drawn = kind not in ("fitted", "prototype", "learned")
    if is_drawn and (kind, storage) != ("gaussian", "packed"):
        projection["storage"] = storage
    model = {"pretrain": {"epochs": 1}} if kind == "prototype" else {}
    way = begun(net(formats=formats, model=model, projection=projection))
    assert_goes_through(way, kind, {})


@pytest.mark.series(4)
@pytest.mark.parametrize("formats", ONE_OF_EACH.values(), ids=ONE_OF_EACH)
@pytest.mark.parametrize("schedule", SCHEDULES)
def test_a_schedule_goes_through_all_stages(schedule, formats):
    rule = {"schedule": schedule, "epochs": 1}
    assert_goes_through(begun(net(formats=formats, rule=rule)), schedule, {})
