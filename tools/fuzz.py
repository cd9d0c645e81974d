"""Fuzz the readers of files that nobody trusts: ONNX, .npz, IDX, CSV, dumps of the state.

    python tools/fuzz.py --minutes 30 --corpus FOLDER

Whatever the bytes are, a reader gives an answer or raises a TpsgdError. Anything else ends the run
with a traceback, and the bytes are kept as crash-* in the current folder. Needs atheris.
"""

import argparse
import sys
import tempfile
from collections.abc import Callable
from contextlib import nullcontext, suppress
from pathlib import Path

try:
    import atheris
except ImportError:
    atheris = None

with atheris.instrument_imports(include=["tpsgd_edge"]) if atheris else nullcontext():
    from tpsgd_edge.errors import TpsgdError
    from tpsgd_edge.frontend.csv_file import CsvKeys, read_csv
    from tpsgd_edge.frontend.idx import read_idx
    from tpsgd_edge.frontend.imports.onnx_net import read_onnx
    from tpsgd_edge.frontend.npz import read_npz
    from tpsgd_edge.frontend.samples import check_samples
    from tpsgd_edge.memory.dump import read_dump
    from tpsgd_edge.memory.state import COUNTERS
    from tpsgd_edge.quantize import QuantizedModel
    from tpsgd_edge.reference import Reference
    from tpsgd_edge.spec import load_spec
    from tpsgd_edge.stages import prepare

EXAMPLES = Path(__file__).resolve().parent.parent / "examples"


def _csv(path: Path) -> None:
    check_samples(read_csv(path, CsvKeys()))


def _dump(model: QuantizedModel) -> Callable[[Path], None]:
    def read(path: Path) -> None:
        state = read_dump(model, path.read_bytes(), where="dump")
        Reference(model).load_state(state)

    return read


def readers() -> dict[str, Callable[[Path], object]]:
    """A reader for each kind of file, by the byte that says so in front of it."""
    model = prepare(load_spec(EXAMPLES / "digits.toml")).model
    return {"o": read_onnx, "n": read_npz, "i": read_idx, "c": _csv, "d": _dump(model)}


def seed(corpus: Path) -> None:
    """Good files to start from."""
    small = b"a,b,y\n1,2,x\n3,4,z\n"
    idx = bytes([0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 2, 0, 0, 0, 2, *range(8)])
    model = prepare(load_spec(EXAMPLES / "digits.toml")).model
    tensors = Reference(model).state()
    state = b"".join(tensors[name].tobytes() for name in COUNTERS)
    corpus.mkdir(parents=True, exist_ok=True)
    for name, content in (
        ("onnx", b"o" + (EXAMPLES / "digits_onnx.onnx").read_bytes()),
        ("npz", b"n" + (EXAMPLES / "diabetes.npz").read_bytes()),
        ("csv", b"c" + small),
        ("idx", b"i" + idx),
        ("dump", b"d" + state.ljust(4920, b"\0")),
    ):
        (corpus / f"seed-{name}").write_bytes(content)


def main() -> None:
    """Fuzz for a while."""
    parser = argparse.ArgumentParser(description="Fuzz the readers of files.")
    parser.add_argument("--minutes", type=float, default=1.0)
    parser.add_argument("--corpus", type=Path, required=True, help="a folder; grows with the run")
    arguments = parser.parse_args()
    if atheris is None:
        parser.error("atheris is not installed: pip install atheris")
    seed(arguments.corpus)
    by_letter = readers()
    path = Path(tempfile.mkdtemp()) / "file"

    def one(content: bytes) -> None:
        reader = by_letter.get(content[:1].decode("latin-1"))
        if reader is None:
            return
        path.write_bytes(content[1:])
        # The name decides nothing but the message.
        with suppress(TpsgdError):
            reader(path)

    seconds = int(60 * arguments.minutes)
    options = [f"-max_total_time={seconds}", "-max_len=20000", "-rss_limit_mb=3000", "-timeout=30"]
    atheris.Setup([sys.argv[0], *options, str(arguments.corpus)], one)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
