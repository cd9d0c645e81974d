"""Features of a signal, as the reference and a device make them (NAME_signal.h)."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from tpsgd_edge.features import FeatureNumbers, features_of
from tpsgd_edge.stages.preparation import Prepared
from tpsgd_edge.toolchain.device import Device
from tpsgd_edge.verdict import Verdict, compare_function

# Windows of a stream at most, so that an emulator answers within a second or two, and its blocks
# and their features fit its buffers.
_WINDOWS = 24
_LOW, _HIGH = -(2**15), 2**15 - 1


def prove_features(
    device: Device, prepared: Prepared, so_far: Verdict, *, only_predicts: bool = False
) -> Verdict:
    """Compare the features of recordings, and of signals at the ends of what 16 bits hold.

    Returns:
        `so_far` where they agree, or where the model hears no signal.
    """
    signal = prepared.dataset.signal
    if signal is None:
        return so_far
    numbers = signal.numbers
    for stream in _streams(numbers, signal.recordings):
        expected = features_of(numbers, stream[None])[0]
        blocks = stream.reshape(-1, numbers.hop * numbers.channels)
        is_complete, made = device.hear(blocks)
        first = numbers.size // numbers.hop - 1
        whole = np.concatenate([np.zeros((first, numbers.per_window), np.int16), expected])
        wanted = (np.arange(len(blocks)) >= first).astype("<u4")
        for must, does in ((wanted, is_complete), (whole, made)):
            verdict = compare_function("hear", must, does, so_far, only_predicts=only_predicts)
            if verdict is not so_far:
                return verdict
    return so_far


def _streams(numbers: FeatureNumbers, recordings: NDArray[np.int16]) -> Iterator[NDArray[np.int16]]:
    """Yield signals of whole blocks, shape (samples, channels)."""
    length = numbers.length - (numbers.length - numbers.size) % numbers.hop
    length = min(length, numbers.size + (_WINDOWS - 1) * numbers.hop)
    for recording in recordings:
        # The loudest part: the beginning may be silence.
        at = int(np.abs(recording.astype(np.int32)).sum(axis=1).argmax())
        start = min(max(0, at - length // 2), numbers.length - length)
        yield recording[start : start + length]
    yield from _extremes(numbers)


def _extremes(numbers: FeatureNumbers) -> Iterator[NDArray[np.int16]]:
    """Yield windows that hardly any sensor gives, a stream each."""
    size = numbers.size
    at = np.arange(size)
    turns = np.where(at % 2, _HIGH, _LOW)
    for window in (
        np.zeros(size),
        np.full(size, _LOW),
        turns,
        np.where(at < size // 2, _LOW, _HIGH),
        np.where(at == size // 3, _HIGH, 0),
        np.where(at == size // 3, 1, 0),
        turns // 2**15,
        np.floor(_HIGH * np.cos(2 * np.pi * at / 8) + 0.5),
        np.random.default_rng(1).integers(_LOW, _HIGH + 1, size),
    ):
        one = window.astype(np.int16)
        # Other channels hear the same later.
        yield np.stack([np.roll(one, 3 * channel) for channel in range(numbers.channels)], axis=1)
