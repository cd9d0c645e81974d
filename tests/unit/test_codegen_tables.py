"""The generator's tables: nothing is missing, nothing is there that no project can have."""

from typing import get_args

import jinja2.nodes
import pytest

from tests.random.networks import network, project_of, samples_of
from tests.support.small_projects import SMALL, small_project
from tpsgd_edge.assets import firmware_dir, templates_dir
from tpsgd_edge.codegen.calls import Argument, Call, Source
from tpsgd_edge.codegen.components import COMPONENTS
from tpsgd_edge.codegen.error_kernels import ErrorKernel
from tpsgd_edge.codegen.kinds import KINDS
from tpsgd_edge.codegen.rendering import _environment, template
from tpsgd_edge.quantize.model import QuantizedLayer
from tpsgd_edge.spec.loss import LossKind

# Rendered on their own, or into other files than those of kernels.
OWN = {
    "model.h.j2",
    "model.c.j2",
    "model_port.h.j2",
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
    there = {path.name for path in templates_dir().iterdir()}
    assert rendered | OWN <= there
    used = set()
    for name in there:
        tree = _environment().parse((templates_dir() / name).read_text(encoding="utf-8"))
        kinds = (jinja2.nodes.Include, jinja2.nodes.Import, jinja2.nodes.FromImport)
        used |= {node.template.value for node in tree.find_all(kinds)}
    assert there == rendered | OWN | used


def test_every_component_is_in_some_project_and_no_more_in_all_than_must_be():
    curved = network(3, value_type="f32", n_in=4, hidden=[3], activations=["elu", "linear"])
    projects = [small_project(name) for name in SMALL]
    projects.append(project_of(curved, *(part[:2] for part in samples_of(curved, 1))))
    present = [
        {c.name for c in COMPONENTS if f"{project.name}_{c.name}.h" in project.files}
        for project in projects
    ]
    shared = {"tps_status"}
    assert set.union(*present) == {component.name for component in COMPONENTS} - shared
    always = {"tps_compiler", "tps_crc32", "tps_data", "tps_layer", "tps_names", "tps_random"}
    assert set.intersection(*present) == always


def test_every_kind_of_layers_has_its_record():
    made = {"dense", "conv2d", "rnn", "gru", "max_pool", "average_pool"}
    assert set(KINDS) == made
    assert len(get_args(QuantizedLayer)) == len({id(kind) for kind in KINDS.values()})


def test_a_kind_learns_or_lets_errors_through():
    for name, kind in KINDS.items():
        assert (kind.learn is None) != (kind.pass_down is None), name
        assert (kind.recall is not None) == (name in ("rnn", "gru"))


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
