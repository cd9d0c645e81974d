"""Specs whose open keys follow from arrays, as `prepare` resolves them."""

from typing import Any

from tpsgd_edge.frontend.data import Dataset, dataset_from_arrays
from tpsgd_edge.frontend.defaults import with_defaults
from tpsgd_edge.frontend.network import build_graph
from tpsgd_edge.quantize import QuantizedModel, quantize
from tpsgd_edge.spec import Spec


def resolved(spec: Spec, *arrays: Any) -> tuple[Spec, Dataset]:
    """The spec with scaling, epochs and rates, and the data set of the arrays (x, y, ...)."""
    return with_defaults(spec, dataset_from_arrays(spec, *arrays))


def quantized(spec: Spec, *arrays: Any) -> QuantizedModel:
    """The quantized model of a spec and arrays (x, y, ...)."""
    spec, dataset = resolved(spec, *arrays)
    return quantize(spec, build_graph(spec, dataset), dataset)
