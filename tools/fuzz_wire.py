"""Fuzz the C that takes requests: tests/wire/fuzz_wire.c under libFuzzer and sanitizers.

    python tools/fuzz_wire.py --minutes 60 --corpus FOLDER

Whatever comes over a wire, no byte beyond its buffers is touched, the model stays one that training
may have made, and all that is sent are whole frames. The corpus begins with whole conversations.
"""

import argparse
import shutil
import struct
import subprocess
import sys
import tempfile
import zlib
from collections.abc import Iterator
from pathlib import Path

from tpsgd_edge.codegen import CProject
from tpsgd_edge.memory import model_id, state_layout
from tpsgd_edge.reference import Reference
from tpsgd_edge.spec import load_spec
from tpsgd_edge.stages import Prepared, prepare, render_project

ROOT = Path(__file__).resolve().parent.parent
COMPILERS = ("clang", *(f"clang-{version}" for version in range(22, 13, -1)))
_FLAGS = "-std=c11 -O1 -g -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all"
_SMALL = 'model.layers=[{ name = "fc1", units = 3 }, { name = "fc2", units = 10 }]'
# The operations of fuzz_wire.c, and which number a request has.
_BYTES, _SERVE, _REQUEST = 0, 2, 3
_NEXT = 2


def model() -> Prepared:
    """A small model whose project has a wire."""
    return prepare(load_spec(ROOT / "examples" / "digits.toml", ("firmware.wire=true", _SMALL)))


def build(folder: Path, project: CProject) -> Path | None:
    """The program in a folder; None where no compiler brings libFuzzer."""
    for path, text in project.files.items():
        if path.endswith((".c", ".h")) and "/" not in path:
            (folder / path).write_text(text, encoding="utf-8")
    (folder / "tps_crc32.h").write_text(f'#include "{project.name}_tps_crc32.h"\n')
    sources = [*(folder / name for name in project.sources), ROOT / "tests/wire/fuzz_wire.c"]
    names = [f"-DMODEL={project.name}", f'-DMODEL_H="{project.name}_wire.h"', f"-I{folder}"]
    for compiler in filter(None, map(shutil.which, COMPILERS)):
        words = [compiler, *_FLAGS.split(), *names, *map(str, sources), "-o", str(folder / "fuzz")]
        if subprocess.run(words, check=False, capture_output=True).returncode == 0:
            return folder / "fuzz"
    return None


def _request(command: int, payload: bytes = b"", which: int = _NEXT) -> bytes:
    return struct.pack("<BBHB", _REQUEST, command, len(payload), which) + payload


def seeds(prepared: Prepared) -> Iterator[bytes]:
    """Conversations: everything once, weights read and written, noise between."""
    own = prepared.model
    layout, reference = state_layout(own), Reference(own)
    x = bytes(range(own.n_inputs))
    label = struct.pack("<HH", 3, 0)
    hello = b"\1" + _request(1)
    yield hello + b"".join(_request(c) for c in (2, 10, 12)) + _request(11, bytes(4))
    yield hello + _request(3, x) + _request(4, label + x) + 3 * _request(5, label + x)
    again = _request(5, label + x, which=1)
    yield hello + _request(5, label + x) + again + _request(1) + again
    state = layout.write(reference.state())[: layout.used_bytes]
    begin = struct.pack("<3I", model_id(own), len(state), zlib.crc32(state))
    blocks = [
        _request(8, struct.pack("<I", at) + state[at : at + 128])
        for at in range(0, len(state), 128)
    ]
    written = b"".join(blocks) + _request(9)
    yield hello + _request(7, begin) + written + _request(12)
    # Learned meanwhile, so that the end changes the model.
    yield hello + _request(5, label + x) + _request(7, begin) + written
    yield hello + b"".join(_request(6, struct.pack("<II", at, 128)) for at in (0, 128, 384))
    yield hello + bytes([_BYTES, 9]) + b"\0\5noise\0\0" + _request(5, label + x) + bytes([_SERVE])


def fuzz(program: Path, corpus: Path, prepared: Prepared, *options: str) -> int:
    """Run the fuzzer on a corpus, which grows; its exit code, 0 where nothing was found."""
    corpus.mkdir(parents=True, exist_ok=True)
    for number, content in enumerate(seeds(prepared)):
        (corpus / f"seed-{number}").write_bytes(content)
    return subprocess.run([program, *options, "-max_len=4096", corpus], check=False).returncode


def main() -> int:
    """Fuzz for a while; the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--minutes", type=float, default=1.0)
    parser.add_argument("--corpus", type=Path, required=True, help="a folder; grows with the run")
    arguments = parser.parse_args()
    prepared = model()
    with tempfile.TemporaryDirectory() as folder:
        program = build(Path(folder), render_project(prepared))
        if program is None:
            parser.error("no clang with libFuzzer: install clang and libclang-rt-dev")
        limit = f"-max_total_time={60 * arguments.minutes:.0f}"
        return fuzz(program, arguments.corpus, prepared, limit)


if __name__ == "__main__":
    sys.exit(main())
