"""A spec's project as a package for an ecosystem."""

from collections.abc import Mapping
from dataclasses import dataclass

from tpsgd_edge import __version__
from tpsgd_edge.codegen.packages import (
    Maker,
    PackageView,
    Target,
    archive_of,
    package_view,
    render_package,
)
from tpsgd_edge.frontend.data import DataNotes
from tpsgd_edge.spec import Spec
from tpsgd_edge.stages.example import example_of
from tpsgd_edge.stages.preparation import prepare, render_project


@dataclass(frozen=True, slots=True)
class Package:
    """The files of a package, its archive if it has one, and what is to be said of the data."""

    view: PackageView
    files: Mapping[str, str]
    archive: Mapping[str, bytes]
    data: DataNotes


def package_of(spec: Spec, target: Target, maker: Maker) -> Package:
    """The package of a spec. Checkpoints are always in it.

    Raises:
        TpsgdError: the spec or data are at fault; each step of a sequence has a label.
    """
    firmware = spec.firmware.model_copy(update={"store": True})
    prepared = prepare(spec.model_copy(update={"firmware": firmware}))
    example = example_of(prepared)
    project = render_project(prepared)
    view = package_view(
        prepared.model,
        prepared.plan,
        project,
        example,
        maker,
        tool_version=__version__,
        adapter=target.adapter,
    )
    files = render_package(target, view, project)
    return Package(view, files, archive_of(target, view, files), prepared.dataset.said)
