"""Fuzz what comes from outside: specs, data, models, dumps, checkpoints, logs, manifests and more.

    python tools/fuzz.py --minutes 30 --corpus FOLDER              # guided by what code is reached
    python tools/fuzz.py --minutes 10 --only spec csv --plain      # changed seeds; needs nothing

--plain takes the minutes for each kind, and the same inputs for the same --seed.

Whatever the bytes are, a reader gives an answer or raises a TpsgdError, and leaves files that are
not its own alone. Anything else ends the run with a traceback, and the bytes are kept as crash-* in
the current folder. Without --plain it needs atheris.
"""

import argparse
import hashlib
import json
import random
import sqlite3
import struct
import sys
import tempfile
import time
import zlib
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from contextlib import nullcontext, suppress
from dataclasses import dataclass
from functools import cache
from itertools import product, repeat
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from fuzz_changes import changed

try:
    import atheris
except ImportError:
    atheris = None

with atheris.instrument_imports(include=["tpsgd_edge"]) if atheris else nullcontext():
    from tpsgd_edge.comparison.runs import Run
    from tpsgd_edge.comparison.store import open_store
    from tpsgd_edge.errors import TpsgdError
    from tpsgd_edge.fleet.shared import shared_of
    from tpsgd_edge.fleet.updates import DIFFERENCE, WHOLE, Message, written
    from tpsgd_edge.fleet.updates import read as read_message
    from tpsgd_edge.frontend.csv_file import CsvKeys, read_csv
    from tpsgd_edge.frontend.idx import read_idx
    from tpsgd_edge.frontend.imports.onnx_net import read_onnx
    from tpsgd_edge.frontend.npz import read_npz
    from tpsgd_edge.frontend.samples import check_samples
    from tpsgd_edge.frontend.tflite.net import read_tflite
    from tpsgd_edge.frontend.wav import read_wav
    from tpsgd_edge.link.frames import Frame, encoded
    from tpsgd_edge.link.frames import Reader as FrameReader
    from tpsgd_edge.link.messages import Answer, Hello, Kind, Log, Statistics, number_of
    from tpsgd_edge.memory import model_id, state_layout
    from tpsgd_edge.memory.checkpoint import checkpoint, newest
    from tpsgd_edge.memory.dump import read_dump
    from tpsgd_edge.memory.log import HEAD, log_format, read_log
    from tpsgd_edge.memory.state import COUNTERS
    from tpsgd_edge.quantize import QuantizedModel
    from tpsgd_edge.reference import Reference
    from tpsgd_edge.spec import load_spec
    from tpsgd_edge.stages import prepare, render_project
    from tpsgd_edge.stages.export import note_of, noted_model
    from tpsgd_edge.toolchain.folder import write_project

EXAMPLES = Path(__file__).resolve().parent.parent / "examples"
DATA = EXAMPLES.parent / "tests" / "data"
_RUN = Run("random", 1, 0.1, 2, 32)
_SPEC = b"""name = "net"
seed = 1
[model]
layers = [{ name = "a", units = 3, activation = "tanh", loss = "l2" }, { name = "b", units = 2 }]
[numbers]
weights = "f32"
[rule]
learning_rate = 0.1
epochs = 2
[projection]
kind = "sign"
scale = 0.5
[data]
file = "d.csv"
scaling = "none"
"""
_CSV = b"a,b,y\n1,2,x\n3,4,z\n5,6.5,x\n-1,1e9,z\n0,0,x\n7,8,z\n"


@dataclass(frozen=True)
class Reader:
    """What reads one kind of file, and good files of this kind to start from."""

    read: Callable[[bytes, Path], object]
    seeds: tuple[bytes, ...]


def _to_file(read: Callable[[Path], object]) -> Callable[[bytes, Path], object]:
    def reader(content: bytes, folder: Path) -> object:
        path = folder / "file"
        path.write_bytes(content)
        return read(path)

    return reader


