"""A project written by hand in the form of a generated one, with a numpy twin.

Two layers of s16 weights, 5 inputs in s8, 4 hidden values, 3 classes. What it "learns" is useless;
that it changes every tensor in a way that a twin can follow is.
"""

import zlib
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tests.support.fake_sources import FILES, SOURCES
from tpsgd_edge.memory.state import StateLayout, StateTensor
from tpsgd_edge.toolchain.interface import ModelInterface

__all__ = ["FILES", "INTERFACE", "SOURCES", "Twin", "samples", "write_project"]

N_IN, N_HIDDEN, N_OUT = 5, 4, 3

_TENSORS = (
    StateTensor("rng", "rng", "u32", (), 0),
    StateTensor("step", "step", "u32", (), 4),
    StateTensor("start", "start", "u32", (), 8),
    StateTensor("rate", "rate", "u32", (), 12),
    StateTensor("fc1.b", "fc1_b", "s32", (N_HIDDEN,), 16),
    StateTensor("fc2.b", "fc2_b", "s32", (N_OUT,), 32),
    StateTensor("fc1.w", "fc1_w", "s16", (N_HIDDEN, N_IN), 44),
    StateTensor("fc2.w", "fc2_w", "s16", (N_OUT, N_HIDDEN), 84),
)

INTERFACE = ModelInterface(
    name="fake",
    x_type="s8",
    n_in=N_IN,
    label_type="u16",
    label_count=1,
    labels_are_classes=True,
    output_type="s16",
    n_out=N_OUT,
    layout=StateLayout(_TENSORS, 108),
    tensors=("fc1.w", "fc1.b", "fc2.w", "fc2.b", "rng", "step", "start", "rate"),
    layers=("fc1", "fc2"),
)


def write_project(folder: Path, extra: dict[str, str] | None = None) -> Path:
    """Write the project's files, and `extra` ones by path."""
    for path, text in (FILES | (extra or {})).items():
        file = folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text.lstrip())
    return folder


def samples(count: int, seed: int = 0) -> tuple[NDArray[np.int8], NDArray[np.uint16]]:
    """Random samples: x of shape (count, 5) and class labels."""
    rng = np.random.default_rng(seed)
    x = rng.integers(-128, 128, (count, N_IN)).astype(np.int8)
    return x, rng.integers(0, N_OUT, count).astype(np.uint16)


def _initial() -> dict[str, NDArray[np.generic]]:
    return {
        "rng": np.uint32(12345)[...],
        "step": np.uint32(0)[...],
        "start": np.uint32(0)[...],
        "rate": np.uint32(32768)[...],
        "fc1.b": np.arange(4, dtype=np.int32),
        "fc2.b": -np.arange(3, dtype=np.int32),
        "fc1.w": (7 * np.arange(20, dtype=np.int16) - 50).reshape(4, 5),
        "fc2.w": (11 * np.arange(12, dtype=np.int16) - 60).reshape(3, 4),
    }


@dataclass
class Twin:
    """The same model in numpy."""

    state: dict[str, NDArray[np.generic]] = field(default_factory=_initial)

    def outputs(self, x: NDArray[np.int8]) -> NDArray[np.int16]:
        """Outputs of one sample, int16 (3,)."""
        return self._forward(x)[1]

    def train_step(self, x: NDArray[np.int8], label: int) -> NDArray[np.int16]:
        """Train on one sample; its outputs before the update."""
        hidden, outputs = self._forward(x)
        self.state["fc1.w"][label] += x.astype(np.int16)
        self.state["fc2.w"][label] += hidden
        self.state["fc1.b"][label] += 1
        self.state["fc2.b"][label] += 1
        self.state["rng"] = np.uint32((int(self.state["rng"]) + 0x9E3779B9) & 0xFFFFFFFF)[...]
        self.state["step"] = np.uint32(int(self.state["step"]) + 1)[...]
        return outputs

    def digests(self, outputs: NDArray[np.int16]) -> list[int]:
        """CRC-32 of each tensor in digest order, then of the outputs."""
        arrays = [*(self.state[name] for name in INTERFACE.tensors), outputs]
        return [zlib.crc32(array.tobytes()) for array in arrays]

    def answers(self, x: NDArray[np.int8], labels: NDArray[np.uint16]) -> NDArray[np.uint32]:
        """What every function says of each sample and the one before it."""
        outputs = [self.outputs(sample) for sample in x]
        right = [int(y.argmax() == label) for y, label in zip(outputs, labels, strict=True)]
        words = [
            (zlib.crc32(y.tobytes()), y.argmax(), 0, 0, 0, right[i] + right[max(i - 1, 0)])
            for i, y in enumerate(outputs)
        ]
        return np.array(words, np.uint32)

    def digest(self) -> int:
        """CRC-32 of all tensors."""
        return zlib.crc32(b"".join(self.state[name].tobytes() for name in INTERFACE.tensors))

    def _forward(self, x: NDArray[np.int8]) -> tuple[NDArray[np.int16], NDArray[np.int16]]:
        hidden = _dense(self.state["fc1.w"], self.state["fc1.b"], x, 3)
        return hidden, _dense(self.state["fc2.w"], self.state["fc2.b"], hidden, 5)


def _dense(w, b, x, divisor) -> NDArray[np.int16]:
    acc = w.astype(np.int64) @ x.astype(np.int64) + b
    quotient = np.sign(acc) * (np.abs(acc) // divisor)  # C truncates
    return np.trunc(quotient.astype(np.float32) * np.float32(0.5)).astype(np.int16)
