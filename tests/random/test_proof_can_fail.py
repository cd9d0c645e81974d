"""A proof that cannot fail proves nothing: one changed constant of the C must be found."""

import re
from dataclasses import replace

import numpy as np
import pytest

from tests.random.networks import STEPS, project_of, samples_of
from tests.random.running import PLAIN, host_binary, written
from tests.support.frozen import freeze
from tests.support.models import random_model
from tests.support.parts import altered
from tpsgd_edge.codegen import CProject
from tpsgd_edge.quantize.model import (
    DTYPES,
    QuantizedModel,
    QuantizedWeighted,
    Requantize,
    Schedule,
    StoredInit,
    Target,
)
from tpsgd_edge.reference import Reference, trace
from tpsgd_edge.toolchain.interface import interface_of
from tpsgd_edge.toolchain.open_device import open_device
from tpsgd_edge.verdict import Verdict, compare

SEED = 5

SEGMENT = 4


def lively_model() -> QuantizedModel:
    """Three layers of different formats, losses and activations, in which everything moves."""
    model = random_model(
        np.random.default_rng(SEED),
        value_type="s8",
        label_kind="class",
        label_count=5,
        n_in=9,
        hidden=[6, 7],
        activations=["tanh", "relu", "linear"],
        losses=["projected_cross_entropy", "l2", "softmax_cross_entropy"],
        weight_types=["s16", "s8", "s16"],
        projection="sign",
        storage="seed",
        gate=False,
        dead_zone=False,
        stored_weights=True,
        lively=True,
    )
    layers = tuple(_calmed(layer) for layer in model.layers)
    return replace(model, layers=layers, schedule=Schedule((2**15, 2**14, 2**13), SEGMENT))


def _calmed(layer: QuantizedWeighted) -> QuantizedWeighted:
    """The layer with weights of middling size, no biases, and a rate at which all units learn."""
    w = np.random.default_rng(SEED).normal(
        0, 2**layer.numbers.weight_bits / 4, (layer.n_out, layer.n_in)
    )
    init = StoredInit(w.astype(DTYPES[layer.weight_type]), np.zeros(layer.n_out, DTYPES["s32"]))
    loss = layer.loss
    if loss.target is not None:
        loss = replace(loss, target=Target(mid=2**13, mult=2**13))
    return altered(layer, bias_one=2**14, rate=Requantize(20001, 16), init=init, loss=loss)


@pytest.fixture(scope="module")
def model() -> QuantizedModel:
    return lively_model()


@pytest.fixture(scope="module")
def project(model) -> CProject:
    x, labels = samples_of(model, SEED)
    return project_of(model, x[:4], labels[:4])


def changed(project: CProject, file: str, pattern: str, replacement: str) -> CProject:
    """The project with one place of one file changed."""
    text, count = re.subn(pattern, replacement, project.files[file], count=1, flags=re.DOTALL)
    assert count == 1, f"{pattern} is not in {file}"
    assert text != project.files[file]
    return replace(project, files={**project.files, file: text})


def field(layer: str, name: str) -> str:
    """A pattern for what stands before the value of a layer's constant."""
    return rf"({layer}_layer = \{{[^}}]*?\.{name} = )"


def verdict_of(model: QuantizedModel, project: CProject) -> Verdict:
    x, labels = samples_of(model, SEED)
    with written(project) as folder:
        binary = host_binary(project, folder, PLAIN)
        with open_device(binary, interface_of(model)) as device:
            return compare(trace(model, x, labels), device.trace(x, labels))


def selftest_of(model: QuantizedModel, project: CProject) -> bool:
    with written(project) as folder:
        binary = host_binary(project, folder, PLAIN)
        with open_device(binary, interface_of(model)) as device:
            return device.selftest()


