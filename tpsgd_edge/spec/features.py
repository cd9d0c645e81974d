"""Features that are made of a signal before the net reads it."""

from collections.abc import Sequence
from typing import Annotated, Literal, get_args

from pydantic import BeforeValidator, Field, model_validator

from tpsgd_edge.spec.base import Section

Statistic = Literal["mean", "deviation", "rms", "peak", "crossings", "kurtosis", "peaks"]
# Every statistic of a window.
STATISTICS: tuple[Statistic, ...] = get_args(Statistic)
SMALLEST_WINDOW, LARGEST_WINDOW = 16, 2048
_Hertz = Annotated[float, Field(ge=0, le=1e6)]


def _listed(value: object) -> object:
    if isinstance(value, str):
        return (value,)
    return tuple(value) if isinstance(value, list) else value


class FeaturesSpec(Section):
    """Features of windows over a signal, which the net reads instead of the signal itself.

    The samples of the data are recordings then: whole numbers of 16 bits, as a microphone or a
    sensor gives them. NAME_signal.h makes the same features of them on the device
    (docs/SIGNALS.md).
    """

    window: Annotated[int, Field(ge=SMALLEST_WINDOW, le=LARGEST_WINDOW)] = 256
    """Samples in a window, a power of two. Since: 0.2.0.
    Example: `window = 512, statistics = ["rms"]`"""
    hop: Annotated[int, Field(ge=1, le=LARGEST_WINDOW)] | None = None
    """Samples from the start of a window to that of the next; it divides the window. Where not
    given, half a window. Since: 0.2.0. Example: `hop = 128, statistics = ["rms"]`"""
    bands: Annotated[int, Field(ge=1, le=128)] | None = None
    """Bands of the spectrum: of each the logarithm of its power is a feature. Since: 0.2.0.
    Example: `bands = 20, sample_rate = 8000`"""
    sample_rate: Annotated[float, Field(gt=0, le=1e6)] | None = None
    """Samples in a second, of each channel; bands need it. Since: 0.2.0.
    Example: `sample_rate = 8000, bands = 20`"""
    scale: Literal["mel", "linear"] = "mel"
    """How wide the bands are: as people hear, or all alike, as for machines. Since: 0.2.0.
    Example: `scale = "linear", sample_rate = 8000, bands = 20`"""
    lowest: _Hertz = 0.0
    """Where the first band begins, in Hz. Since: 0.2.0.
    Example: `lowest = 60.0, sample_rate = 8000, bands = 20`"""
    highest: _Hertz | None = None
    """Where the last band ends, in Hz; where not given, at half the sample rate. Since: 0.2.0.
    Example: `highest = 3800.0, sample_rate = 8000, bands = 20`"""
    statistics: Annotated[tuple[Statistic, ...], BeforeValidator(_listed)] = ()
    """Statistics of a window that are features too: mean, standard deviation, root mean square,
    largest distance from the mean, crossings of the mean, kurtosis, number of peaks above the
    deviation. Since: 0.2.0. Example: `statistics = ["rms", "kurtosis"]`"""
    length: Annotated[int, Field(ge=SMALLEST_WINDOW, le=1 << 22)] | None = None
    """Samples of a recording: longer ones are cut, shorter ones get zeros at their end. Where not
    given, as many as the recordings have, which must be of one length. Since: 0.2.0.
    Example: `length = 8000, statistics = ["rms"]`"""

    @property
    def step(self) -> int:
        """Samples from the start of a window to that of the next."""
        return self.window // 2 if self.hop is None else self.hop

    @property
    def top(self) -> float:
        """The frequency in Hz at which the last band ends."""
        nyquist = (self.sample_rate or 0.0) / 2
        return nyquist if self.highest is None else self.highest

    @model_validator(mode="after")
    def _windows_fit(self) -> "FeaturesSpec":
        if self.window & (self.window - 1):
            raise ValueError(
                f"'window' is a power of two from {SMALLEST_WINDOW} to {LARGEST_WINDOW}, such as "
                f"{1 << self.window.bit_length() - 1}"
            )
        if self.window % self.step:
            raise ValueError(
                f"'hop' divides the window of {self.window} samples: "
                f"use {1 << self.step.bit_length() - 1}"
            )
        if self.length is not None and self.length < self.window:
            raise ValueError(f"'length' is at least a window, {self.window} samples")
        return self

    @model_validator(mode="after")
    def _something_is_made(self) -> "FeaturesSpec":
        if self.bands is None and not self.statistics:
            raise ValueError(
                "no features are named: set bands = 20 and sample_rate, or statistics = "
                '["deviation", "kurtosis"]'
            )
        if len(set(self.statistics)) < len(self.statistics):
            raise ValueError(f"'statistics' names '{_twice(self.statistics)}' twice")
        if self.bands is not None:
            self._check_bands()
            return self
        named = self.model_fields_set & {"scale", "lowest", "highest"}
        if named:
            raise ValueError(f"'{min(named)}' says nothing without bands: set bands = 20")
        return self

    def _check_bands(self) -> None:
        if self.sample_rate is None:
            raise ValueError("bands need the sample_rate, in Hz: set sample_rate = 8000")
        if not self.lowest < self.top <= self.sample_rate / 2:
            raise ValueError(
                f"bands lie between lowest and highest, up to half the sample rate: "
                f"{self.lowest:g} to {self.top:g} Hz at {self.sample_rate:g} samples a second"
            )


def _twice(names: Sequence[str]) -> str:
    return next(name for name in names if names.count(name) > 1)
