"""Recordings of a signal: samples of which features are made, as the device will make them."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tpsgd_edge.errors import DataError, SpecError
from tpsgd_edge.features import FeatureNumbers, feature_numbers, features_of
from tpsgd_edge.frontend.samples import RawSamples
from tpsgd_edge.spec import FeaturesSpec, Spec

# Recordings that are kept, to prove that a device makes the same of them.
_KEPT = 4
# A recording is no net's input: it may be longer than one, though not without end.
_MOST_CHANNELS = 64


@dataclass(frozen=True, slots=True)
class Signal:
    """Recordings that the features of a data set were made of.

    Attributes:
        recordings: the first ones, shape (n, length, channels).
    """

    numbers: FeatureNumbers
    recordings: NDArray[np.int16]


def with_features(
    spec: Spec, train: RawSamples, test: RawSamples | None
) -> tuple[RawSamples, RawSamples | None, Signal | None]:
    """Both sets with features in place of recordings, and how they were made; or as they are.

    Raises:
        DataError: recordings that are not of 16 bits, or have another shape.
        SpecError: windows or bands that do not fit them, or a type of raw samples beside them.
    """
    if spec.features is None:
        return train, test, None
    if spec.data.raw is not None:
        raise SpecError(
            "features of a signal are whole numbers of 16 bits, whatever raw says",
            where="[data], raw",
            found=f'raw = "{spec.data.raw}", and [features]',
            help="leave raw out",
        )
    train, signal = _made(spec.features, train)
    return train, None if test is None else _made(spec.features, test)[0], signal


def _made(features: FeaturesSpec, raw: RawSamples) -> tuple[RawSamples, Signal]:
    recordings = _of_length(features, _recordings(raw))
    numbers = feature_numbers(features, recordings.shape[2], recordings.shape[1])
    signal = Signal(numbers, recordings[:_KEPT].copy())
    return replace(raw, x=features_of(numbers, recordings), x_names=()), signal


def _recordings(raw: RawSamples) -> NDArray[np.int16]:
    x = raw.x
    channels = x.shape[2] if x.ndim == 3 else 1
    if x.ndim not in (2, 3) or x.size == 0 or channels > _MOST_CHANNELS:
        raise DataError(
            "recordings have the wrong shape",
            where=f"{raw.where}; [features]",
            found=f"x {x.shape}",
            help=f"x is (recordings, samples), or (recordings, samples, channels) with at most "
            f"{_MOST_CHANNELS} channels",
        )
    _check_whole(raw, x)
    return x.reshape(*x.shape[:2], -1).astype(np.int16)


def _check_whole(raw: RawSamples, x: NDArray[Any]) -> None:
    """Check that 16 bits hold all samples of a signal, with no fraction.

    Raises:
        DataError: they do not; the message names the first one.
    """
    if x.dtype.kind not in "biuf":
        raise DataError("samples must be numbers", where=raw.where, found=f"x of type {x.dtype}")
    bad = (x < -(2**15)) | (x >= 2**15)
    if x.dtype.kind == "f":
        bad |= ~np.isfinite(x) | (x != np.floor(x))
    if not bad.any():
        return
    at = np.unravel_index(int(bad.argmax()), x.shape)
    index = ", ".join(str(int(i)) for i in at)
    is_small = x.dtype.kind == "f" and bool(np.isfinite(x).all()) and float(np.abs(x).max()) <= 1
    raise DataError(
        "a signal must be whole numbers of 16 bits, from -32768 to 32767",
        where=f"{raw.where}, {raw.place(int(at[0]))}; [features]",
        found=f"x[{index}] = {x[at]}; {int(bad.sum()):,} such values in all",
        help="numpy.round(x * 32767).astype(numpy.int16) makes them of a signal from -1 to 1"
        if is_small
        else "give what the converter gives: (x - 32768).astype(numpy.int16) for uint16",
    )


def _of_length(features: FeaturesSpec, x: NDArray[np.int16]) -> NDArray[np.int16]:
    """Recordings of the length that the spec asks for: cut, or with zeros at their end."""
    length = features.length
    if length is None or length == x.shape[1]:
        return x
    if length < x.shape[1]:
        return x[:, :length]
    return np.pad(x, ((0, 0), (0, length - x.shape[1]), (0, 0)))