# What is changed, in which file, how, and the first tensor that must differ.
MUTATIONS = {
    "shift of the outputs": ("net.c", field("fc1", "z_shift") + r"\d+", r"\g<1>3", "output"),
    "lower limit of relu": ("net.c", field("fc2", "z_min") + "0", r"\g<1>-9", "output"),
    "end of the tanh table": ("net_tps_tables.c", "-128,", "-120,", "output"),
    "table of powers": ("net_tps_softmax.c", "32768,", "16384,", "fc1.w"),
    "golden ratio": ("net_tps_random.h", "0x9E3779B9", "0x9E3779BB", "fc1.w"),
    "what is left of sums": ("net_tps_dense.c", r"\(from & ", "(from & 1 & ", "fc2.w"),
    "seed of P": ("net.c", field("fc1", "projection") + "0x.", r"\g<1>0x1", "fc1.w"),
    "target": ("net.c", field("fc2", "target_mid") + r"-?\d+", r"\g<1>1", "fc2.w"),
    "one of the bias": ("net.c", field("fc2", "bias_one") + "16384", r"\g<1>16385", "fc2.b"),
    "learning rate": ("net.c", field("fc3", "rate_shift") + r"\d+", r"\g<1>9", "fc3.w"),
    "dead zone": ("net.c", field("fc3", "dead_zone") + "0", r"\g<1>3000", "fc3.w"),
    "limit of weights": ("net_tps_dense.c", r"(\(sum >> \d+\)), 7\)", r"\1, 5)", "fc2.w"),
    "random words of a layer": ("net.c", r"TPS_PHI \* 6", "TPS_PHI * 7", "fc2.b"),
    "first random state": ("net.c", "model->rng = 0x.", "model->rng = 0x1", "fc1.w"),
    "advance of the random state": ("net.c", r"TPS_PHI \* 18", "TPS_PHI * 19", "rng"),
    "steps counted": ("net.c", "(model->step [+]= )", r"\g<1>1u; \g<1>", "step"),
    "first weight": ("net_tps_data.c", r"(fc1_first_w\[54\] = \{\s*)-?\d+", r"\g<1>77", "fc1.w"),
    "first bias": ("net_tps_data.c", r"(fc3_first_b\[5\] = \{\s*)-?\d+", r"\g<1>4321", "output"),
}


def test_the_unchanged_code_is_equal_and_all_its_tensors_move(model, project):
    assert verdict_of(model, project).verdict == "equal"
    assert selftest_of(model, project)
    reference = Reference(model)
    before = reference.state()
    for sample, label in zip(*samples_of(model, SEED), strict=True):
        reference.train_step(sample, label)
    after = reference.state()
    # Training leaves the schedule's start and the rate as they are (tests/unit/test_rates.py).
    still = {name for name in before if (before[name] == after[name]).all()}
    assert still == {"start", "rate"}


@pytest.mark.parametrize("name", MUTATIONS)
def test_one_changed_constant_is_a_mismatch_in_its_tensor(model, project, name):
    file, pattern, replacement, tensor = MUTATIONS[name]
    verdict = verdict_of(model, changed(project, file, f"(?m:{pattern})", replacement))
    assert verdict.verdict == "mismatch"
    assert verdict.tensor == tensor, verdict.describe()


def test_a_changed_rate_is_found_in_the_step_where_it_begins_to_hold(model, project):
    verdict = verdict_of(model, changed(project, "net.c", "32768, 16384,", "32768, 10000,"))
    assert verdict.step is not None
    assert SEGMENT < verdict.step <= STEPS


def test_the_selftest_fails_where_a_constant_of_a_layer_that_does_not_train_is_changed(model):
    frozen = freeze(model, [False, True, True])
    x, labels = samples_of(frozen, SEED)
    project = project_of(frozen, x[:4], labels[:4])
    # The last weight of all meets inputs that may be 0: the answers need not show it.
    pattern = r"(const int16_t tps_fc1_w\[54\] = \{[^}]*?)(-?\d+),(\s*\})"
    assert selftest_of(frozen, project)
    assert not selftest_of(
        frozen, changed(project, "net_tps_data.c", pattern, r"\g<1>\g<2> ^ 1,\g<3>")
    )


@pytest.mark.parametrize(
    ("file", "pattern", "replacement"),
    [
        ("net_tps_data.c", r"(fc2_first_w\[42\] = \{\s*)-?\d+", r"\g<1>5"),
        ("net_tps_data.c", r"(net_selftest_labels\[4\] = \{\s*)\d+", r"\g<1>4"),
        ("net.c", r"!= 0x", "!= ~0x"),
        ("net_tps_crc32.c", "0x1DB71064", "0x1DB71065"),
    ],
    ids=["weight", "label", "digest", "checksum"],
)
def test_the_selftest_fails_where_a_value_is_changed(model, project, file, pattern, replacement):
    assert not selftest_of(model, changed(project, file, pattern, replacement))
