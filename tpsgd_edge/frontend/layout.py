"""Layout of the values of a sample: docs/LAYOUT.md has the rule.

Here and on the device maps lie channels last: height, width, channels. Axes of length 1 say nothing
and are not looked at.
"""

import math
from dataclasses import replace
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from tpsgd_edge.errors import DataError
from tpsgd_edge.frontend.samples import RawSamples
from tpsgd_edge.spec import Conv2dSpec, PoolSpec, SourceInput, Spec

Lengths = tuple[int, ...]
_WHERE = "[data], layout"
# Images have as many channels as these; shorter maps than _SHORT are none.
_COLOURS, _SHORT = (1, 3, 4), 5


def arranged(spec: Spec, raw: RawSamples) -> RawSamples:
    """The samples with their maps channels last.

    Raises:
        DataError: samples that could lie in two ways, or that the net cannot read.
    """
    x, data = raw.x, spec.data
    shape = x.shape[1:]
    if x.ndim < 2 or x.size == 0:
        return raw
    if data.net_input is not None and data.net_input.is_vector:
        _vector_places(data.net_input.lengths, shape, raw.where)
        return raw
    if data.input_shape is None:
        return replace(raw, x=_by_own_shape(spec, x, raw.where))
    asked = data.input_shape
    if math.prod(asked) != math.prod(shape):
        return raw  # `build_graph` says so
    places = _net_places(data.net_input, asked, shape) if data.layout is None else None
    if places is not None:
        return replace(raw, x=x.reshape(len(x), -1)[:, places].reshape(len(x), *asked))
    is_first = _is_channels_first(spec, asked, shape, raw.where)
    return replace(raw, x=_channels_last(x, asked) if is_first else x)


def places_of_vector(spec: Spec, shape: Lengths) -> NDArray[np.int64] | None:
    """Places (n_in,) of the values of samples of `shape` in the net's own input.

    None where the first layer reads a map, or its weights already lie as the samples do.

    Raises:
        DataError: samples that the net cannot read.
    """
    source = spec.data.net_input
    if source is None or not source.is_vector:
        return None
    return _vector_places(source.lengths, shape, spec.data.file)


def _vector_places(lengths: Lengths, shape: Lengths, where: str) -> NDArray[np.int64] | None:
    """Places of values that lie as the net's input does, or with channels at the other end."""
    given, count = _long(shape), math.prod(shape)
    fits = count == math.prod(lengths)
    if fits and (given == _long(lengths) or len(given) < 2 or len(_long(lengths)) < 2):
        return None
    if fits and len(lengths) == 3:
        own = np.arange(count).reshape(lengths)
        for moved in (np.moveaxis(own, 0, -1), np.moveaxis(own, -1, 0)):
            if given == _long(moved.shape):
                return moved.ravel()
    _refuse_shape(shape, lengths, where)


def _net_places(source: SourceInput | None, asked: Lengths, shape: Lengths) -> Any:
    """Places in the net's own input, where samples have its shape and can mean nothing else."""
    if source is None or source.places is None or _long(shape) != _long(source.lengths):
        return None
    is_either = _long(shape) == _long(asked) or len(_long(shape)) < len(_long(source.lengths))
    return None if is_either else np.array(source.places)


def _is_channels_first(spec: Spec, asked: Lengths, shape: Lengths, where: str) -> bool:
    """Tell whether samples of `shape` are maps (channels, height, width) of what the net reads."""
    height, width, channels = asked
    given, layout, source = _long(shape), spec.data.layout, spec.data.net_input
    if channels == 1 or height * width == 1:
        # Both orders are the same; images that lie on their side are not.
        is_turned = given != _long(asked) and sorted(given) == sorted(_long(asked))
        if is_turned or (source is not None and len(given) > 1 and given != _long(asked)):
            _refuse_shape(shape, asked, where)
        return False
    lies = {"channels_last": _long(asked), "channels_first": _long((channels, height, width))}
    fitting = [name for name, lengths in lies.items() if given in (lengths, given[:1])]
    fitting = fitting if given != given[:1] else list(lies)
    if layout is not None:
        if layout not in fitting:
            _refuse_layout(layout, asked, shape, where)
        return layout == "channels_first"
    if len(fitting) == 1:
        return fitting[0] == "channels_first"
    if not fitting and source is not None:
        _refuse_shape(shape, asked, where)
    # Both fit, or neither: as they are, unless the net's own file has another order.
    if fitting and source is not None and source.places is not None:
        _refuse_unclear(asked, shape, where)
    return False


def _by_own_shape(spec: Spec, x: NDArray[Any], where: str) -> NDArray[Any]:
    """Samples of a spec that says nothing of their shape."""
    shape, layout = x.shape[1:], spec.data.layout
    if layout == "channels_first":
        return np.moveaxis(x, 1, -1) if len(shape) in (2, 3) else x
    is_image = len(shape) == 3 and shape[0] in _COLOURS and shape[1] == shape[2] >= _SHORT
    maps = [la for la in spec.model.layers if isinstance(la, Conv2dSpec | PoolSpec)]
    if layout is None and is_image and maps:
        _refuse_unclear((shape[1], shape[2], shape[0]), shape, where)
    return x


def _channels_last(x: NDArray[Any], asked: Lengths) -> NDArray[Any]:
    height, width, channels = asked
    return np.moveaxis(x.reshape(len(x), channels, height, width), 1, -1)


def _long(shape: Lengths) -> Lengths:
    return tuple(n for n in shape if n != 1)


def by(shape: Lengths) -> str:
    """Return lengths as words: 28 x 28 x 1."""
    return " x ".join(str(n) for n in shape)


def _refuse_unclear(asked: Lengths, shape: Lengths, where: str) -> NoReturn:
    raise DataError(
        "it is not clear how the values of a sample lie",
        where=f"{where}; {_WHERE}",
        found=f"samples of {by(shape)}; maps of {by(asked)}, height x width x channels, "
        "could lie in them channels first or last",
        help='say it: layout = "channels_first" (as PyTorch has images) or "channels_last" '
        "(as Keras has them)",
    )


def _refuse_layout(layout: str, asked: Lengths, shape: Lengths, where: str) -> NoReturn:
    height, width, channels = asked
    wanted = asked if layout == "channels_last" else (channels, height, width)
    raise DataError(
        f"the samples are not {layout.replace('_', ' ')}",
        where=f"{where}; {_WHERE}",
        found=f"samples of {by(shape)}; {layout} means {by(wanted)}, or flat rows",
        help="leave layout out, or give the samples in one of these shapes",
    )


def _refuse_shape(shape: Lengths, lengths: Lengths, where: str) -> NoReturn:
    raise DataError(
        "the samples do not have the shape that the net reads",
        where=where,
        found=f"samples of {by(shape)}; the net reads {by(lengths)}",
        help="give them in this shape, or as flat rows in this order",
    )
