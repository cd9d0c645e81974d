"""The stages from a spec to a rendered project, in order."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tpsgd_edge.codegen.project import CProject
from tpsgd_edge.features.numbers import FeatureNumbers
from tpsgd_edge.frontend.data import Dataset, Samples, label_scaling, load_dataset
from tpsgd_edge.frontend.defaults import with_defaults
from tpsgd_edge.frontend.fitted import with_fitted_projections
from tpsgd_edge.frontend.imports.source import with_source
from tpsgd_edge.frontend.network import build_graph, dataset_scaling
from tpsgd_edge.frontend.prototypes import with_prototypes
from tpsgd_edge.graph import Graph, Labels, with_extra_classes, without_adaptors
from tpsgd_edge.memory import MemoryPlan, plan_memory
from tpsgd_edge.quantize import QuantizedModel, quantize, quantize_inputs, quantize_labels
from tpsgd_edge.rule import pretrain
from tpsgd_edge.spec import Spec, check_device_can
from tpsgd_edge.stages.projects import ProjectTask, project_of
from tpsgd_edge.toolchain.board import with_board
from tpsgd_edge.toolchain.build import Binary, compile_firmware, compile_simulation
from tpsgd_edge.toolchain.compilers import find_compiler
from tpsgd_edge.toolchain.folder import write_scratch
from tpsgd_edge.toolchain.platforms import Platform, load_platform
from tpsgd_edge.toolchain.scratch import scratch_folder

# Samples of the self-test, and the multiply-accumulates of a forward pass of them all: it answers
# each of them six times, which may take an emulator some seconds.
_SELFTEST_SAMPLES = 8
_SELFTEST_MACS = 5_000_000


@dataclass(frozen=True, slots=True)
class Prepared:
    """Everything that is known before code is generated."""

    spec: Spec
    dataset: Dataset
    graph: Graph
    model: QuantizedModel
    plan: MemoryPlan
    platform: Platform

    @property
    def features(self) -> FeatureNumbers | None:
        """The numbers of the features of a signal; None where the samples are no signal's."""
        return None if self.dataset.signal is None else self.dataset.signal.numbers


def prepare(spec: Spec, dataset: Dataset | None = None) -> Prepared:
    """Make a quantized model with a memory plan of a spec. Reads the data, writes nothing."""
    spec = with_board(spec)
    platform = load_platform(spec.platform.name)
    check_device_can(spec)
    spec = with_source(spec)
    dataset = load_dataset(spec) if dataset is None else dataset
    spec, dataset = with_defaults(spec, dataset)
    graph = trained_graph(spec, dataset)
    graph = with_extra_classes(graph, spec.model.extra_classes)
    graph = with_prototypes(spec, graph, dataset)
    model = quantize(spec, graph, dataset)
    return Prepared(spec, dataset, graph, model, plan_memory(model), platform)


def trained_graph(spec: Spec, dataset: Dataset) -> Graph:
    """The net before the device gets it, with the weights of its file or of pre-training.

    Raises:
        TpsgdError: as `build_graph` and `pretrain` do.
    """
    graph = with_fitted_projections(spec, build_graph(spec, dataset), dataset)
    return graph if spec.model.pretrain is None else _pretrained(spec, graph, dataset)


def _pretrained(spec: Spec, graph: Graph, dataset: Dataset) -> Graph:
    mean, std = dataset_scaling(spec, dataset)
    first = dataset.first
    x, y = _known_classes_only(first.x_train, first.y_train, graph.labels)
    if dataset.labels.kind == "vector":
        centre, spread = label_scaling(spec, y)
        y = (y - centre) / spread
    return replace(graph, weights=pretrain(spec, without_adaptors(graph), (x - mean) / std, y))


def _known_classes_only(
    x: Samples, y: NDArray[Any], labels: Labels
) -> tuple[Samples, NDArray[Any]]:
    """The samples of classes that the net has before the device adds more."""
    if labels.kind == "vector" or labels.each_step:
        return x, y
    there = y < labels.count
    return (x, y) if there.all() else (x[there], y[there])


def render_project(prepared: Prepared) -> CProject:
    """The C project, with samples and digest for its self-test."""
    model, dataset = prepared.model, prepared.dataset
    samples = selftest_samples(model, dataset)
    return project_of(
        ProjectTask(
            prepared.spec,
            model,
            prepared.plan,
            prepared.platform,
            dataset.input_shape,
            prepared.features,
            *samples,
        )
    )


def selftest_samples(
    model: QuantizedModel, dataset: Dataset
) -> tuple[NDArray[np.generic], NDArray[np.generic]]:
    """Samples (n, n_in) and labels of the self-test: the first ones, fewer for a large net."""
    count = max(2, min(_SELFTEST_SAMPLES, _SELFTEST_MACS // forward_macs(model)))
    x = quantize_inputs(model, dataset.x_train[:count])
    return x, quantize_labels(model, dataset.y_train[:count])


def forward_macs(model: QuantizedModel) -> int:
    """Multiply-accumulates of one sample's forward pass; of a sequence, of all its steps.

    At least one for each input, which layers without weights read too.
    """
    macs = [sum(dense.n_in * dense.y_count for dense in layer.units) for layer in model.layers]
    recurrent = len(model.recurrent)
    return max(model.n_inputs, model.steps * sum(macs[:recurrent]) + sum(macs[recurrent:]))


@contextmanager
def scratch_project(project: CProject) -> Iterator[Path]:
    """The project in a folder that is gone afterwards."""
    with scratch_folder() as folder:
        write_scratch(project.files, folder / project.name)
        yield folder / project.name


def compile_for_device(
    prepared: Prepared, project: CProject, folder: Path, *, inference_only: bool = False
) -> Binary:
    """Firmware for the platform of the spec, built in `folder`/build."""
    return compile_firmware(
        folder,
        project.name,
        project.sources,
        prepared.platform,
        find_compiler(prepared.platform),
        build_dir=folder / "build",
        inference_only=inference_only,
    )


def compile_predicting(prepared: Prepared, project: CProject, folder: Path) -> Binary:
    """Code for the platform of the spec that only predicts."""
    if prepared.platform.is_host:
        return compile_for_host(project, folder, inference_only=True)
    return compile_for_device(prepared, project, folder, inference_only=True)


def compile_for_host(project: CProject, folder: Path, *, inference_only: bool = False) -> Binary:
    """The project as a library for this computer, built in `folder`/build."""
    return compile_simulation(
        folder,
        project.name,
        project.sources,
        find_compiler(load_platform("host")),
        build_dir=folder / "build",
        inference_only=inference_only,
    )
