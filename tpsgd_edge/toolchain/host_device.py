"""The model as a shared library of this computer, driven in-process (firmware/host/sim.c)."""

import ctypes
import zlib
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
from numpy.typing import NDArray

from tpsgd_edge.arithmetic.types import Array
from tpsgd_edge.errors import DataError, ToolError
from tpsgd_edge.quantize.model import DTYPES
from tpsgd_edge.toolchain.interface import ModelInterface
from tpsgd_edge.toolchain.protocol import check_state, checked_samples
from tpsgd_edge.toolchain.shared_library import Function, load_library
from tpsgd_edge.trace import ANSWERS, Answers, Trace, neighbours

# Python sees a Ctrl-C between two calls: some milliseconds to a fraction of a second apart.
_SAMPLES_PER_CALL = 1024
_CACHE_LINE = 64

_POINTER, _U32 = ctypes.c_void_p, ctypes.c_uint32
# Not every model has a confidence, nor does each build train.
_FUNCTIONS: tuple[Function, ...] = (
    ("info", None, [_POINTER]),
    ("init", None, [_POINTER]),
    ("outputs", None, [_POINTER, _POINTER, _POINTER, _U32]),
    ("confidences", None, [_POINTER, _POINTER, _POINTER, _U32]),
    ("train", _U32, [_POINTER, _POINTER, _POINTER, _POINTER, _U32]),
    ("last_output", _POINTER, []),
    ("set_rate", _U32, [_POINTER, _POINTER]),
    ("restart_schedule", None, [_POINTER]),
    ("selftest", _U32, [_POINTER]),
    ("ask", None, [_POINTER, _POINTER, _POINTER, _POINTER, _U32]),
    ("bad_labels_taken", _U32, [_POINTER, _POINTER]),
    ("digest", _U32, [_POINTER]),
    ("prepare", _U32, [_POINTER, _POINTER]),
    ("prepare_label", _U32, [_POINTER, _POINTER]),
    ("values", None, [_POINTER, _POINTER]),
    ("hear", _U32, [_POINTER, _POINTER]),
)


