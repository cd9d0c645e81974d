"""Specs whose verbs are methods: `load_spec("digits.toml").simulate(epochs=3)`.

The floors below know specs without verbs, and functions that take one; these are the same.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tpsgd_edge import pipeline, spec
from tpsgd_edge.reports.adaptation import AdaptResult
from tpsgd_edge.reports.results import (
    BuildResult,
    ExportResult,
    QuantizationResult,
    ReportResult,
    SimulateResult,
    VerifyResult,
)


class FluentSpec(spec.Spec):
    """One training project, with what can be done with it.

    Each method takes the keywords of the function of its name, and returns the same.
    """

    def build(self, **options: Any) -> BuildResult:
        """Render, compile and measure: `tpsgd_edge.build`."""
        return pipeline.build(self, **options)

    def verify(self, **options: Any) -> VerifyResult:
        """Compare reference and device after every step: `tpsgd_edge.verify`."""
        return pipeline.verify(self, **options)

    def simulate(self, **options: Any) -> SimulateResult:
        """Train on this computer with the generated code: `tpsgd_edge.simulate`."""
        return pipeline.simulate(self, **options)

    def report(self, **options: Any) -> ReportResult:
        """Do all three, and write one HTML file: `tpsgd_edge.report`."""
        return pipeline.report(self, **options)

    def quantization(self, **options: Any) -> QuantizationResult:
        """Compare integers with real numbers: `tpsgd_edge.quantization`."""
        return pipeline.quantization(self, **options)

    def export(self, **options: Any) -> ExportResult:
        """Write a trained net as an ONNX file: `tpsgd_edge.export`."""
        return pipeline.export(self, **options)

    def adapt(self, **options: Any) -> AdaptResult:
        """Try which layers of a trained net learn best: `tpsgd_edge.adapt`."""
        return pipeline.adapt(self, **options)


def load_spec(path: str | Path, overrides: Sequence[str] = ()) -> FluentSpec:
    """The spec in a TOML file.

    Args:
        path: the file; relative paths in it start at its folder.
        overrides: `key.sub=value` each, applied in order. The value is read as TOML, and as text
            where it is none. Entries of a list go by index or by name: `model.layers.fc1.units=64`.

    Raises:
        SpecError: what is wrong with the file, the overrides or their content, all of it at once.
    """
    return _with_verbs(spec.load_spec(path, overrides))


def spec_from_dict(
    content: Mapping[str, Any], folder: str | Path = ".", source: str = "spec"
) -> FluentSpec:
    """The spec in a nested dict, as `tomllib` reads one from a file.

    Args:
        content: sections and keys.
        folder: where relative paths in it start.
        source: what messages call it.

    Raises:
        SpecError: everything that is wrong with it.
    """
    return _with_verbs(spec.spec_from_dict(content, folder, source))


def _with_verbs(plain: spec.Spec) -> FluentSpec:
    kept = {name: getattr(plain, name) for name in spec.Spec.model_fields}
    made = FluentSpec.model_construct(_fields_set=plain.model_fields_set, **kept)
    made._folder, made._source = plain.folder, plain.source
    made._overrides, made._notes = plain.overrides, plain.notes
    return made
