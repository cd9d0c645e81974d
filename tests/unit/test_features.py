"""Features of windows against their definitions in real numbers."""

import numpy as np
import pytest
from scipy import signal, stats

from tests.support.scalar_features import features_one_by_one
from tests.support.signals import ALL, numbers_of, some_recordings
from tpsgd_edge.errors import SpecError
from tpsgd_edge.features import LOG_TABLE, features_of
from tpsgd_edge.features.bands import band_features
from tpsgd_edge.features.spectrum import power_of
from tpsgd_edge.features.windows import windows_of

SIZES = (16, 64, 256, 2048)
LOW, HIGH = -(2**15), 2**15 - 1


def rows(size: int) -> np.ndarray:
    """Windows of speech-like signals, of noise, and of the ends of 16 bits."""
    rng = np.random.default_rng(size)
    some = some_recordings(12, size)[:, :, 0]
    noise = rng.integers(LOW, HIGH + 1, (4, size))
    quiet = rng.integers(-3, 4, (4, size))
    ends = np.where(np.arange(size) % np.array([[2], [16]]) > 0, HIGH, LOW)
    return np.concatenate([some, noise, quiet, ends]).astype(np.int16)


def real_powers(windows: np.ndarray, size: int) -> np.ndarray:
    """Powers (n, size / 2 + 1) in units of the samples, by scipy."""
    _, _, found = signal.spectrogram(
        windows.astype(float),
        window="hann",
        nperseg=size,
        noverlap=0,
        detrend="constant",
        scaling="spectrum",
        mode="complex",
    )
    return (np.abs(found[:, :, 0]) * signal.get_window("hann", size).sum()) ** 2


