"""Recordings in folders of WAV files: one folder for each class."""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tpsgd_edge.errors import DataError, visible
from tpsgd_edge.frontend.samples import LARGEST_SET, RawSamples, read_bytes
from tpsgd_edge.spec import FeaturesSpec, Spec

_ENDING = ".wav"
_MOST_FILES = 200_000
_LARGEST_FILE = 1 << 28
# Formats of a WAV file: whole numbers, and those that say so further behind.
_PCM, _EXTENSIBLE = 1, 0xFFFE


@dataclass(frozen=True, slots=True)
class Wav:
    """One recording: samples (n, channels) s16, and how many of them a second has."""

    samples: NDArray[np.int16]
    rate: int


def is_wav_folder(path: Path) -> bool:
    """Tell whether a folder has folders with WAV files in them."""
    return path.is_dir() and any(_wav_files(folder) for folder in _folders(path))


def read_wav_folder(spec: Spec, path: Path) -> RawSamples:
    """The recordings below a folder, in order of their names; their classes are its folders' names.

    Raises:
        DataError: a file that is no WAV of whole numbers, recordings that do not go together, or a
            spec that makes no features of them.
    """
    if spec.features is None:
        raise DataError(
            "a net does not read recordings as they are",
            where=f"[data], file; '{path.name}'",
            found="a folder of WAV files, and no [features]",
            help="add [features] with bands = 20 and sample_rate, or with statistics",
        )
    names: list[Path] = []
    labels: list[str] = []
    recordings: list[NDArray[np.int16]] = []
    room = LARGEST_SET
    for folder in _folders(path):
        for file in _wav_files(folder):
            wav = read_wav(file)
            _check_rate(spec.features, wav, file)
            room -= wav.samples.nbytes
            if room < 0 or len(names) == _MOST_FILES:
                raise DataError(
                    f"'{path.name}' is too large",
                    where=path.name,
                    found=f"more than {len(names):,} recordings before '{visible(file.name)}'",
                )
            names.append(file)
            labels.append(folder.name)
            recordings.append(wav.samples)
    x = _of_one_shape(spec.features, recordings, names)
    where = f"{path.name}, {len(names):,} WAV files"
    return RawSamples(x, np.array(labels), where, y_from="the names of its folders")


def _folders(path: Path) -> list[Path]:
    entries = sorted(islice(path.iterdir(), _MOST_FILES))
    return [entry for entry in entries if entry.is_dir() and not entry.name.startswith(".")]


def _wav_files(folder: Path) -> list[Path]:
    files = sorted(islice(folder.iterdir(), _MOST_FILES))
    return [file for file in files if file.suffix.lower() == _ENDING and file.is_file()]


def read_wav(path: Path) -> Wav:
    """Read a WAV file of whole numbers of 8 or 16 bits.

    Raises:
        DataError: missing, truncated, or another kind of file.
    """
    content = read_bytes(path, limit=_LARGEST_FILE)
    if content[:4] != b"RIFF" or content[8:12] != b"WAVE":
        raise _refused(path, f"it starts with {content[:12].hex(' ') or 'nothing'}")
    form: tuple[int, ...] | None = None
    for name, chunk in _chunks(content):
        if name == b"fmt " and len(chunk) >= 16:
            form = struct.unpack("<HHIIHH", chunk[:16])
            if form[0] == _EXTENSIBLE and len(chunk) >= 26:
                form = (int.from_bytes(chunk[24:26], "little"), *form[1:])
        if name == b"data" and form is not None:
            return _samples(path, form, chunk)
    raise _refused(path, "no format before samples, or none of both")


def _chunks(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield name and content of each part; the last one may be shorter than it says."""
    at = 12
    while at + 8 <= len(content):
        size = int.from_bytes(content[at + 4 : at + 8], "little")
        yield content[at : at + 4], content[at + 8 : at + 8 + size]
        at += 8 + size + size % 2


def _samples(path: Path, form: tuple[int, ...], chunk: bytes) -> Wav:
    kind, channels, rate, _, block, bits = form
    if kind != _PCM or bits not in (8, 16) or channels == 0 or block != channels * bits // 8:
        raise _refused(path, f"format {kind}, {channels} channels, {bits} bits a sample")
    whole = chunk[: len(chunk) // block * block]
    if not whole:
        raise _refused(path, "no samples")
    if bits == 8:  # these alone have no sign
        values = (np.frombuffer(whole, np.uint8).astype(np.int16) - 128) << 8
    else:
        values = np.frombuffer(whole, "<i2").astype(np.int16)
    return Wav(values.reshape(-1, channels), rate)


def _refused(path: Path, found: str) -> DataError:
    return DataError(
        f"'{visible(path.name)}' is no WAV file of whole numbers of 8 or 16 bits",
        where=str(path),
        found=found,
        help="ffmpeg -i recording -acodec pcm_s16le -ac 1 recording.wav makes one",
    )


def _check_rate(features: FeaturesSpec, wav: Wav, path: Path) -> None:
    if features.sample_rate is not None and wav.rate != features.sample_rate:
        raise DataError(
            "a recording has another sample rate than the spec",
            where=f"{path.parent.name}/{visible(path.name)}; [features], sample_rate",
            found=f"{wav.rate} Hz; sample_rate = {features.sample_rate:g}",
            help=f"set sample_rate = {wav.rate} where all recordings have it, else ffmpeg -ar",
        )


def _of_one_shape(
    features: FeaturesSpec, recordings: list[NDArray[np.int16]], names: list[Path]
) -> NDArray[np.int16]:
    """All recordings in one array (n, length, channels)."""
    lengths, channels = {len(r) for r in recordings}, {r.shape[1] for r in recordings}
    if len(channels) > 1:
        other = next(i for i, r in enumerate(recordings) if r.shape[1] != recordings[0].shape[1])
        raise DataError(
            "recordings differ in their channels",
            where=f"{names[other].parent.name}/{visible(names[other].name)}",
            found=f"{recordings[other].shape[1]} channels; the first one has "
            f"{recordings[0].shape[1]}",
        )
    length = features.length
    if length is None and len(lengths) > 1:
        raise DataError(
            "recordings differ in their length",
            where="[features], length",
            found=f"{min(lengths):,} to {max(lengths):,} samples",
            help=f"set length = {max(lengths)}: shorter ones get zeros, longer ones are cut",
        )
    length = length or lengths.pop()
    if length * channels.pop() * len(recordings) * 2 > LARGEST_SET:
        raise DataError(
            "the recordings are too large together",
            where="[features], length",
            found=f"{len(recordings):,} recordings of {length:,} samples",
        )
    together = np.zeros((len(recordings), length, recordings[0].shape[1]), np.int16)
    for row, recording in zip(together, recordings, strict=True):
        row[: len(recording)] = recording[:length]
    return together