def _read_spec(content: bytes, folder: Path) -> None:
    (folder / "net.toml").write_bytes(content)
    (folder / "d.csv").write_bytes(_CSV)
    spec = load_spec(folder / "net.toml")
    names = (spec.data.file, spec.data.test_file, spec.model.weights_file, spec.model.source)
    # Nets that a person would not wait for, and files of this computer, are another matter.
    is_small = sum(getattr(layer, "units", 64) for layer in spec.model.layers) < 200
    if is_small and spec.model.pretrain is None and set(names) <= {"d.csv", None}:
        render_project(prepare(spec))


def _read_manifest(content: bytes, folder: Path) -> None:
    """What a manifest says must not touch what it has not written."""
    victim, out = folder / "victim.txt", folder / "out"
    out.mkdir(exist_ok=True)
    notes = out / "notes.txt"
    for path in (victim, notes):
        path.write_bytes(b"precious")
    (out / "manifest.json").write_bytes(content)
    try:
        write_project({"net.c": "int net;\n", "manifest.json": _manifest("net.c", b"")}, out)
    finally:
        assert victim.read_bytes() == notes.read_bytes() == b"precious"


def _manifest(name: str, content: bytes) -> str:
    digest = hashlib.sha256(content).hexdigest()
    return json.dumps({"tool": {"name": "tpsgd-edge"}, "files": {name: digest}})


def _read_note(content: bytes, folder: Path) -> None:
    note_of(folder / "w.bin").write_bytes(content)
    noted_model(folder / "w.bin", b"state")


def _read_results(content: bytes, folder: Path) -> None:
    path = folder / "r.sqlite"
    path.write_bytes(content)
    with open_store(path, "spec") as store:
        store.find(_RUN)


def _wavs() -> tuple[bytes, ...]:
    """Recordings of one channel of 16 bits and two of 8, the latter with a part in between."""

    def wav(channels: int, bits: int, *between: bytes) -> bytes:
        block = channels * bits // 8
        form = struct.pack("<HHIIHH", 1, channels, 8000, 8000 * block, block, bits)
        content = b"fmt " + struct.pack("<I", 16) + form + b"".join(between)
        content += b"data" + struct.pack("<I", 12) + bytes(range(12))
        return b"RIFF" + struct.pack("<I", 4 + len(content)) + b"WAVE" + content

    return wav(1, 16), wav(2, 8, b"LIST", struct.pack("<I", 3), b"abc\0")


def _dump(model: QuantizedModel) -> Callable[[bytes, Path], object]:
    def read(content: bytes, folder: Path) -> None:
        Reference(model).load_state(read_dump(model, content, where="dump"))

    return read


def _checkpoint(model: QuantizedModel) -> Callable[[bytes, Path], object]:
    own, layout = model_id(model), state_layout(model)

    def read(content: bytes, folder: Path) -> None:
        found = newest(content, own, layout.used_bytes, where="flash")
        assert found.state is not None
        # Nothing is made of bytes that no CRC-32 covers.
        number = found.sequence
        assert checkpoint(found.state, model_id=own, step=found.step, sequence=number) in content
        read_dump(model, found.state.ljust(layout.size, b"\0"), where="flash")

    return read


def _storage(model: QuantizedModel, state: bytes) -> bytes:
    """A storage with a torn, a whole and an erased slot, and one of another model."""
    own, used = model_id(model), state_layout(model).used_bytes
    whole = checkpoint(state[:used], model_id=own, step=0, sequence=7)
    other = checkpoint(b"state", model_id=own + 1, step=9, sequence=9)
    return whole[:-9] + whole + bytes(64) + other + b"\xff" * 64


def _read_log(model: QuantizedModel) -> Callable[[bytes, Path], object]:
    form = log_format(model)

    def read(content: bytes, folder: Path) -> None:
        for session in read_log(content, form, where="log"):
            steps = [record for record in session.records if record.kind == "step"]
            # Nothing is made of bytes that are not there.
            assert sum(form.x_bytes + form.label_bytes for _ in steps) <= len(content)
            assert session.checked <= len(session.records)

    return read