def triangles(numbers, rate: float, scale: str, lowest: float, highest: float) -> np.ndarray:
    """Weights (bands, bins) of triangular filters, written down from their definition."""
    count = numbers.bands.count + 2
    if scale == "mel":
        ends = 2595 * np.log10(1 + np.array([lowest, highest]) / 700)
        edges = 700 * (10 ** (np.linspace(*ends, count) / 2595) - 1)
    else:
        edges = np.linspace(lowest, highest, count)
    at = np.arange(numbers.size // 2 + 1) * rate / numbers.size
    left, middle, right = (edges[i : i + count - 2, None] for i in range(3))
    up, down = (at - left) / (middle - left), (right - at) / (right - middle)
    return np.maximum(0, np.minimum(up, down))


@pytest.mark.parametrize("size", SIZES)
def test_powers_are_those_of_scipy(size):
    """The error is that of 16 bits: some 2^-13 of the largest bin.

    Roundings add up at the mean of the signal, all the more the longer the window.
    """
    windows = rows(size)
    power, scale = power_of(windows_of(windows), numbers_of(**band_keys(size)).cosines)
    assert power.max() < 2**32
    amplitude = np.sqrt(power * 2.0**scale)
    real = np.sqrt(real_powers(windows, size))
    error = np.abs(amplitude - real) / real.max(axis=1, keepdims=True)
    assert error[:, 2:].max() < 2**-10
    assert error[:, :2].max() < 2**-8
    assert np.sqrt((error**2).mean()) < 2**-13


def band_keys(size: int) -> dict:
    return {"window": size, "bands": 2, "sample_rate": 8000, "scale": "linear"}


@pytest.mark.parametrize("scale", ["mel", "linear"])
@pytest.mark.parametrize(("size", "bands"), [(64, 6), (256, 20), (1024, 40)])
def test_bands_are_logarithms_of_triangles(size, bands, scale):
    keys = {"lowest": 120.0, "highest": 3700.0, "scale": scale}
    numbers = numbers_of(size, window=size, bands=bands, sample_rate=8000, **keys)
    windows = some_recordings(40, size)
    made = features_of(numbers, windows)[:, 0] / 2**9
    weights = triangles(numbers, 8000, scale, 120.0, 3700.0)
    sums = real_powers(windows[:, :, 0], size) @ weights.T
    real = np.log2(np.maximum(sums, 1))
    # Bands that are 60 dB below the loudest hold the rounding of 16 bits.
    near = sums > sums.max(axis=1, keepdims=True) * 1e-6
    assert near.mean() > 0.9
    assert np.abs(made - real)[near].max() < 0.05
    assert np.abs(made - real)[near].mean() < 0.003


def test_triangles_are_those_of_their_definition():
    numbers = numbers_of(256, window=256, bands=20, sample_rate=8000, lowest=60.0)
    weights = triangles(numbers, 8000, "mel", 60.0, 4000.0)
    bands = numbers.bands
    found = np.zeros_like(weights)
    for k, rise in enumerate(bands.rise / 2**15, int(bands.starts[0])):
        edge = int(np.searchsorted(bands.starts, k, side="right")) - 1
        if edge < 20:
            found[edge, k] = rise
        if edge > 0:
            found[edge - 1, k] = 1 - rise
    assert np.abs(found - weights).max() < 2**-15


def test_the_logarithm_is_exact_at_powers_of_two_and_near_between():
    values = np.unique(np.concatenate([2.0 ** np.arange(58), np.geomspace(1, 2**57, 5000)]))
    bands = numbers_of(64, window=64, bands=1, sample_rate=8000).bands
    # One bin that carries a whole band.
    power = np.zeros((len(values), 33), np.int64)
    first = int(bands.starts[1])
    power[:, first] = (values / 2**15).astype(np.int64)
    weight = 2**15 - int(bands.rise[first - int(bands.starts[0])])
    made = band_features(power, np.full((len(values), 1), 4), bands)[:, 0]
    sums = power[:, first] * weight
    real = np.where(sums > 0, np.log2(np.maximum(sums, 1)) - 15 + 4, 0)
    assert np.abs(made / 2**9 - np.clip(real, 0, 64)).max() < 0.0015
    assert LOG_TABLE[0] == 0
    assert LOG_TABLE[32] == 2**15


def test_silence_has_no_power():
    numbers = numbers_of(64, window=64, bands=4, sample_rate=8000, statistics=tuple(ALL))
    for level in (0, 7, HIGH, LOW):
        silent = np.full((1, 64, 1), level, np.int16)
        assert features_of(numbers, silent)[0, 0].tolist() == [0] * 4 + [
            *(level, 0, min(abs(level), HIGH), 0, 0, 0, 0),
        ]


@pytest.mark.parametrize("size", SIZES)
def test_statistics_are_those_of_numpy_and_scipy(size):
    windows = rows(size)
    numbers = numbers_of(size, window=size, statistics=tuple(ALL))
    made = features_of(numbers, windows[:, :, None])[:, 0].astype(float)
    found = dict(zip(ALL, made.T, strict=True))
    x = windows.astype(float)
    mean = x.mean(axis=1)
    moved = x - mean[:, None]
    limited = {
        "mean": np.floor(mean),
        "deviation": np.floor(x.std(axis=1) + 1e-9),
        "rms": np.floor(np.sqrt((x**2).mean(axis=1)) + 1e-9),
        "peak": np.floor(np.abs(moved).max(axis=1)),
        "crossings": ((moved[:, 1:] < 0) != (moved[:, :-1] < 0)).sum(axis=1),
    }
    for name, real in limited.items():
        assert (found[name] == np.clip(real, LOW, HIGH)).all(), name
    kurtosis = stats.kurtosis(x, axis=1, fisher=False)
    assert np.abs(found["kurtosis"] / 2**8 / kurtosis - 1).max() < 0.02
    heights = np.floor(x.std(axis=1) + 1e-9) + 1e-6
    peaks = [len(signal.find_peaks(m, height=h)[0]) for m, h in zip(moved, heights, strict=True)]
    assert found["peaks"].tolist() == peaks


def test_kurtosis_is_limited():
    one = np.zeros((1, 2048, 1), np.int16)
    one[0, 100] = 20_000
    numbers = numbers_of(2048, window=2048, statistics=("kurtosis",))
    assert features_of(numbers, one)[0, 0, 0] == HIGH


def test_peaks_are_as_flat_as_they_like():
    shape = [0, 5, 9, 9, 9, 2, 8, 1, 9, 9, 9, 10, 3, 0, 0, 9]
    numbers = numbers_of(16, window=16, statistics=("peaks",))
    window = np.array(shape, np.int16)[None, :, None]
    # 9 9 9 and 10; 8 is below mean and deviation, the last 9 has no end.
    assert features_of(numbers, window)[0, 0, 0] == 2


def test_windows_and_channels_have_their_order():
    numbers = numbers_of(40, 2, window=16, hop=8, statistics=("mean", "peak"))
    recording = np.stack([np.repeat(np.arange(5), 8), 100 + np.arange(40)], axis=1)
    made = features_of(numbers, recording[None].astype(np.int16))[0]
    assert made.shape == (4, 4)
    assert made[:, 0].tolist() == [0, 1, 2, 3]
    assert made[:, 2].tolist() == [107, 115, 123, 131]
    assert (numbers.windows, numbers.per_channel, numbers.per_window) == (4, 2, 4)


def test_a_band_without_a_bin_is_refused():
    with pytest.raises(SpecError, match="a band has no bin of the spectrum") as refused:
        numbers_of(256, window=256, bands=100, sample_rate=8000)
    assert "the bins are 31.2 Hz apart" in str(refused.value)
    with pytest.raises(SpecError, match="a recording is shorter than a window") as refused:
        numbers_of(200, window=256, statistics=("rms",))
    assert "set window = 128 or less" in str(refused.value)


@pytest.mark.parametrize("size", [16, 32, 256])
def test_the_reference_is_the_contract(size):
    """Number by number, at all loudnesses and at the ends of 16 bits."""
    numbers = numbers_of(size, **band_keys(size), statistics=tuple(ALL))
    windows = np.concatenate([rows(size), corners(size)])
    made = features_of(numbers, windows[:, :, None])[:, 0]
    for window, features in zip(windows, made, strict=True):
        assert features_one_by_one(numbers, window) == features.tolist()


def corners(size: int) -> np.ndarray:
    """Windows of few values, of which many are ties; one bin alone; steps and single pulses."""
    rng = np.random.default_rng(7)
    at = np.arange(size)
    few = rng.integers(-1, 2, (30, size)) * rng.choice([1, 2, 3, 255, 2**13, 2**14, 32767], (30, 1))
    tones = [np.rint(a * np.cos(2 * np.pi * k * at / size)) for k in (1, 2, 4) for a in (9, 32767)]
    pulses = [np.where(at == i, v, 0) for i in (0, size // 2, size - 1) for v in (1, LOW, HIGH)]
    steps = [np.where(at < n, LOW, HIGH) for n in (1, size // 2, size - 1)]
    return np.concatenate([few, tones, pulses, steps]).astype(np.int16)
