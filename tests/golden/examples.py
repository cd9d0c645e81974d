"""The examples, trained for some steps with the generated C, and what came of it in two numbers.

Data files that are not in this folder are replaced by made ones of the same shape, so that every
example trains everywhere to the same bits.
"""

import json
import tomllib
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tpsgd_edge.quantize import quantize_inputs, quantize_labels
from tpsgd_edge.spec import Spec, load_spec, spec_from_dict
from tpsgd_edge.stages import on_host, prepare

FOLDER = Path(__file__).parents[2] / "examples"
EXAMPLES = tuple(sorted(path.stem for path in FOLDER.glob("*.toml")))
DIGESTS = Path(__file__).parent / "digests.json"
STEPS, ASKED, SAMPLES = 200, 20, 256
# Shape of a sample and number of classes of the data sets that are not shipped.
_MADE = {
    "fashion-mnist": ((28, 28), 10),
    "fashion_rotated.npz": ((28, 28), 10),
    "hapt_train.npz": ((128, 6), 6),
    "mnist/train-images-idx3-ubyte": ((28, 28), 10),
    "spoken_digits.npz": ((6000,), 10),
    "spoken_new.npz": ((6000,), 10),
}


@dataclass(frozen=True, slots=True)
class Outcome:
    """What an example came to: the model's own digest, and a CRC-32 over all that it answers."""

    digest: str
    answers: str


def is_shipped(name: str) -> bool:
    """Return whether the data of an example lie beside it in the repository."""
    return _data_of(name) not in _MADE


def example(name: str, folder: Path) -> Spec:
    """Read an example; data that are not shipped are made in `folder`."""
    return load_spec(FOLDER / f"{name}.toml") if is_shipped(name) else _on_made_data(name, folder)


def outcome(spec: Spec) -> Outcome:
    """Train the generated C on this computer for `STEPS` samples and ask it `ASKED` of them."""
    prepared = prepare(spec)
    model, dataset = prepared.model, prepared.dataset
    x = quantize_inputs(model, dataset.x_train[:STEPS])
    labels = quantize_labels(model, dataset.y_train[:STEPS])
    with on_host(prepared) as device:
        refused = device.train(x, labels)
        said = device.answers(x[:ASKED], labels[:ASKED])
    assert refused == 0
    assert len(x) == STEPS
    return Outcome(f"0x{said.digest:08X}", f"0x{zlib.crc32(said.words.tobytes()):08X}")


def stored() -> dict[str, Outcome]:
    """Return the outcomes as they are kept, by name of the example."""
    entries = json.loads(DIGESTS.read_text(encoding="utf-8"))
    return {name: Outcome(**entry) for name, entry in entries.items()}


def store(name: str, found: Outcome) -> None:
    """Keep an outcome in place of the one before; entries of examples that are gone go."""
    entries = (stored() if DIGESTS.exists() else {}) | {name: found}
    lines = [
        f'  "{key}": {{ "digest": "{entry.digest}", "answers": "{entry.answers}" }}'
        for key, entry in sorted(entries.items())
        if key.partition(" ")[0] in EXAMPLES
    ]
    DIGESTS.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")


def _raw(name: str) -> dict[str, Any]:
    return tomllib.loads((FOLDER / f"{name}.toml").read_text(encoding="utf-8"))


def _data_of(name: str) -> str:
    return str(_raw(name)["data"]["file"])


def _on_made_data(name: str, folder: Path) -> Spec:
    raw = _raw(name)
    shape, classes = _MADE[_data_of(name)]
    path = folder / f"{name}.npz"
    np.savez(path, **_made(shape, classes))
    kept = {key: raw["data"][key] for key in ("scaling",) if key in raw["data"]}
    raw["data"] = {"file": str(path), **kept}
    # Pre-training runs in floating point, whose last bits are the machine's own.
    raw["model"].pop("pretrain", None)
    return spec_from_dict(raw)


def _made(shape: tuple[int, ...], classes: int) -> dict[str, Any]:
    """Draw bytes around one pattern a class, x (n, *shape) and y (n,), to train and to test on."""
    rng = np.random.default_rng(20)
    patterns = rng.integers(0, 200, (classes, *shape))
    files = {}
    for x, y in (("x", "y"), ("x_test", "y_test")):
        labels = rng.integers(0, classes, SAMPLES)
        noise = rng.integers(0, 56, (SAMPLES, *shape))
        files |= {x: (patterns[labels] + noise).astype(np.uint8), y: labels.astype(np.uint8)}
    return files
