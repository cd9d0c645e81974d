"""The generator's tables: nothing is missing, nothing is there that no project can have."""

import re
from collections import defaultdict
from dataclasses import replace
from typing import get_args

import jinja2.nodes
import numpy as np
import pytest

from tests.random.networks import ORIGIN, network, samples_of
from tests.support.carried import can_carry, with_carried_scores
from tests.support.detectors import random_detecting
from tests.support.gated import with_gru_layers, with_lstm_layers
from tests.support.memories import with_memories
from tests.support.norms import normalizing
from tests.support.signals import BANDS, numbers_of
from tests.support.small_projects import SMALL, small_project
from tpsgd_edge.assets import firmware_dir, templates_dir
from tpsgd_edge.codegen import Additions, render
from tpsgd_edge.codegen.calls import (
    DECAY,
    Argument,
    Call,
    LearningCalls,
    OperationView,
    Source,
    X,
    call,
    use_state,
)
from tpsgd_edge.codegen.components import COMPONENTS
from tpsgd_edge.codegen.drift import DriftView
from tpsgd_edge.codegen.error_kernels import ErrorKernel
from tpsgd_edge.codegen.kinds import KINDS
from tpsgd_edge.codegen.naming import file_name
from tpsgd_edge.codegen.rendering import _environment, template
from tpsgd_edge.codegen.signal import Features
from tpsgd_edge.memory import plan_memory
from tpsgd_edge.spec.loss import LossKind
from tpsgd_edge.stages.selftest import selftest_of

# Rendered on their own, or into other files than those of kernels.
DRIFT = DriftView(is_confidence=False, tolerance=1638, threshold=327680, after=30)
FEATURES = Features(numbers_of(256, **BANDS, statistics=("mean", "kurtosis")), selftest_crc=0)
OWN = {
    "model.h.j2",
    "model.c.j2",
    "model_port.h.j2",
    "model_raw.h.j2",
    "model_raw.c.j2",
    "model_costs.h.j2",
    "model_drift.h.j2",
    "model_signal.h.j2",
    "model_signal.c.j2",
    "model_fleet.h.j2",
    "board_main.c.j2",
    "model_log.h.j2",
    "model_log.c.j2",
    "model_store.h.j2",
    "model_wire.c.j2",
    "model_wire.h.j2",
    "model_store.c.j2",
    "project_makefile.j2",
    "project_cmake.j2",
    "project_readme.md.j2",
    "example_main.c.j2",
}


def names_of(component):
    return {
        f"{component.name}.{ending}" for ending in (["h", "c"] if component.has_source else "h")
    }


def test_components_are_all_templates_and_all_runtime_files():
    """A file that nothing renders or copies would be dead."""
    runtime = {name for c in COMPONENTS if c.is_runtime for name in c.files}
    assert runtime == {path.name for path in (firmware_dir() / "runtime").iterdir()}
    rendered = {f"{name}.j2" for c in COMPONENTS if not c.is_runtime for name in c.files}
    there = {path.name for path in templates_dir().iterdir() if path.is_file()}
    assert rendered | OWN <= there
    used = set()
    for name in there:
        tree = _environment().parse((templates_dir() / name).read_text(encoding="utf-8"))
        kinds = (jinja2.nodes.Include, jinja2.nodes.Import, jinja2.nodes.FromImport)
        used |= {node.template.value for node in tree.find_all(kinds)}
    assert there == rendered | OWN | used


def test_every_component_is_in_some_project_and_no_more_in_all_than_must_be():
    graphs = (network(seed, graph=True) for seed in range(20))
    branched = next(m for m in graphs if any(layer.kind == "add" for layer in m.layers))
    curved = network(3, value_type="f32", n_in=4, hidden=[3], activations=["elu", "linear"])
    drawn = (network(seed, value_type="s8", label_kind="class", hidden=[3]) for seed in range(20))
    scored = with_carried_scores(np.random.default_rng(1), next(m for m in drawn if can_carry(m)))
    projects = [small_project(name) for name in SMALL]
    pixels = network(1, value_type="s8", label_kind="class", hidden=[3])
    pixels = replace(pixels, inputs=replace(pixels.inputs, raw="uint8"))
    detecting = random_detecting(1)
    norm = normalizing("s8", (1, 1, 5))
    for model in (curved, branched, scored, pixels, detecting, norm):
        samples = [part[:2] for part in samples_of(model, 1)]
        test = selftest_of(model, *samples)
        plan = plan_memory(model)
        more = Additions(has_store=True, has_wire=True, log_every=5, drift=DRIFT, features=FEATURES)
        projects.append(render(model, plan, ORIGIN, test, {}, more))
    present = [
        {c.name for c in COMPONENTS if file_name(project.name, f"{c.name}.h") in project.files}
        for project in projects
    ]
    assert set.union(*present) == {component.name for component in COMPONENTS}
    always = {"compiler", "crc32", "data", "layer", "names", "random", "ranges", "status"}
    assert set.intersection(*present) == {f"tps_{name}" for name in always}


