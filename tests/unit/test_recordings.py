"""Recordings come in: arrays, folders of WAV files, and what is wrong with them."""

import hashlib
import json
import struct
from pathlib import Path

import numpy as np
import pytest

from tests.support.signals import BANDS, hearing_spec, some_recordings
from tpsgd_edge.errors import DataError, SpecError
from tpsgd_edge.features import features_of
from tpsgd_edge.frontend.data import load_dataset
from tpsgd_edge.frontend.defaults import with_defaults
from tpsgd_edge.frontend.network import sample_shape
from tpsgd_edge.frontend.wav import read_wav
from tpsgd_edge.spec import spec_from_dict


def test_samples_are_features(tmp_path):
    x = some_recordings(30, 300, 2)
    data = load_dataset(hearing_spec(tmp_path, BANDS, x=x))
    assert data.input_shape == (8, 12)
    assert data.raw == "int16"
    made = features_of(data.signal.numbers, x).reshape(30, -1)
    assert (data.x_train == made[data.places]).all()
    assert (data.signal.recordings == x[:4]).all()


def test_windows_are_a_sequence_before_dense_layers_and_an_image_before_maps(tmp_path):
    spec = hearing_spec(tmp_path, BANDS)
    data = load_dataset(spec)
    assert sample_shape(spec, data.input_shape) == (1, 8, 6)
    assert with_defaults(spec, data)[0].data.scaling == "standard_channels"
    maps = [{"kind": "conv2d", "name": "c", "filters": 2, "kernel": 3}, {"name": "out", "units": 2}]
    assert sample_shape(hearing_spec(tmp_path, BANDS, layers=maps), (8, 6)) == (8, 6, 1)


@pytest.mark.parametrize(("length", "windows"), [(200, 5), (300, 8), (400, 11)])
def test_recordings_are_cut_or_filled(length, windows, tmp_path):
    x = some_recordings(30, 300)
    data = load_dataset(hearing_spec(tmp_path, {**BANDS, "length": length}, x=x))
    assert data.input_shape == (windows, 6)
    cut = np.pad(x, ((0, 0), (0, max(0, length - 300)), (0, 0)))[:, :length]
    assert (
        data.x_train == features_of(data.signal.numbers, cut).reshape(30, -1)[data.places]
    ).all()


@pytest.mark.parametrize("dtype", ["i1", "u1", "i4", "f8"])
def test_any_type_that_holds_whole_numbers_will_do(dtype, tmp_path):
    x = np.random.default_rng(1).integers(0, 120, (30, 300)).astype(dtype)
    data = load_dataset(hearing_spec(tmp_path, BANDS, x=x))
    again = load_dataset(hearing_spec(tmp_path, BANDS, x=x.astype(np.int16)))
    assert (data.x_train == again.x_train).all()


@pytest.mark.parametrize(
    ("x", "words"),
    [
        (np.random.default_rng(1).uniform(-1, 1, (30, 300)), "numpy.round(x * 32767)"),
        (np.full((30, 300), 40_000, np.uint16), "(x - 32768).astype"),
        (np.full((30, 300), np.nan), "x[0, 0] = nan; 9,000 such values"),
        (np.full((30, 300), 0.5) * 1000 + 0.25, "x[0, 0] = 500.25"),
    ],
)
def test_other_signals_are_refused(x, words, tmp_path):
    with pytest.raises(DataError, match="whole numbers of 16 bits") as refused:
        load_dataset(hearing_spec(tmp_path, BANDS, x=x))
    assert words in str(refused.value)


def test_what_is_no_recording_is_refused(tmp_path):
    for x in (np.zeros((30, 4, 4, 4), np.int16), np.zeros((30, 300, 65), np.int16)):
        with pytest.raises(DataError, match="recordings have the wrong shape"):
            load_dataset(hearing_spec(tmp_path, BANDS, x=x))
    with pytest.raises(DataError, match="samples must be numbers"):
        load_dataset(hearing_spec(tmp_path, BANDS, x=np.full((30, 300), "a")))
    with pytest.raises(SpecError, match="whatever raw says"):
        load_dataset(hearing_spec(tmp_path, BANDS, data={"raw": "uint8"}))
    with pytest.raises(SpecError, match="a recording is shorter than a window"):
        load_dataset(hearing_spec(tmp_path, BANDS, x=np.zeros((30, 40), np.int16)))


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({}, "no features are named"),
        ({"window": 100, "statistics": ["rms"]}, "such as 64"),
        ({"hop": 100, "statistics": ["rms"]}, "'hop' divides the window of 256 samples: use 64"),
        ({"bands": 20}, "bands need the sample_rate"),
        ({"bands": 20, "sample_rate": 8000, "highest": 5000.0}, "up to half the sample rate"),
        ({"bands": 20, "sample_rate": 8000, "lowest": 900.0, "highest": 800.0}, "900 to 800 Hz"),
        ({"statistics": ["rms", "rms"]}, "names 'rms' twice"),
        ({"statistics": ["rms"], "lowest": 5.0}, "'lowest' says nothing without bands"),
        ({"statistics": ["rms"], "length": 100}, "'length' is at least a window"),
        ({"statistics": ["loudness"]}, "unknown value"),
    ],
)
def test_a_section_that_cannot_be_is_refused(keys, words, tmp_path):
    with pytest.raises(SpecError) as refused:
        hearing_spec(tmp_path, keys)
    assert words in str(refused.value)


def test_specs_without_a_signal_have_the_digest_that_they_had(tmp_path):
    spec = hearing_spec(tmp_path, BANDS).model_copy(update={"features": None})
    content = spec.model_dump(mode="json", by_alias=True, exclude={"search", "features"})
    for layer in content["model"]["layers"]:
        del layer["from"]
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    assert spec.digest == "sha256:" + hashlib.sha256(text.encode()).hexdigest()


