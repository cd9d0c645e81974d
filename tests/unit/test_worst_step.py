"""Steps in which every unit learns: for which nets they are found, and that they skip nothing."""

import hashlib
import json
from dataclasses import replace

import pytest

from tests.support.costs import DENSE, MAPS, prepared_net
from tests.support.parts import altered
from tpsgd_edge.codegen.costs import CostsView, Stacks, with_costs
from tpsgd_edge.reference import Reference
from tpsgd_edge.stages import render_project
from tpsgd_edge.stages.worst_step import learning_shares, provocation_of

NETS = {"dense": DENSE, "maps": MAPS}
# Too low for most units to learn from one step.
LOW = {"learning_rate": 1e-5}
HIGH = {"learning_rate": 0.3}


@pytest.mark.parametrize("weights", ["s8", "s16"])
@pytest.mark.parametrize("rule", [LOW, HIGH], ids=["low rates", "high rates"])
@pytest.mark.parametrize("net", NETS)
def test_every_unit_learns_from_a_provoked_step(net, rule, weights):
    prepared = prepared_net(NETS[net], weights=weights, rule=rule)
    found = provocation_of(prepared.model)
    assert min(learning_shares(found)) >= 0.95
    reference = Reference(found.model)
    reference.load_state(found.state)
    handed_on = [found.x, *reference.layer_outputs(found.x)[:-1]]
    assert all((values != 0).mean() > 0.9 for values in handed_on)
    # Nor would an error gate be closed.
    assert len(set(reference.output(found.x).tolist())) == 1


def test_a_step_of_the_net_itself_skips_units_where_rates_are_low():
    prepared = prepared_net(DENSE, rule=LOW)
    reference = Reference(prepared.model)
    before = reference.state()["a.b"]
    reference.train_step(provocation_of(prepared.model).x, 0)
    assert (reference.state()["a.b"] != before).mean() < 0.5


def test_provoking_rates_are_never_below_those_of_the_spec():
    for rule in (LOW, HIGH):
        model = prepared_net(DENSE, rule=rule).model
        own, provoking = (
            [unit.learning.steps.rate for unit in net.trainable]
            for net in (model, provocation_of(model).model)
        )
        for a, b in zip(own, provoking, strict=True):
            assert b.mult / 2**b.shift >= min(1.0, 2 * a.mult / 2**a.shift) * 0.999


FROZEN = [{"name": "a", "units": 9, "train": False}, *DENSE[1:]]
PASSED = [DENSE[0] | {"error": "passed"}, DENSE[1]]
UNKNOWN = {
    "binary32": {"layers": DENSE, "weights": "f32"},
    "a layer that stays": {"layers": FROZEN},
    "errors from above": {"layers": PASSED},
    "backpropagation": {"layers": DENSE, "rule": {"kind": "backprop"}},
    "carried scores": {"layers": DENSE, "rule": {"scores": "carried"}},
    "kept samples": {"layers": DENSE, "replay": {"size": 4}},
    "read-outs that learn": {"layers": DENSE, "projection": {"kind": "learned"}},
}


@pytest.mark.parametrize("name", UNKNOWN)
def test_no_bound_is_given_where_none_is_known(name):
    assert provocation_of(prepared_net(**UNKNOWN[name]).model) is None


def test_a_net_whose_units_do_not_all_learn_has_no_bound():
    """Units that no error moves would be missing in what is counted."""
    model = prepared_net(DENSE).model
    steps = model.layers[0].learning.steps
    far = altered(model.layers[0], dead_zone=2**15 - 1)
    assert steps.dead_zone == 0
    assert provocation_of(replace(model, layers=(far, *model.layers[1:]))) is None


def header(step):
    project = render_project(prepared_net(DENSE))
    view = CostsView("net", "Core", "cc 1", Stacks(312, 400), Stacks(208, 344), step)
    return with_costs(project, view)


def test_the_header_says_what_was_measured():
    text = header(4321).files["net_costs.h"]
    for line in (
        "at most on Core",
        "that cc 1 makes at -O2",
        "#define NET_STACK_BYTES 312",
        "#define NET_SELFTEST_STACK_BYTES 400",
        "#define NET_STEP_INSTRUCTIONS_MAX 4321",
        "#define NET_STACK_BYTES 208",
    ):
        assert line in text
    assert text.startswith("/* SPDX-License-Identifier")
    assert "INSTRUCTIONS" not in header(None).files["net_costs.h"]


def test_the_manifest_knows_the_header():
    project = header(4321)
    digests = json.loads(project.files["manifest.json"])["files"]
    for path in ("net_costs.h", "net.h"):
        expected = hashlib.sha256(project.files[path].encode()).hexdigest()
        assert digests[path] == expected
    assert list(digests) == sorted(digests)
    assert set(digests) == set(project.files) - {"manifest.json"}