def test_the_kinds_are_those_that_layers_have():
    recurrent = network(0, recurrent=True)
    branched = [network(seed, graph=True) for seed in range(20)]
    rng = np.random.default_rng(0)
    remembering = with_memories(rng, network(0))
    gated = (with_gru_layers(rng, recurrent), with_lstm_layers(rng, recurrent))
    others = (*gated, remembering, random_detecting(1), normalizing("s8", (1, 1, 5)))
    models = [recurrent, *others, *branched]
    assert set(KINDS) == {layer.kind for model in models for layer in model.layers}


def test_kinds_that_keep_a_state_can_make_their_output_again():
    assert {name for name, kind in KINDS.items() if kind.recall} == {"rnn", "gru", "lstm", "memory"}


def test_what_a_lesson_reads_is_in_its_calls_however_deep():
    join = call("f", Argument("values", "int8_t", parts=(X, Argument("arena", "fc1_y"))))
    learns = call("g", DECAY, Argument("state", "fc1_w"))
    lesson = LearningCalls((OperationView("", (learns,)),), gated=(OperationView("", (join,)),))
    assert lesson.reads_input
    assert lesson.decays_from == 0
    assert not use_state(lesson.gated)
    assert use_state(lesson.stages)


@pytest.mark.parametrize("source", get_args(Source))
def test_every_argument_is_written(source):
    call = Call("f", (Argument(source, "name", number=3), Argument(source, "name")))
    written = template("calls.c.j2").module.statement(call)
    first, second = written.strip().removeprefix("f(").removesuffix(");").split(", ")
    assert first
    assert second


def literals(of):
    """All strings of a Literal, those of literals inside of it, too."""
    parts = get_args(of)
    return {part for part in parts if isinstance(part, str)}.union(
        *(literals(part) for part in parts if not isinstance(part, str))
    )


@pytest.mark.parametrize("loss", sorted(literals(LossKind)))
def test_every_loss_has_its_words_and_its_error(loss):
    kernel = ErrorKernel(loss, loss, "target", "s8", "int8_t", is_last=True, returns="void")
    assert template("error_macros.j2").module.summary(kernel).startswith("e = ")


# Of two that no project has together, one name may stand in both.
APART = ({"tps_dense", "tps_dense_f32"}, {"tps_error", "tps_error_f32"})
# A compilation of its own on every machine.
ALONE = {"board_main", "example_main", "project_readme", "model_fleet"}
# Programs and plugins of this computer, and start-up code of a core of its own.
APART_FROM_ALL = {"stdio", "sim", "count", "steps", "simavr", "startup_riscv", "startup_avr"}
_STATIC = re.compile(
    r"^static (?:inline |const |struct )*[\w{}.]+(?: \w+)? ?[ *](\w+)(?=[\[(;]| =)", re.MULTILINE
)


def test_static_names_are_those_of_one_file():
    """Simulations and proofs compile all files of a project as one."""
    places: dict[str, set[str]] = defaultdict(set)
    folders = [firmware_dir() / part for part in ("runtime", "port", "host")]
    for path in (p for folder in (templates_dir(), *folders) for p in folder.glob("*.*")):
        # The model's own source is made of several templates.
        stem = path.name.partition(".")[0]
        if stem in ALONE | APART_FROM_ALL:
            continue
        for name in _STATIC.findall(path.read_text(encoding="utf-8")):
            places[name].add(re.sub("^model_(steps|predicting|training)$", "model", stem))
    assert len(places) > 60
    twice = {name: stems for name, stems in places.items() if len(stems) > 1}
    assert not [name for name, stems in twice.items() if stems not in APART], twice