# ------------------------------------------------------------------ WAV files


def wav(
    samples: np.ndarray, rate: int = 8000, *, extensible: bool = False, more: bytes = b""
) -> bytes:
    """A WAV file of samples (n, channels), int16 or uint8."""
    bits, channels = 8 * samples.itemsize, samples.shape[1]
    block = channels * samples.itemsize
    form = struct.pack("<HHIIHH", 1, channels, rate, rate * block, block, bits)
    if extensible:
        form = struct.pack("<H", 0xFFFE) + form[2:] + struct.pack("<HHI", 22, bits, 4)
        form += struct.pack("<H", 1) + bytes(14)
    parts = b"fmt " + struct.pack("<I", len(form)) + form + more
    parts += b"data" + struct.pack("<I", samples.nbytes) + samples.tobytes()
    return b"RIFF" + struct.pack("<I", 4 + len(parts)) + b"WAVE" + parts


def write(path: Path, content: bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def test_wav_files_are_read(tmp_path):
    x = some_recordings(1, 50, 2)[0]
    between = b"LIST" + struct.pack("<I", 3) + b"abc\0"
    for content in (wav(x), wav(x, extensible=True), wav(x, more=between), wav(x) + b"LIST"):
        found = read_wav(write(tmp_path / "a.wav", content))
        assert (found.samples == x).all()
        assert found.rate == 8000
    small = np.array([[0], [128], [255]], np.uint8)
    found = read_wav(write(tmp_path / "b.wav", wav(small)))
    assert found.samples.ravel().tolist() == [-32768, 0, 127 * 256]
    # A recorder that lost power has written a length that is not there.
    assert (read_wav(write(tmp_path / "c.wav", wav(x)[:-5])).samples == x[:-2]).all()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "it starts with nothing"),
        (b"ID3\x04 an mp3", "it starts with 49 44 33"),
        (wav(np.zeros((4, 1), np.int16))[:20], "no format before samples"),
        (wav(np.zeros((0, 1), np.int16)), "no samples"),
        (wav(np.zeros((4, 1), np.float32)), "1 channels, 32 bits a sample"),
        (
            wav(np.zeros((4, 1), np.int16)).replace(b"\x01\x00\x01\x00", b"\x03\x00\x01\x00"),
            "format 3",
        ),
    ],
)
def test_other_files_are_refused(content, words, tmp_path):
    with pytest.raises(DataError, match="is no WAV file of whole numbers") as refused:
        read_wav(write(tmp_path / "a.wav", content))
    assert words in str(refused.value)


def folder_spec(folder: Path, features: dict, **data: object):
    content = {
        "name": "ear",
        "model": {"layers": [{"name": "fc1", "units": 5}, {"name": "fc2", "units": 2}]},
        "data": {"file": "sounds", **data},
        **({"features": features} if features else {}),
    }
    return spec_from_dict(content, folder=folder)


def some_folder(folder: Path, lengths: tuple[int, ...] = (300,) * 6) -> np.ndarray:
    x = some_recordings(len(lengths), max(lengths))
    for i, length in enumerate(lengths):
        name = ("bird", "dog")[i % 2]
        write(folder / "sounds" / name / f"{i}.wav", wav(x[i, :length]))
    return x


def test_a_folder_of_folders_is_a_data_set(tmp_path):
    x = some_folder(tmp_path)
    write(tmp_path / "sounds" / "notes.txt", b"not a recording")
    write(tmp_path / "sounds" / "dog" / "notes.txt", b"nor this")
    data = load_dataset(folder_spec(tmp_path, BANDS))
    assert data.class_names == ("bird", "dog")
    assert "from the names of its folders" in data.said.labels
    every = np.concatenate([data.x_train, data.x_test])
    made = features_of(data.signal.numbers, x).reshape(6, -1)
    assert sorted(map(tuple, every)) == sorted(map(tuple, made))
    (tmp_path / "more").mkdir()
    (tmp_path / "sounds").rename(tmp_path / "more" / "sounds")
    tested = folder_spec(tmp_path, BANDS, file="more/sounds", test_file="more/sounds")
    assert len(load_dataset(tested).x_test) == 6


def test_folders_that_do_not_go_together_are_refused(tmp_path):
    some_folder(tmp_path, (300, 200, 300))
    with pytest.raises(DataError, match="recordings differ in their length") as refused:
        load_dataset(folder_spec(tmp_path, BANDS))
    assert "set length = 300" in str(refused.value)
    assert load_dataset(folder_spec(tmp_path, {**BANDS, "length": 300})).input_shape == (8, 6)
    with pytest.raises(DataError, match="another sample rate than the spec") as refused:
        load_dataset(folder_spec(tmp_path, {**BANDS, "sample_rate": 16000, "length": 300}))
    assert "set sample_rate = 8000" in str(refused.value)
    with pytest.raises(DataError, match="a net does not read recordings as they are"):
        load_dataset(folder_spec(tmp_path, {}))
    write(tmp_path / "sounds" / "dog" / "z.wav", wav(np.zeros((300, 2), np.int16)))
    with pytest.raises(DataError, match="recordings differ in their channels") as refused:
        load_dataset(folder_spec(tmp_path, {**BANDS, "length": 300}))
    assert "dog/z.wav" in str(refused.value)


def test_a_single_recording_has_advice(tmp_path):
    write(tmp_path / "a.wav", wav(np.zeros((300, 1), np.int16)))
    with pytest.raises(DataError, match="of a kind that is not read") as refused:
        load_dataset(folder_spec(tmp_path, BANDS, file="a.wav"))
    assert "a folder of WAV files for each class" in str(refused.value)
