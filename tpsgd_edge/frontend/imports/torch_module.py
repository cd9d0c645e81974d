"""Nets in PyTorch, by way of ONNX in memory."""

import io
import pickle
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from tpsgd_edge.errors import DataError, ToolError, how_to_install
from tpsgd_edge.frontend.imports.file import onnx_from_bytes
from tpsgd_edge.frontend.imports.net import ImportedNet
from tpsgd_edge.frontend.imports.onnx_net import imported

_RMS_NORM = "aten::rms_norm"
# The exporter's first: what somebody registers for a later one goes before ours.
_FIRST_OPSET = 9


def from_torch(
    module: Any, example_input: Any, *, weights_file: str | Path | None = None
) -> ImportedNet:
    """The layers and weights of a torch module.

    Args:
        module: a `torch.nn.Module`; its training mode stays as it is. Or the program that
            `torch.export.export` makes of one in evaluation mode.
        example_input: a tensor with one sample, as the module takes it.
        weights_file: a saved state dict to load into the module first. It is read with
            `weights_only`: nothing in it is run.

    Raises:
        DataError: torch cannot trace the module, or it has operators without a layer of ours.
        ToolError: torch or onnx is not installed.
    """
    try:
        import torch
    except ImportError:
        raise ToolError(
            "nets in PyTorch need torch", help=how_to_install("torch", "onnx")
        ) from None
    name = type(module).__name__
    if weights_file is not None:
        _load(torch, module, Path(weights_file))
    try:
        content = _exported(torch, module, example_input)
    except ImportError as error:
        raise ToolError(
            "torch needs a package to export a net",
            found=str(error)[:200],
            help=how_to_install("torch", "onnx"),
        ) from None
    # Whatever the module does with an input of another shape comes out here.
    except (RuntimeError, ValueError, TypeError, IndexError) as error:
        raise DataError(
            f"torch cannot export '{name}' to ONNX",
            where=name,
            found=(str(error).strip() or type(error).__name__).splitlines()[0][:200],
            help="does the module take the example input? it must have one sample",
        ) from None
    return _channels_last(imported(onnx_from_bytes(content, name)), name)


def _exported(torch: Any, module: Any, example_input: Any) -> bytes:
    """The ONNX file that torch makes of a module in evaluation mode, or of a program."""
    exporter: Any = torch.onnx  # which also writes to memory, whatever its types say
    buffer, how = io.BytesIO(), {"dynamo": False}  # the other exporter takes recurrent layers apart
    with warnings.catch_warnings(), _rms_norms(exporter):
        warnings.simplefilter("ignore")
        if isinstance(module, torch.export.ExportedProgram):
            # Its mode was settled when it was made.
            how["training"] = exporter.TrainingMode.PRESERVE
            exporter.export(module.module(), (example_input,), buffer, **how)
            return buffer.getvalue()
        was_training = module.training
        try:
            exporter.export(module.eval(), (example_input,), buffer, **how)
        finally:
            module.train(was_training)
    return buffer.getvalue()


@contextmanager
def _rms_norms(exporter: Any) -> Iterator[None]:
    """Let the exporter write torch.nn.RMSNorm, which it does not know, as one node."""
    from torch.onnx import symbolic_helper

    @symbolic_helper.parse_args("v", "is", "v", "f")
    def rms_norm(graph: Any, x: Any, lengths: Any, weight: Any, epsilon: float | None) -> Any:
        epsilon = float(np.finfo(np.float32).eps) if epsilon is None else epsilon
        inputs = (x,) if symbolic_helper._is_none(weight) else (x, weight)
        how = {"axis_i": -len(lengths), "epsilon_f": epsilon}
        return graph.op("RMSNormalization", *inputs, **how).setType(x.type())

    def unsupported(*_: Any) -> Any:
        return symbolic_helper._onnx_unsupported(_RMS_NORM)

    exporter.register_custom_op_symbolic(_RMS_NORM, rms_norm, _FIRST_OPSET)
    try:
        yield
    finally:
        # Once unregistered, torch could no longer say by itself that it does not know it.
        exporter.register_custom_op_symbolic(_RMS_NORM, unsupported, _FIRST_OPSET)


def _channels_last(net: ImportedNet, name: str) -> ImportedNet:
    """The net for samples channels last, whatever its first layer is.

    Raises:
        DataError: samples that only the data of a spec with a `source` can lay out.
    """
    lengths, places = net.input_lengths, net.input_places
    height, width, channels = net.input_shape
    own = np.arange(height * width * channels)
    usual = own.reshape(channels, height, width).transpose(1, 2, 0).ravel()
    if net.input_scaling is not None or (places is not None and places != tuple(usual.tolist())):
        raise DataError(
            f"'{name}' scales or moves the values of its samples before its first layer",
            where=name,
            found="a shift before a padded convolution"
            if net.input_scaling is not None
            else f"samples of {list(lengths)} made into maps of {list(net.input_shape)}",
            help="write it with torch.onnx.export(module, example, file, dynamo=False), and name "
            "that file as the model's source",
        )
    if net.layers[0]["kind"] != "dense" or len(lengths) != 3:
        return net
    order = own.reshape(lengths).transpose(1, 2, 0)
    first = str(net.layers[0]["name"])
    weights = replace(net.weights[first], w=net.weights[first].w[:, order.ravel()])
    shape = (lengths[1], lengths[2], lengths[0])
    return replace(net, input_shape=shape, weights={**net.weights, first: weights})


def _load(torch: Any, module: Any, path: Path) -> None:
    """Load a state dict into a module, without unpickling anything but tensors."""
    try:
        module.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))
    except FileNotFoundError:
        raise DataError(f"there is no weights file '{path.name}'", where=str(path)) from None
    except (
        pickle.UnpicklingError,
        RuntimeError,
        OSError,
        EOFError,
        ValueError,
        TypeError,
        AttributeError,
        KeyError,
    ) as error:
        raise DataError(
            f"'{path.name}' holds no weights of this module",
            where=path.name,
            found=(str(error).strip() or type(error).__name__).splitlines()[0][:200],
            help="write it with torch.save(module.state_dict(), file)",
        ) from None