def _read_message(model: QuantizedModel) -> Callable[[bytes, Path], object]:
    shared = shared_of(model)

    def read(content: bytes, folder: Path) -> None:
        assert read_message(shared, content).values.shape == (shared.count,)

    return read


def _messages(model: QuantizedModel) -> tuple[bytes, ...]:
    """All values of a fleet, and differences of all widths."""
    shared = shared_of(model)
    moved = np.arange(shared.count) ** 2 % 70_001
    messages = (Message(WHOLE, 1, 0, shared.low), Message(DIFFERENCE, 1, 9, moved))
    return tuple(written(shared, message) for message in messages)


def _log(model: QuantizedModel) -> bytes:
    """Two beginnings, each with a step, a digest and a new rate; the second one is cut off."""
    form = log_format(model)
    sizes = (form.x_bytes, form.label_bytes)
    head = HEAD.pack(b"tpSl", 1, form.model_id, *sizes, 1, 0, 0)
    session = head + zlib.crc32(head).to_bytes(4, "little") + b"S" + bytes(sum(sizes))
    session += b"D" + bytes(8)
    session += zlib.crc32(session).to_bytes(4, "little")
    session += b"R" + bytes(4) + b"B"
    return session + session[:-20]


@cache
def readers() -> Mapping[str, Reader]:
    """A reader for each kind of file."""
    model = prepare(load_spec(EXAMPLES / "digits.toml")).model
    tensors = Reference(model).state()
    state = b"".join(tensors[name].tobytes() for name in COUNTERS).ljust(4920, b"\0")
    idx = bytes([0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 2, 0, 0, 0, 2, *range(8)])
    note = json.dumps({"model_id": "0x1", "sha256": hashlib.sha256(b"state").hexdigest()})
    manifests = [
        _manifest("../victim.txt", b"precious"),
        _manifest("notes.txt", b"what we wrote there"),
        _manifest("net.c", b""),
    ]
    onnx = (EXAMPLES / "digits_onnx.onnx").read_bytes()
    tflite = tuple(path.read_bytes() for path in sorted(DATA.glob("*.tflite")))
    npz = (EXAMPLES / "diabetes.npz").read_bytes()
    return {
        "spec": Reader(_read_spec, (_SPEC, _SPEC.replace(b'"f32"', b'"s8"'))),
        "csv": Reader(_to_file(lambda path: check_samples(read_csv(path, CsvKeys()))), (_CSV,)),
        "npz": Reader(_to_file(read_npz), (npz,)),
        "idx": Reader(_to_file(read_idx), (idx,)),
        "wav": Reader(_to_file(read_wav), _wavs()),
        "onnx": Reader(_to_file(read_onnx), (onnx,)),
        "tflite": Reader(_to_file(read_tflite), tflite),
        "dump": Reader(_dump(model), (state,)),
        "checkpoint": Reader(_checkpoint(model), (_storage(model, state),)),
        "log": Reader(_read_log(model), (_log(model),)),
        "manifest": Reader(_read_manifest, tuple(text.encode() for text in manifests)),
        "note": Reader(_read_note, (note.encode(),)),
        "results": Reader(_read_results, (_results(),)),
        "frames": Reader(_read_frames, _frames()),
        "fleet": Reader(_read_message(model), _messages(model)),
    }


def _read_frames(content: bytes, _folder: Path) -> None:
    """What a device sends: whole frames, and the same bytes as any of their payloads."""
    payloads = [content, *(frame.payload for frame in FrameReader(1 << 16).feed(content))]
    for payload, read in product(payloads, (Hello.read, Log.read, Statistics.read, number_of)):
        with suppress(TpsgdError):
            read(payload)
        with suppress(TpsgdError):
            Answer.read(payload, np.dtype("<i2"), Kind.CLASSES | Kind.CONFIDENCE)


def _frames() -> tuple[bytes, ...]:
    payloads = (bytes(52) + b"net", bytes(8) + bytes(range(32)), bytes(32), bytes(4))
    sent = tuple(encoded(Frame(129 + i, 7, payload)) for i, payload in enumerate(payloads))
    return (*payloads, b"".join(sent), *sent)


