"""Random networks on real code: build, run, compare with the reference."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from tests.random.networks import (
    Array,
    Recipe,
    late_state,
    project_of,
    random_rate,
    samples_of,
    state_bytes,
)
from tpsgd_edge.codegen import CProject
from tpsgd_edge.errors import DataError, ToolError
from tpsgd_edge.quantize.model import QuantizedModel
from tpsgd_edge.reference import Reference, answers, trace
from tpsgd_edge.toolchain.build import SANITIZE, Binary, compile_simulation
from tpsgd_edge.toolchain.compilers import Compiler, find_compiler
from tpsgd_edge.toolchain.device import Device
from tpsgd_edge.toolchain.folder import write_scratch
from tpsgd_edge.toolchain.interface import interface_of
from tpsgd_edge.toolchain.open_device import open_device
from tpsgd_edge.toolchain.platforms import load_platform
from tpsgd_edge.toolchain.process import run_tool
from tpsgd_edge.verdict import compare, compare_answers


@dataclass(frozen=True)
class Build:
    """A way to build for this computer."""

    family: str | None
    optimize: str
    sanitize: bool = False
    inference_only: bool = False
    options: tuple[str, ...] = ()

    def compiler(self) -> Compiler:
        """The compiler, or the test skips."""
        try:
            compiler = find_compiler(load_platform("host"), self.family)
        except ToolError as error:
            pytest.skip(str(error))
        if self.sanitize and (reason := _no_sanitizers(compiler)):
            pytest.skip(reason)
        return compiler

    def with_options(self, compiler: Compiler) -> Compiler:
        """The compiler, with the options of the build."""
        return replace(compiler, command=(*compiler.command, *self.options))


@cache
def _no_sanitizers(compiler: Compiler) -> str:
    """Why the compiler cannot build with sanitizers; empty where it can."""
    if compiler.family == "zig":
        return "zig brings no address sanitizer: install gcc or clang"
    with tempfile.TemporaryDirectory(prefix="tpsgd-random-") as folder:
        source = Path(folder) / "main.c"
        source.write_text("int main(void) { return 0; }\n")
        try:
            command = [*compiler.command, *SANITIZE, str(source), "-o", f"{folder}/main"]
            run_tool(command, purpose="linking with sanitizers", timeout=60)
        except ToolError as error:
            return f"{compiler.title} has no sanitizers: {error}"
    return ""


def _sanitized() -> Build:
    """clang and lld where they are there: they take two thirds of the time that gcc takes."""
    quick = Build("clang", "-O0", sanitize=True, options=("-fuse-ld=lld",))
    try:
        clang = find_compiler(load_platform("host"), "clang")
    except ToolError:
        clang = None
    if clang is None or _no_sanitizers(quick.with_options(clang)):
        return Build(None, "-O0", sanitize=True)
    return quick


PLAIN = Build(None, "-O0")
# Without optimization a network takes a quarter of the time, and the sanitizers see more.
SANITIZED = _sanitized()
_NO_VECTORS = ("-U__SSE2__", "-U__ARM_NEON")
OTHER_BUILDS = {
    "optimized and sanitized": Build(None, "-O2", sanitize=True),
    "as fast as it gets": Build(None, "-O3"),
    "clang": Build("clang", "-O1", sanitize=True),
    "zig": Build("zig", "-O3"),
    "inference only": replace(SANITIZED, inference_only=True),
    # What cores without vector units run, and in C what those with the DSP extension run.
    "plain": replace(SANITIZED, options=(*SANITIZED.options, *_NO_VECTORS)),
    "pairs": replace(SANITIZED, options=(*SANITIZED.options, *_NO_VECTORS, "-DTPS_PAIRS_IN_C")),
}


@contextmanager
def repeatable(recipe: Recipe) -> Iterator[None]:
    """Adds to whatever fails the one command that repeats it."""
    try:
        yield
    except Exception as error:
        error.add_note(f"repeat: python -m pytest tests/random --network={recipe}")
        raise


@contextmanager
def written(project: CProject) -> Iterator[Path]:
    """The project in a folder that is gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="tpsgd-random-") as folder:
        write_scratch(project.files, Path(folder) / project.name)
        yield Path(folder) / project.name


def run_recipe(recipe: Recipe, build: Build) -> None:
    """Build one network for this computer and compare all it does with the reference."""
    run_model(recipe.model(), recipe.seed, build)


def run_model(model: QuantizedModel, seed: int, build: Build) -> None:
    """The same of a model, with samples from a seed."""
    x, labels = samples_of(model, seed)
    project = project_of(model, x[:4], labels[:4])
    with written(project) as folder:
        binary = host_binary(project, folder, build)
        with open_device(binary, interface_of(model), timeout=60) as device:
            if build.inference_only:
                assert_same_inference(model, device, seed)
            else:
                assert_same(model, device, seed)


def host_binary(project: CProject, folder: Path, build: Build) -> Binary:
    """The project built for this computer; a warning fails."""
    compiler = build.with_options(build.compiler())
    define = (f"-D{project.name.upper()}_INFERENCE_ONLY",) if build.inference_only else ()
    return compile_simulation(
        folder,
        project.name,
        project.sources,
        replace(compiler, command=(*compiler.command, *define)),
        build_dir=folder / "build",
        sanitize=build.sanitize,
        optimize=build.optimize,
        warnings_as_errors=True,
    )