class HostDevice:
    """A device in this process: as fast as the C, one thread at a time (the arena is shared)."""

    def __init__(self, library: Path, interface: ModelInterface) -> None:
        self.interface = interface
        self._lib = load_library(library, "the simulation library", "tps_sim_", _FUNCTIONS)
        self._state = _aligned_state(interface)
        self._check()
        self.init()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        where: TracebackType | None,
    ) -> None:
        """Nothing to free: the library stays loaded, the state is Python's."""

    def init(self) -> None:
        """See Device."""
        self._lib.tps_sim_init(self._model)

    def train(self, x: Array, labels: Array, *, order: NDArray[np.integer] | None = None) -> int:
        """See Device."""
        inputs, targets = self._samples(x, labels)
        indices = _indices(order, len(inputs))
        refused = 0
        for start in range(0, len(indices), _SAMPLES_PER_CALL):
            part = indices[start : start + _SAMPLES_PER_CALL]
            refused += self._lib.tps_sim_train(
                self._model, _address(inputs), _address(targets), _address(part), len(part)
            )
        return refused

    def trace(self, x: Array, labels: Array) -> Trace:
        """See Device."""
        interface = self.interface
        inputs, targets = self._samples(x, labels)
        tensors = self._views()
        digests = np.zeros((len(inputs), len(tensors) + 1), np.uint32)
        output = np.zeros(0, np.uint8)
        for i in range(len(inputs)):
            index = np.array([i], np.uint32)
            self._lib.tps_sim_train(
                self._model, _address(inputs), _address(targets), _address(index), 1
            )
            output = self._last_output()
            digests[i] = [zlib.crc32(tensor.data) for tensor in (*tensors, output)]
        final = dict(interface.layout.read(self.state()))
        if len(inputs):
            final["output"] = interface.last_output(output.tobytes())
        return Trace(interface.trace_names, digests, final)

    def outputs(self, x: Array) -> Array:
        """See Device."""
        inputs = self.interface.inputs(x)
        raw = np.zeros((len(inputs), self.interface.output_bytes), np.uint8)
        for start in range(0, len(inputs), _SAMPLES_PER_CALL):
            part, out = inputs[start : start + _SAMPLES_PER_CALL], raw[start:]
            self._lib.tps_sim_outputs(self._model, _address(part), _address(out), len(part))
        return self.interface.outputs(raw.tobytes())

    def confidences(self, x: Array) -> Array:
        """See Device."""
        inputs = self.interface.inputs(x)
        out = np.zeros(len(inputs), self.interface.confidence_dtype)
        for start in range(0, len(inputs), _SAMPLES_PER_CALL):
            part = inputs[start : start + _SAMPLES_PER_CALL]
            self._lib.tps_sim_confidences(
                self._model, _address(part), _address(out[start:]), len(part)
            )
        return out

    def answers(self, x: Array, labels: Array) -> Answers:
        """See Device."""
        inputs, targets = self._samples(x, labels)
        pairs = neighbours(len(inputs))
        words = np.zeros((len(inputs), len(ANSWERS)), np.uint32)
        for start in range(0, len(inputs), _SAMPLES_PER_CALL):
            part, out = pairs[start : start + _SAMPLES_PER_CALL], words[start:]
            both, labels_of_both = inputs[part], targets[part]
            self._lib.tps_sim_ask(
                self._model, _address(both), _address(labels_of_both), _address(out), len(part)
            )
        taken = 0
        if len(inputs) and not self._only_predicts:
            taken = self._lib.tps_sim_bad_labels_taken(self._model, _address(inputs[-1:]))
        return Answers(words, taken, self._lib.tps_sim_digest(self._model))

    def prepare(self, raw: Array) -> tuple[NDArray[np.uint32], Array]:
        """See Device."""
        given = self.interface.raws(raw)
        made = np.zeros(given.shape, DTYPES[self.interface.x_type])
        return self._converted("prepare", given, made), made

    def prepare_labels(self, values: Array) -> tuple[NDArray[np.uint32], Array]:
        """See Device."""
        given = self.interface.values(values)
        made = np.zeros(given.shape, DTYPES[self.interface.label_type])
        return self._converted("prepare_label", given, made), made

    def values(self, outputs: Array) -> Array:
        """See Device."""
        given = np.ascontiguousarray(outputs)
        made = np.zeros(given.shape, "<f4")
        for one, out in zip(given, made, strict=True):
            self._lib.tps_sim_values(_address(one), _address(out))
        return made

    def hear(self, blocks: Array) -> tuple[NDArray[np.uint32], Array]:
        """See Device."""
        given = self.interface.blocks(blocks)
        made = np.zeros((len(given), self.interface.window_features), DTYPES["s16"])
        self._lib.tps_sim_hear(None, None)
        return self._converted("hear", given, made), made

    def _converted(self, name: str, given: Array, made: Array) -> NDArray[np.uint32]:
        """Call a function for each row of `given` and `made`; the statuses that it returned."""
        function = getattr(self._lib, f"tps_sim_{name}")
        rows = zip(given, made, strict=True)
        statuses = [function(_address(one), _address(out)) for one, out in rows]
        return np.array(statuses, np.uint32)

    def state(self) -> bytes:
        """See Device."""
        return self._state.tobytes()

    def load_state(self, state: bytes) -> None:
        """See Device."""
        check_state(self.interface, state)
        self._state[:] = np.frombuffer(state, np.uint32)

    def set_rate(self, rate: float) -> bool:
        """See Device."""
        value = np.frombuffer(self.interface.rate(rate), np.uint8)
        return int(self._lib.tps_sim_set_rate(self._model, _address(value))) == 0

    def restart_schedule(self) -> None:
        """See Device."""
        self._lib.tps_sim_restart_schedule(self._model)

    def selftest(self) -> bool:
        """See Device."""
        return int(self._lib.tps_sim_selftest(self._model)) == 0

    def stack_bytes(self) -> int:
        """See Device. Not measured on the host."""
        return 0

    @property
    def _model(self) -> ctypes.c_void_p:
        return _address(self._state)

    def _samples(self, x: Array, labels: Array) -> tuple[Array, Array]:
        return checked_samples(self.interface, x, labels)

    def _views(self) -> list[NDArray[np.uint8]]:
        """The bytes of each tensor in the state, in digest order."""
        raw = self._state.view(np.uint8)
        spans = {
            t.name: raw[t.offset : t.offset + t.n_bytes] for t in self.interface.layout.tensors
        }
        return [spans[name] for name in self.interface.tensors]

    def _last_output(self) -> NDArray[np.uint8]:
        address = self._lib.tps_sim_last_output()
        return np.frombuffer(ctypes.string_at(address, self.interface.answer_bytes), np.uint8)

    def _check(self) -> None:
        interface = self.interface
        info = np.zeros(5, np.uint32)
        self._lib.tps_sim_info(_address(info))
        expected = (
            interface.layout.size,
            interface.x_bytes,
            interface.label_bytes,
            interface.output_bytes,
            len(interface.tensors),
        )
        self._only_predicts = not info[4]
        if tuple(info.tolist()) not in (expected, (*expected[:4], 0)):
            raise ToolError(
                "the library was built from another model",
                where=interface.name,
                found=f"{tuple(info.tolist())}, expected {expected}",
                help="build it again from this spec",
            )


def _aligned_state(interface: ModelInterface) -> NDArray[np.uint32]:
    """Room for the state in which the largest tensor begins with a line of the cache.

    Rows of weights elsewhere have vectors across two lines, and those cost twice.
    """
    size = interface.layout.size // 4
    room = np.zeros(size + _CACHE_LINE // 4, np.uint32)
    largest = max(interface.layout.tensors, key=lambda tensor: tensor.n_bytes)
    start = -(room.ctypes.data + largest.offset) % _CACHE_LINE // 4
    return room[start : start + size]


def _address(array: Array) -> ctypes.c_void_p:
    return ctypes.c_void_p(array.ctypes.data)


def _indices(order: NDArray[np.integer] | None, count: int) -> NDArray[np.uint32]:
    if order is None:
        return np.arange(count, dtype=np.uint32)
    if len(order) and not 0 <= int(order.min()) <= int(order.max()) < count:
        raise DataError(
            "the order names samples that do not exist",
            found=f"{int(order.min())} to {int(order.max())} of {count} samples",
        )
    return np.ascontiguousarray(order, np.uint32)