def _results() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "r.sqlite"
        with open_store(path, "spec"):
            pass
        with sqlite3.connect(path) as connection:
            connection.execute(
                "insert into runs values ('spec', 'random', 1, 0.1, 1, 2, 32, 0, 'shuffled',"
                " 'accuracy', '[0.1, 0.5]', 1.5, 10, 20, 30)"
            )
        connection.close()
        return path.read_bytes()


def inputs(kind: str, seed: int) -> Iterator[bytes]:
    """Changed seeds of one kind without an end, the same for the same number."""
    draw = random.Random(f"{kind} {seed}")
    seeds = readers()[kind].seeds
    while True:
        yield changed(draw.choice(seeds), draw)


def try_one(kind: str, content: bytes) -> None:
    """Read one input; whatever is no answer and no TpsgdError is raised."""
    with tempfile.TemporaryDirectory() as folder, suppress(TpsgdError):
        readers()[kind].read(content, Path(folder))


def _plain(kinds: list[str], seconds: float, seed: int, jobs: int) -> None:
    """Each kind for so long, the same inputs for the same seed, as many as come."""
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        counts = pool.map(_plain_one, kinds, repeat(seconds), repeat(seed))
        print(", ".join(f"{kind} {n:,}" for kind, n in zip(kinds, counts, strict=True)))


def _plain_one(kind: str, seconds: float, seed: int) -> int:
    """How many inputs of one kind did no harm in some seconds."""
    end = time.monotonic() + seconds
    for number, content in enumerate(inputs(kind, seed)):
        if time.monotonic() > end:
            return number
        try:
            try_one(kind, content)
        except BaseException:
            digest = hashlib.sha256(content).hexdigest()[:12]
            Path(f"crash-{kind}-{digest}").write_bytes(content)
            raise
    raise AssertionError("the inputs have come to an end")


def _guided(kinds: list[str], seconds: float, corpus: Path) -> None:
    corpus.mkdir(parents=True, exist_ok=True)
    for at, kind in enumerate(kinds):
        for number, content in enumerate(readers()[kind].seeds):
            (corpus / f"seed-{kind}-{number}").write_bytes(bytes([at]) + content)

    def one(content: bytes) -> None:
        if content and content[0] < len(kinds):
            try_one(kinds[content[0]], content[1:])

    options = [f"-max_total_time={seconds:.0f}", "-max_len=20000", "-rss_limit_mb=3000"]
    atheris.Setup([sys.argv[0], *options, "-timeout=30", str(corpus)], one)
    atheris.Fuzz()


def main() -> None:
    """Fuzz for a while."""
    parser = argparse.ArgumentParser(description="Fuzz whatever comes from outside.")
    parser.add_argument("--minutes", type=float, default=1.0, help="with --plain of each kind")
    parser.add_argument("--seed", type=int, default=0, help="with --plain: other inputs")
    parser.add_argument("--jobs", type=int, default=1, help="with --plain: kinds at a time")
    parser.add_argument("--only", nargs="+", metavar="KIND", help="kinds of files; all by default")
    parser.add_argument("--plain", action="store_true", help="change seeds at random, no atheris")
    parser.add_argument("--corpus", type=Path, help="a folder; grows with the run")
    arguments = parser.parse_args()
    kinds = arguments.only or list(readers())
    if unknown := set(kinds) - set(readers()):
        parser.error(f"no such kind: {', '.join(sorted(unknown))}")
    if arguments.plain:
        _plain(kinds, 60 * arguments.minutes, arguments.seed, arguments.jobs)
    elif atheris is None:
        parser.error("atheris is not installed: pip install atheris, or --plain")
    elif arguments.corpus is None:
        parser.error("--corpus FOLDER is where the run keeps what it finds")
    else:
        _guided(kinds, 60 * arguments.minutes, arguments.corpus)


if __name__ == "__main__":
    main()
