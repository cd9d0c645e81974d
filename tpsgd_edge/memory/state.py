"""The state struct: everything that training changes (docs/ARITHMETIC.md, section 13)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from tpsgd_edge.memory.kept import kept_samples
from tpsgd_edge.quantize.model import DTYPES, QuantizedModel

# What is state beside the layers' tensors, in the order of the digest.
COUNTERS = ("rng", "step", "start", "rate")


@dataclass(frozen=True, slots=True)
class StateTensor:
    """One member of the state struct: `member` in C, `name` in traces and messages."""

    name: str
    member: str
    type: str
    shape: tuple[int, ...]
    offset: int

    @property
    def count(self) -> int:
        """Number of elements."""
        return int(np.prod(self.shape, dtype=np.int64))

    @property
    def n_bytes(self) -> int:
        """Size in bytes."""
        return self.count * DTYPES[self.type].itemsize


@dataclass(frozen=True, slots=True)
class StateLayout:
    """Members of the struct in memory order: of 4 bytes, then 2, then 1; padding at the end."""

    tensors: tuple[StateTensor, ...]
    size: int

    @property
    def used_bytes(self) -> int:
        """Bytes without the padding at the end, which not all compilers add."""
        last = self.tensors[-1]
        return last.offset + last.n_bytes

    def read(self, raw: bytes) -> dict[str, NDArray[np.generic]]:
        """Read the tensors, in their shapes, from a raw copy of the struct, by name."""
        return {
            t.name: np.frombuffer(raw, DTYPES[t.type], t.count, t.offset).reshape(t.shape)
            for t in self.tensors
        }

    def write(self, tensors: Mapping[str, NDArray[np.generic]]) -> bytes:
        """Join tensors, in the shapes of `read`, to a raw copy of the struct; padding is 0."""
        raw = bytearray(self.size)
        for t in self.tensors:
            values = np.ascontiguousarray(tensors[t.name], DTYPES[t.type])
            raw[t.offset : t.offset + t.n_bytes] = values.tobytes()
        return bytes(raw)


def rate_type(model: QuantizedModel) -> Literal["u32", "f32"]:
    """The type of the state's `rate`: Q15, or real in f32 models."""
    return "f32" if model.value_type == "f32" else "u32"


def state_layout(model: QuantizedModel) -> StateLayout:
    """Place of each tensor in the state struct."""
    members: list[tuple[str, str, str, tuple[int, ...]]] = [
        ("rng", "rng", "u32", ()),
        ("step", "step", "u32", ()),
        ("start", "start", "u32", ()),
        ("rate", "rate", rate_type(model), ()),
    ]
    for layer in model.trainable:
        members.append((f"{layer.name}.b", f"{layer.name}_b", layer.bias_type, (layer.n_out,)))
    for detector in model.detectors:
        for own in detector.tensors:
            name, member = f"{detector.name}.{own.role}", f"{detector.name}_{own.role}"
            members.append((name, member, "s32", (own.count,)))
    by_size = sorted(model.trainable, key=lambda layer: -DTYPES[layer.weight_type].itemsize)
    for layer in by_size:
        matrix = (layer.n_out, layer.n_in)
        members.append((f"{layer.name}.w", f"{layer.name}_w", layer.weight_type, matrix))
    # Of a byte each, or of four as all of an f32 model.
    for layer in model.trainable:
        if layer.has_learning_readout:
            type_ = "f32" if layer.weight_type == "f32" else "s8"
            matrix = (layer.n_target, model.labels.count)
            members.append((f"{layer.name}.p", f"{layer.name}_p", type_, matrix))
    kept = kept_samples(model)
    members += [(name, name.replace(".", "_"), type_, shape) for name, type_, shape in kept]
    if kept:
        # They are of all sizes; the others are in order already.
        members.sort(key=lambda member: -DTYPES[member[2]].itemsize)

    tensors, offset = [], 0
    for name, member, type_, shape in members:
        tensor = StateTensor(name, member, type_, shape, offset)
        tensors.append(tensor)
        offset += tensor.n_bytes
    return StateLayout(tuple(tensors), -(-offset // 4) * 4)


def digest_order(model: QuantizedModel) -> tuple[str, ...]:
    """Names of the state's tensors in the order of the model's digest."""
    names = [
        f"{layer.name}.{tensor}"
        for layer in model.trainable
        for tensor in ("wbp" if layer.has_learning_readout else "wb")
    ]
    own = [f"{layer.name}.{tensor.role}" for layer in model.detectors for tensor in layer.tensors]
    return (*names, *own, *(name for name, _, _ in kept_samples(model)), *COUNTERS)
