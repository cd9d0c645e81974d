"""The C project of a model: rendered, or out of the user's cache where it was rendered before."""

import json
import sys
import zlib
from dataclasses import dataclass
from importlib.metadata import version

from tpsgd_edge import __version__
from tpsgd_edge.arithmetic.types import Array
from tpsgd_edge.assets import code_digest
from tpsgd_edge.cache import fetch, keep, key_of
from tpsgd_edge.canonical import canonical
from tpsgd_edge.codegen.project import CProject
from tpsgd_edge.features.numbers import FeatureNumbers
from tpsgd_edge.memory.plan import MemoryPlan
from tpsgd_edge.quantize.model import QuantizedModel
from tpsgd_edge.spec import Spec
from tpsgd_edge.toolchain.platforms import Platform


@dataclass(frozen=True, slots=True)
class ProjectTask:
    """All that a project follows from.

    Attributes:
        input_shape: of one sample before it was flattened.
        features: None where the samples are no signal's.
        x, labels: samples (n, n_in) of the self-test, and their labels, as the device takes them.
    """

    spec: Spec
    model: QuantizedModel
    plan: MemoryPlan
    platform: Platform
    input_shape: tuple[int, ...]
    features: FeatureNumbers | None
    x: Array
    labels: Array


def project_of(task: ProjectTask) -> CProject:
    """The C project, with samples and digest for its self-test.

    Raises:
        SpecError: the spec asks for windows or a detector that do not go with its net.
    """
    tools = (sys.version, version("jinja2"), version("numpy"))
    key = key_of(("project", canonical(task), *tools, code_digest()))
    kept = fetch(key)
    if kept is not None:
        known = json.loads(zlib.decompress(kept))
        return CProject(task.model.name, known["files"], tuple(known["sources"]))
    project = _rendered(task)
    content = {"files": dict(project.files), "sources": project.sources}
    keep(key, zlib.compress(json.dumps(content).encode(), 1))
    return project


def _rendered(task: ProjectTask) -> CProject:
    # The generator and the reference take as long to load as all the rest of a build.
    from tpsgd_edge.codegen.additions import Additions
    from tpsgd_edge.codegen.rendering import render
    from tpsgd_edge.codegen.view import Origin
    from tpsgd_edge.stages.boards import board_project_files
    from tpsgd_edge.stages.drift import detector_of
    from tpsgd_edge.stages.heard import features_for
    from tpsgd_edge.stages.selftest import selftest_of
    from tpsgd_edge.stages.windows import window_of
    from tpsgd_edge.toolchain.platforms import port_files

    model, spec = task.model, task.spec
    own = spec.firmware
    additions = Additions(
        has_store=own.store,
        has_wire=own.wire,
        window=window_of(spec, model, task.input_shape),
        log_every=own.log,
        drift=detector_of(spec, model),
        features=None if task.features is None else features_for(task.features),
    )
    origin = Origin(__version__, spec.source, spec.digest)
    port = port_files(task.platform) | board_project_files(spec, task.plan)
    selftest = selftest_of(model, task.x, task.labels)
    return render(model, task.plan, origin, selftest, port, additions)
