"""Features of a signal: the numbers of NAME_signal.h, ready to print."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tpsgd_edge.codegen.c import c_rows, c_uint
from tpsgd_edge.features.numbers import FeatureNumbers

SPECTRUM_FUNCTIONS = ("tps_spectrum_bands", "tps_spectrum_power")
STATISTIC_FUNCTIONS = (
    "tps_window_crossings",
    "tps_window_deviation",
    "tps_window_kurtosis",
    "tps_window_mean",
    "tps_window_peak",
    "tps_window_peaks",
    "tps_window_rms",
)


@dataclass(frozen=True, slots=True)
class Features:
    """The features of a project.

    Attributes:
        selftest_crc: CRC-32 of those that its self-test makes.
    """

    numbers: FeatureNumbers
    selftest_crc: int


@dataclass(frozen=True, slots=True)
class TableView:
    """A table in flash: its entries, and the lines that print them."""

    count: int
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SignalView:
    """The signal that a model hears.

    Attributes:
        length: samples of a recording, for each channel.
        window, log_window: samples in a window, and their exponent.
        bands: 0 without a spectrum, and then the tables are empty.
        crc: of the features of the self-test, as a literal.
    """

    channels: int
    length: int
    window: int
    log_window: int
    hop: int
    windows: int
    per_channel: int
    bands: int
    statistics: tuple[str, ...]
    cosines: TableView
    starts: TableView
    rise: TableView
    crc: str

    @property
    def per_window(self) -> int:
        """Features of one window."""
        return self.channels * self.per_channel


def signal_view(features: Features) -> SignalView:
    """The view of what makes features."""
    numbers = features.numbers
    bands, none = numbers.bands, np.zeros(0, np.uint16)
    tables = (numbers.cosines, bands.starts, bands.rise) if bands else (none, none, none)
    cosines, starts, rise = map(_table, tables)
    return SignalView(
        channels=numbers.channels,
        length=numbers.length,
        window=numbers.size,
        log_window=numbers.log_size,
        hop=numbers.hop,
        windows=numbers.windows,
        per_channel=numbers.per_channel,
        bands=bands.count if bands else 0,
        statistics=numbers.statistics,
        cosines=cosines,
        starts=starts,
        rise=rise,
        crc=c_uint(features.selftest_crc),
    )


def _table(values: NDArray[np.generic]) -> TableView:
    return TableView(values.size, tuple(c_rows(values.tolist(), 16)))
