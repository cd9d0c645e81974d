"""Proves drawn specs, on this computer or on an emulated core, as fast as a night of them needs.

What `verify` compares is compared. Each build is one command that compiles one unit without more
than the optimization asked for: the builds of the product are those of the other tests.
"""

import shutil
from dataclasses import dataclass, field, replace
from pathlib import Path

from tests.random.specs import Drawn
from tests.support.one_unit import firmware_of_one_unit
from tpsgd_edge.codegen import CProject
from tpsgd_edge.errors import DataError, SpecError
from tpsgd_edge.stages import Prepared, render_project, scratch_project
from tpsgd_edge.stages.proof import prove, prove_predictions
from tpsgd_edge.toolchain.build import Binary, compile_simulation
from tpsgd_edge.toolchain.compilers import Compiler, find_compiler
from tpsgd_edge.toolchain.interface import interface_of
from tpsgd_edge.toolchain.open_device import open_device
from tpsgd_edge.toolchain.platforms import Platform, load_platform, port_files
from tpsgd_edge.verdict import Verdict

STEPS = 60
TCC = "tcc"


@dataclass(frozen=True, slots=True)
class Way:
    """Where and how nets are proved.

    Attributes:
        core: name of a platform.
        compiler: a family or a command; None for the first that is found.
        optimize: the compiler's level.
        steps: training steps of each net.
    """

    core: str = "host"
    compiler: str | None = None
    optimize: str = "-O0"
    steps: int = STEPS


@dataclass
class Tally:
    """How many specs were drawn, what came of them, and how many steps agreed.

    Attributes:
        seen: of each net its spec in words, so that none counts twice.
    """

    drawn: int = 0
    refused: int = 0
    steps: int = 0
    seen: set[str] = field(default_factory=set)

    @property
    def nets(self) -> int:
        """Nets that were proved, each once."""
        return len(self.seen)

    def run(self, one: Drawn, way: Way = Way()) -> None:
        """Prove one spec that was not proved yet; a mismatch fails.

        Raises:
            AssertionError: a mismatch, with the spec.
        """
        self.drawn += 1
        if repr(one) in self.seen:
            return
        try:
            prepared = one.prepared()
        except (SpecError, DataError):
            self.refused += 1
            return
        verdict = proved(prepared, way)
        assert verdict.verdict == "equal", f"{verdict.describe()}\n  {one}"
        self.seen.add(repr(one))
        self.steps += verdict.steps


def proved(prepared: Prepared, way: Way) -> Verdict:
    """What a proof says of code that trains, and of code that only predicts."""
    platform, project = load_platform(way.core), render_project(prepared)
    project = replace(project, files={**project.files, **port_files(platform)})
    interface = interface_of(prepared.model)
    with scratch_project(project) as folder:
        build = _Build(project, folder, platform, _compiler(platform, way), way.optimize)
        with open_device(build.binary(only_predicts=False), interface) as device:
            verdict = prove(device, prepared, way.steps, lambda *_: None)
            state = device.state()
        if verdict.verdict == "mismatch":
            return verdict
        with open_device(build.binary(only_predicts=True), interface) as device:
            predicted = prove_predictions(device, prepared, state, way.steps)
    return verdict if predicted.verdict == "equal" else predicted


def _compiler(platform: Platform, way: Way) -> Compiler:
    if way.compiler == TCC:
        # Known to nobody but these tests: a fifth of gcc's time, and no vector types.
        return Compiler("gcc", (shutil.which(TCC) or TCC, "-U__SSE2__"), TCC)
    return find_compiler(platform, way.compiler)


@dataclass(frozen=True, slots=True)
class _Build:
    project: CProject
    folder: Path
    platform: Platform
    compiler: Compiler
    optimize: str

    def binary(self, *, only_predicts: bool) -> Binary:
        """A library of this computer, or firmware of a core."""
        if self.platform.is_host:
            return compile_simulation(
                self.folder,
                self.project.name,
                self.project.sources,
                self.compiler,
                build_dir=self.folder / "build",
                optimize=self.optimize,
                inference_only=only_predicts,
                warnings_as_errors=True,
            )
        return firmware_of_one_unit(
            self.project,
            self.folder,
            self.platform,
            self.compiler,
            optimize=self.optimize,
            inference_only=only_predicts,
        )