def assert_same(model: QuantizedModel, device: Device, seed: int) -> None:
    """Training, outputs, self-test and refusals of a fresh device are the reference's."""
    x, labels = samples_of(model, seed)
    reference = Reference(model)
    assert_same_steps(model, device, reference, x, labels)
    assert_same_outputs(device, reference, x)
    assert_same_answers(device, reference, x, labels)
    assert_same_rates(model, device, reference, seed)
    assert device.selftest(), "the self-test fails"
    assert_refuses(model, device, x)
    _load_late_state(model, device, reference, seed)
    assert_same_outputs(device, reference, x)
    assert_same_answers(device, reference, x[:5], labels[:5])
    assert_same_steps(model, device, reference, x[:5], labels[:5])


def assert_same_inference(model: QuantizedModel, device: Device, seed: int) -> None:
    """Outputs of a fresh device and of one with weights at their limits are the reference's."""
    x, labels = samples_of(model, seed)
    reference = Reference(model)
    assert_same_outputs(device, reference, x)
    assert device.selftest(), "the self-test fails"
    _load_late_state(model, device, reference, seed)
    assert_same_outputs(device, reference, x)
    assert_same_answers(device, reference, x, labels)


def assert_same_steps(
    model: QuantizedModel, device: Device, reference: Reference, x: Array, labels: Array
) -> None:
    """Both train on; every tensor and output must agree after every step."""
    verdict = compare(trace(model, x, labels, reference=reference), device.trace(x, labels))
    assert verdict.verdict == "equal", verdict.describe()


def assert_same_rates(
    model: QuantizedModel, device: Device, reference: Reference, seed: int
) -> None:
    """Both train on after the rate was set, and after the schedule began again."""
    x, labels = samples_of(model, seed)
    rate = random_rate(np.random.default_rng(seed), model).item()
    reference.set_rate(rate)
    assert device.set_rate(rate), "a rate within its range is refused"
    assert_same_steps(model, device, reference, x[:4], labels[:4])
    reference.restart_schedule()
    device.restart_schedule()
    assert_same_steps(model, device, reference, x[:4], labels[:4])
    before = device.state()
    beyond = (1.5, -1e-30, float("nan")) if model.value_type == "f32" else (2**15 + 1, 2**32 - 1)
    for rate in beyond:
        assert not device.set_rate(rate), "a rate beyond its range is taken"
    assert device.state() == before, "a refused rate changes the state"


def assert_same_outputs(device: Device, reference: Reference, x: Array) -> None:
    """Outputs without training must agree."""
    expected = np.stack([reference.output(sample) for sample in x])
    actual = device.outputs(x)
    assert actual.tobytes() == expected.tobytes(), f"outputs {actual}, expected {expected}"
    if reference.model.has_confidence:
        sure = np.stack([reference.confidence(sample) for sample in x])
        assert device.confidences(x).tobytes() == sure.tobytes(), f"confidences, expected {sure}"


def assert_same_answers(device: Device, reference: Reference, x: Array, labels: Array) -> None:
    """What every public function says must agree."""
    verdict = compare_answers(answers(reference, x, labels), device.answers(x, labels), 0)
    assert verdict.verdict == "equal", verdict.describe()


def assert_refuses(model: QuantizedModel, device: Device, x: Array) -> None:
    """A class that does not exist is refused, and in f32 what is no number; nothing changes."""
    if model.value_type == "f32":
        assert_refuses_what_is_not_proved(model, device, x)
    if model.labels.kind != "class":
        return
    before = device.state()
    labels = np.array([model.labels.count, 65535], np.uint16)
    if model.labels.each_step:
        # Good labels first: a step that has learned already could not be taken back.
        labels = np.pad(labels[:, np.newaxis], ((0, 0), (model.steps - 1, 0)))
    assert device.train(x[:2], labels) == 2, "a label out of range is taken"
    assert device.state() == before, "a refused label changes the state"


# A bit above 2^20 in binary32, and what is no number.
NOT_PROVED = np.array([np.nan, np.inf, -np.inf, 1048576.125, -1048576.125, 3e38], np.float32)


def assert_refuses_what_is_not_proved(model: QuantizedModel, device: Device, x: Array) -> None:
    """Inputs and labels beyond the bounds of section 12 are refused, wherever they stand."""
    _, labels = samples_of(model, 0)
    before = device.state()
    for values in (x, labels) if model.labels.kind == "vector" else (x,):
        flat = values[:1].reshape(1, -1)
        for place in {0, flat.shape[1] // 2, flat.shape[1] - 1}:
            odd = np.repeat(flat, len(NOT_PROVED), axis=0)
            odd[:, place] = NOT_PROVED
            odd = odd.reshape(-1, *values.shape[1:])
            good = labels[:1] if values is x else x[:1]
            good = np.repeat(good, len(odd), axis=0)
            samples, wanted = (odd, good) if values is x else (good, odd)
            assert device.train(samples, wanted) == len(odd), f"bad values at {place} are taken"
            for sample, label in zip(samples, wanted, strict=True):
                label = int(label) if label.ndim == 0 else label
                with pytest.raises(DataError, match="what f32 is not proved for"):
                    Reference(model).train_step(sample, label)
            if values is x:
                # An answer to such an input means nothing, but stays inside of all arrays.
                device.outputs(odd)
    assert device.state() == before, "what is refused changes the state"


def _load_late_state(
    model: QuantizedModel, device: Device, reference: Reference, seed: int
) -> None:
    late = late_state(model, seed)
    reference.load_state(late)
    device.load_state(state_bytes(model, late))
