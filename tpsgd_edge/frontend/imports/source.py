"""The model of a spec that another tool made."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from tpsgd_edge.arithmetic.types import Real
from tpsgd_edge.errors import DataError, SpecError
from tpsgd_edge.frontend.data import raw_labels
from tpsgd_edge.frontend.inputs import check_inputs
from tpsgd_edge.graph import Weights
from tpsgd_edge.spec import DenseSpec, SourceInput, Spec, with_layers

if TYPE_CHECKING:
    from tpsgd_edge.frontend.imports.net import ImportedNet


def with_source(spec: Spec) -> Spec:
    """The spec with the layers of its source; as it is where it has none, or has them already.

    Raises:
        SpecError: settings that do not fit the layers.
        DataError: what is wrong with the file, or which node of it has no layer of ours; a file
            that the spec names is a pipe or a device.
        ToolError: the package onnx is not installed.
    """
    check_inputs(spec)
    if spec.model.source is None or spec.model.layers:
        return spec
    from tpsgd_edge.frontend.imports.steps import notes_on_integers
    from tpsgd_edge.frontend.imports.two_classes import as_two_classes, ends_with_sigmoid

    net = read_source(spec)
    if ends_with_sigmoid(net) and _are_two_classes(spec):
        net = as_two_classes(net)
    made = with_layers(spec, net.layers, net.input_shape, net.class_names, source=_input(net))
    return made.with_notes(*notes_on_integers(spec, net))


def read_source(spec: Spec) -> "ImportedNet":
    """Read the net that a spec names.

    Raises:
        SpecError: it is no file of a net by its ending.
    """
    path = spec.folder / (spec.model.source or "")
    read = _READERS.get(path.suffix.lower())
    if read is None:
        raise SpecError(
            f"the model's source '{path.name}' is of an unknown kind",
            where=f"{spec.source}, [model], source",
            found=f"the ending '{path.suffix}'",
            help=f"a source ends with {', '.join(_READERS)}; from PyTorch: torch.onnx.export, or "
            "from_torch",
        )
    return read(path)


def _read_onnx(path: Path) -> "ImportedNet":
    from tpsgd_edge.frontend.imports.onnx_net import read_onnx

    return read_onnx(path)


def _read_tflite(path: Path) -> "ImportedNet":
    from tpsgd_edge.frontend.tflite.net import read_tflite

    return read_tflite(path)


# By the ending of the file; most nets come from none.
_READERS: Mapping[str, Callable[[Path], "ImportedNet"]] = {
    ".onnx": _read_onnx,
    ".tflite": _read_tflite,
}


def source_weights(spec: Spec, class_names: tuple[str, ...]) -> dict[str, Weights]:
    """The weights of the net that a spec names, for the layers that the spec has from it.

    Args:
        class_names: of the data; where the file has the same names, its outputs follow their order.
    """
    from tpsgd_edge.frontend.imports.steps import with_steps
    from tpsgd_edge.frontend.imports.two_classes import as_two_classes, ends_with_sigmoid

    net, last = read_source(spec), spec.model.weighted[-1]
    if ends_with_sigmoid(net) and isinstance(last, DenseSpec) and last.units == 2:
        net = as_two_classes(net)
    weights, own = dict(with_steps(net)), net.class_names
    if own is not None and own != class_names and sorted(own) == sorted(class_names):
        rows = [own.index(name) for name in class_names]
        given = weights[last.name]
        weights[last.name] = replace(given, w=given.w[rows], b=given.b[rows])
    return weights


def _are_two_classes(spec: Spec) -> bool:
    """Tell whether the labels of the data are classes: 0 and 1, or two names."""
    if spec.data.task == "regression":
        return False
    try:
        labels = np.unique(raw_labels(spec))
    except DataError:
        return False  # whoever loads the data says what is wrong with them
    is_text = labels.dtype.kind == "U"
    return len(labels) == 2 and (is_text or bool((labels == [0, 1]).all()))


def _input(net: "ImportedNet") -> SourceInput:
    scale: tuple[float, ...] = (1.0,)
    shift: tuple[float, ...] = (0.0,)
    if net.input_scaling is not None:
        scale, shift = (_shortest(v) for v in (net.input_scaling.scale, net.input_scaling.shift))
    return SourceInput(
        net.input_lengths, net.input_places, net.layers[0]["kind"] == "dense", scale, shift
    )


def _shortest(values: Real) -> tuple[float, ...]:
    """The values, or one of them where all are the same."""
    same = bool((values == values[0]).all())
    return tuple(float(v) for v in (values[:1] if same else values))
