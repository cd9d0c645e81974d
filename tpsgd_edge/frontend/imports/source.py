"""The model of a spec that another tool made."""

from tpsgd_edge.errors import DataError, SpecError
from tpsgd_edge.frontend.imports.net import ImportedNet
from tpsgd_edge.frontend.imports.onnx_net import read_onnx
from tpsgd_edge.frontend.inputs import check_inputs
from tpsgd_edge.graph import Shape
from tpsgd_edge.spec import Spec, with_layers


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
    net = read_source(spec)
    return with_layers(spec, net.layers, net.input_shape)


def read_source(spec: Spec) -> ImportedNet:
    """The net that a spec names."""
    path = spec.folder / (spec.model.source or "")
    if path.suffix.lower() != ".onnx":
        raise SpecError(
            f"the model's source '{path.name}' is of an unknown kind",
            where=f"{spec.source}, [model], source",
            found=f"the ending '{path.suffix}'",
            help="a source is an ONNX file; from PyTorch: torch.onnx.export, or from_torch",
        )
    return read_onnx(path)


def check_layout(samples: tuple[int, ...], expected: Shape) -> None:
    """Raise where samples are maps channels first: as other tools have them, not as ours are."""
    height, width, channels = expected
    turned = {(channels, height, width): 3, (channels, width): 2 if height == 1 else 0}
    lies_so = {expected, (width, channels)} if height == 1 else {expected}
    if channels > 1 and turned.get(samples) == len(samples) and samples not in lies_so:
        raise DataError(
            "the samples are channels first",
            where="[data]",
            found=f"shape {samples}; the net reads maps of {expected}, channels last",
            help="save them with x.transpose(0, 2, 3, 1), or (0, 2, 1) for sequences",
        )
