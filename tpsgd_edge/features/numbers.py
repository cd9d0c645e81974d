"""The numbers that define the features of a spec: sizes, tables, bands."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tpsgd_edge.errors import SpecError
from tpsgd_edge.spec import FeaturesSpec, Statistic

# log2(1 + i / 32) in Q15, i = 0 to 32.
LOG_TABLE = np.floor(np.log2(1 + np.arange(33) / 32) * 2**15 + 0.5).astype(np.uint16)


@dataclass(frozen=True, slots=True)
class BandNumbers:
    """Bands of a spectrum.

    Attributes:
        starts: for each edge the first bin from it on, shape (bands + 2,).
        rise: u16 in Q15, how far each bin has come from its edge to the next one, for bins
            starts[0] to starts[-1] - 1.
    """

    starts: NDArray[np.uint16]
    rise: NDArray[np.uint16]

    @property
    def count(self) -> int:
        """Bands."""
        return len(self.starts) - 2


@dataclass(frozen=True, slots=True)
class FeatureNumbers:
    """Everything that defines the features of a recording.

    Attributes:
        length: samples of a recording, for each channel.
        size: samples in a window, 2^log_size.
        cosines: s16 in Q14, shape (size / 2 + 1,).
        bands: of the spectrum; None without one.
    """

    channels: int
    length: int
    size: int
    hop: int
    cosines: NDArray[np.int16]
    bands: BandNumbers | None
    statistics: tuple[Statistic, ...]

    @property
    def log_size(self) -> int:
        """The exponent of the size."""
        return self.size.bit_length() - 1

    @property
    def windows(self) -> int:
        """Windows in a recording."""
        return self.windows_in(self.length)

    def windows_in(self, samples: int) -> int:
        """Windows in so many samples."""
        return (samples - self.size) // self.hop + 1

    @property
    def per_channel(self) -> int:
        """Features of one channel in one window."""
        return (self.bands.count if self.bands else 0) + len(self.statistics)

    @property
    def per_window(self) -> int:
        """Features of one window."""
        return self.channels * self.per_channel

    @property
    def stream_bytes(self) -> int:
        """Bytes of what a stream keeps on the device: a window, its spectrum, a counter."""
        spectrum = 4 * (self.size // 2 + 1) if self.bands else 0
        return 2 * self.size * self.channels + spectrum + 4


def feature_numbers(features: FeaturesSpec, channels: int, length: int) -> FeatureNumbers:
    """The numbers of a spec for recordings of so many samples of each channel.

    Raises:
        SpecError: a recording is shorter than a window, or a band has no bin of the spectrum.
    """
    if length < features.window:
        raise SpecError(
            "a recording is shorter than a window",
            where="[features], window",
            found=f"{length} samples; a window has {features.window}",
            help=f"set window = {max(16, 1 << length.bit_length() - 1)} or less, or length",
        )
    return FeatureNumbers(
        channels,
        length,
        features.window,
        features.step,
        _cosines(features.window),
        None if features.bands is None else _bands(features),
        features.statistics,
    )


def _cosines(size: int) -> NDArray[np.int16]:
    angles = 2 * np.pi * np.arange(size // 2 + 1) / size
    return np.floor(2**14 * np.cos(angles) + 0.5).astype(np.int16)


def _bands(features: FeaturesSpec) -> BandNumbers:
    edges = _edges(features)
    rate = features.sample_rate or 0.0
    bins = np.arange(features.window // 2 + 1) * rate / features.window
    starts = np.searchsorted(bins, edges)
    starts[-1] = max(starts[-1], starts[-2])
    inside = np.arange(starts[0], starts[-1])
    below = np.searchsorted(starts, inside, side="right") - 1
    rise = np.floor(2**15 * (bins[inside] - edges[below]) / np.diff(edges)[below] + 0.5)
    bands = BandNumbers(starts.astype(np.uint16), rise.astype(np.uint16))
    _check_filled(features, bands, edges)
    return bands


def _edges(features: FeaturesSpec) -> NDArray[np.float64]:
    """Frequencies in Hz, shape (bands + 2,): band j lies between edges j and j + 2."""
    count = (features.bands or 0) + 2
    if features.scale == "linear":
        return np.linspace(features.lowest, features.top, count)
    low, high = (2595 * np.log10(1 + f / 700) for f in (features.lowest, features.top))
    mel = np.linspace(low, high, count)
    edges = 700 * (10 ** (mel / 2595) - 1)
    # The ends are those of the spec, whatever rounding made of them.
    edges[0], edges[-1] = features.lowest, features.top
    return np.asarray(edges, np.float64)


def _check_filled(features: FeaturesSpec, bands: BandNumbers, edges: NDArray[np.float64]) -> None:
    weights = np.zeros(bands.count + 2, np.int64)
    for place, rise in zip(range(bands.starts[0], bands.starts[-1]), bands.rise, strict=True):
        edge = int(np.searchsorted(bands.starts, place, side="right")) - 1
        weights[edge] += rise
        weights[edge - 1] += 2**15 - int(rise)
    # The weights before the first edge's bin fall into the last entry, which is no band.
    empty = np.flatnonzero(weights[: bands.count] == 0)
    if not len(empty):
        return
    band = int(empty[0])
    raise SpecError(
        "a band has no bin of the spectrum",
        where="[features], bands",
        found=f"band {band}, {edges[band]:.0f} to {edges[band + 2]:.0f} Hz; the bins are "
        f"{(features.sample_rate or 0) / features.window:.1f} Hz apart",
        help=f"use fewer bands, a longer window (now {features.window}), a larger lowest, or "
        'scale = "linear"',
    )
