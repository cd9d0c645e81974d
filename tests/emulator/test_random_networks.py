"""A fixed set of random networks on every emulated core: no bit differs from the reference."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.random.counts import CI, NIGHT, NOW
from tests.random.networks import Recipe, project_of, random_recipe, samples_of
from tests.random.running import assert_same, assert_same_inference, written
from tests.support.models import ACTIVATIONS, PROJECTIONS, VALUE_TYPES, loss_choices
from tests.support.one_unit import firmware_of_one_unit
from tpsgd_edge.codegen import CProject
from tpsgd_edge.errors import ToolError
from tpsgd_edge.quantize import QuantizedModel
from tpsgd_edge.toolchain.build import Binary, compile_firmware
from tpsgd_edge.toolchain.compilers import Compiler, find_compiler
from tpsgd_edge.toolchain.interface import interface_of
from tpsgd_edge.toolchain.open_device import find_emulator, open_device
from tpsgd_edge.toolchain.platforms import Platform, all_platforms, load_platform, port_files

pytestmark = pytest.mark.emulator

NETWORKS = 20
# With these seeds the set covers all kinds; the last test says whether it still does.
_FIRST_SEED = 158
# An AVR's 8 KB are too small for most of the nets here: test_avr.py has some that fit.
CORES = [
    platform.name
    for platform in all_platforms()
    if platform.memory is not None and platform.memory.ram.size > 1 << 16
]
# One instruction set, more or less of it.
_ALIKE = (
    ("cortex-m0plus", "cortex-m23"),
    ("cortex-m3", "cortex-m4f", "cortex-m7", "cortex-m33"),
    ("cortex-m55", "cortex-m85"),
    ("rv32imc", "rv32imcb"),
)


# Each case runs on one core in so many of those that are alike.
_ONE_IN = {id(NIGHT): 1, id(CI): 2}.get(id(NOW), 8)


def _is_turn_of(core: str, place: int) -> bool:
    """Whether a core is among those of its group that take the case of this place."""
    for group in _ALIKE:
        if core in group:
            turns = max(len(group), _ONE_IN)
            turn = group.index(core) * (turns // len(group)) + place + place // 4
            return turn % turns < turns // _ONE_IN
    return True


def on_cores(*, family: str | None = None, **cases: Sequence[object]) -> pytest.MarkDecorator:
    """Each case of a test on cores: in turn on some of those that are alike; at night on all.

    Args:
        family: of compilers; cores that it does not build for are left out.
        cases: one argument of the test, and its values.
    """
    ((name, values),) = cases.items()
    cores = [core for core in CORES if family is None or family in load_platform(core).flags]
    pairs = [
        pytest.param(value, core, id=f"{getattr(value, 'stem', value)}-{core}")
        for place, value in enumerate(values)
        for core in cores
        if _is_turn_of(core, place)
    ]
    return pytest.mark.parametrize((name, "core"), pairs)


_STORAGES = [
    (kind, storage)
    for storage in ("seed", "s8", "packed")
    for kind in PROJECTIONS
    if (kind, storage) != ("gaussian", "packed")
]


def recipe_of(number: int) -> Recipe:
    """One of the set: all formats and projections in turn, the rest drawn from the number."""
    projection, storage = _STORAGES[number % len(_STORAGES)]
    return random_recipe(
        np.random.default_rng(_FIRST_SEED + number),
        value_type=VALUE_TYPES[number % 3],
        label_kind="vector" if number % 4 == 3 else "class",
        projection=projection,
        storage=storage,
    )


def needed(platform: Platform, family: str | None = None) -> Compiler:
    """The compiler for a core that can also be emulated, or the test skips."""
    try:
        find_emulator(platform)
        return find_compiler(platform, family)
    except ToolError as error:
        pytest.skip(str(error))


def run_network(
    number: int, core: str, *, family: str | None = None, inference_only: bool = False
) -> None:
    """Build one network for a core, run it there and compare all it does with the reference."""
    recipe = recipe_of(number)
    run_on(core, recipe.model(), recipe.seed, family=family, inference_only=inference_only)


def run_on(
    core: str,
    model: QuantizedModel,
    seed: int,
    *,
    family: str | None = None,
    inference_only: bool = False,
) -> None:
    """The same for any model, with the samples of a seed; `build_for` says how it is built."""
    platform = load_platform(core)
    needed(platform, family)
    x, labels = samples_of(model, seed)
    project = project_of(model, x[:4], labels[:4])
    project = replace(project, files={**project.files, **port_files(platform)})
    with written(project) as folder:
        binary = build_for(
            platform, project, folder, seed, family=family, inference_only=inference_only
        )
        with open_device(binary, interface_of(model)) as device:
            check = assert_same_inference if inference_only else assert_same
            check(model, device, seed)


def build_for(
    platform: Platform,
    project: CProject,
    folder: Path,
    number: int,
    *,
    family: str | None = None,
    inference_only: bool = False,
) -> Binary:
    """Firmware of a project that lies in a folder, with its port/.

    A fifth of the cores, others for each number, run what the product builds: each file by itself,
    with -O2, by zig. The rest run one unit, which gcc compiles with -O1 in a tenth of the time.
    With a family given, the product builds.
    """
    if family is None and (CORES.index(platform.name) + number) % 5:
        return firmware_of_one_unit(
            project,
            folder,
            platform,
            _quickest(platform),
            optimize="-O1",
            inference_only=inference_only,
        )
    return compile_firmware(
        folder,
        project.name,
        project.sources,
        platform,
        find_compiler(platform, family),
        build_dir=folder / "build",
        inference_only=inference_only,
        warnings_as_errors=True,
    )


def _quickest(platform: Platform) -> Compiler:
    """gcc, which takes half of zig's time, or the first that is found."""
    try:
        return find_compiler(platform, "gcc")
    except ToolError:
        return find_compiler(platform)


@on_cores(number=range(NETWORKS))
def test_a_core_does_what_the_reference_does(core, number):
    run_network(number, core)


@pytest.mark.slow
@on_cores(family="gcc", number=[3, 4, 5])
def test_gcc_makes_the_same_of_it(core, number):
    run_network(number, core, family="gcc")


@pytest.mark.slow
@on_cores(number=[6, 7, 8])
def test_firmware_that_only_predicts_does_too(core, number):
    run_network(number, core, inference_only=True)


def test_the_set_covers_all_kinds():
    models = [recipe_of(number).model() for number in range(NETWORKS)]
    layers = [layer for model in models for layer in model.layers]
    assert {layer.activation for layer in layers} == set(ACTIVATIONS)
    assert {layer.weight_type for layer in layers} == set(VALUE_TYPES)
    assert {model.gate is None for model in models} == {True, False}
    assert {len(model.schedule.decay) == 1 for model in models} == {True, False}
    for is_last in (False, True):
        wanted = set(loss_choices("class", "sigmoid", is_last=is_last))
        wanted |= set(loss_choices("class", "linear", is_last=is_last))
        found = {layer.loss.kind for layer in layers if layer.is_last == is_last}
        assert found == wanted
