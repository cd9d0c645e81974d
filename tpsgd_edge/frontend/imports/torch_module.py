"""Nets in PyTorch, by way of ONNX in memory."""

import io
import pickle
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from tpsgd_edge.errors import DataError, ToolError, how_to_install
from tpsgd_edge.frontend.imports.file import onnx_from_bytes
from tpsgd_edge.frontend.imports.net import ImportedNet
from tpsgd_edge.frontend.imports.onnx_net import imported


def from_torch(
    module: Any, example_input: Any, *, weights_file: str | Path | None = None
) -> ImportedNet:
    """The layers and weights of a torch module.

    Args:
        module: a `torch.nn.Module`; its training mode stays as it is.
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
    buffer, was_training = io.BytesIO(), module.training
    exporter: Any = torch.onnx  # which also writes to memory, whatever its types say
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            # The other exporter takes recurrent layers apart.
            exporter.export(module.eval(), (example_input,), buffer, dynamo=False)
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
    finally:
        module.train(was_training)
    return _channels_last(imported(onnx_from_bytes(buffer.getvalue(), name)), name)


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
