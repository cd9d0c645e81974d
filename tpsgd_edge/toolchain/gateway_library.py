"""The C of a gateway as a shared library of this computer, driven in-process (firmware/fleet)."""

import ctypes
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tpsgd_edge.assets import firmware_dir
from tpsgd_edge.codegen.fleet import FleetView
from tpsgd_edge.toolchain.build import (
    LANGUAGE,
    WARNINGS,
    cache_key,
    digest_of,
    run_compiler,
    unless_built,
)
from tpsgd_edge.toolchain.compilers import find_compiler
from tpsgd_edge.toolchain.platforms import load_platform
from tpsgd_edge.toolchain.shared_library import Function, load_library

_U32, _ADDRESS = ctypes.c_uint32, ctypes.c_void_p


class _Tensor(ctypes.Structure):
    """Struct tps_fleet_tensor."""

    _fields_ = (
        ("rows", _U32),
        ("columns", _U32),
        ("low", ctypes.c_int32),
        ("high", ctypes.c_int32),
        ("bytes", ctypes.c_uint8),
    )


class _Fleet(ctypes.Structure):
    """Struct tps_fleet."""

    _fields_ = (
        ("tensors", ctypes.POINTER(_Tensor)),
        ("n_tensors", _U32),
        ("model_id", _U32),
        ("seed", _U32),
        ("base", _ADDRESS),
        ("sums", _ADDRESS),
        ("wide_sums", _ADDRESS),
        ("round", _U32),
        ("all", _U32),
    )


_FLEET = ctypes.POINTER(_Fleet)
_FUNCTIONS: tuple[Function, ...] = (
    ("gateway_seed", _U32, [_U32, _U32]),
    ("take", ctypes.c_bool, [_FLEET, _ADDRESS, ctypes.c_char_p, _U32]),
    ("write", _U32, [_FLEET, _ADDRESS, _ADDRESS, _U32]),
    ("check", ctypes.c_bool, [_FLEET, ctypes.c_char_p, _U32, ctypes.POINTER(_U32)]),
    ("shift", ctypes.c_uint8, [_ADDRESS, _U32]),
    ("share", _U32, [_U32, ctypes.c_uint8]),
    ("begin", None, [_FLEET]),
    ("add", None, [_FLEET, ctypes.c_char_p, _U32]),
    ("finish", None, [_FLEET]),
    ("samples", _U32, [_ADDRESS, _U32]),
    ("write_update", _U32, [_FLEET, _ADDRESS, _U32, _ADDRESS, _U32]),
)


class GatewayLibrary:
    """A gateway in C, with values and sums in arrays of Python's."""

    def __init__(
        self, library: Path, view: FleetView, values: NDArray[np.int64], number: int
    ) -> None:
        """Begin with the values (count,) that all devices begin with."""
        self._lib = load_library(library, "the library of a gateway", "tps_fleet_", _FUNCTIONS)
        own = (_Tensor(t.rows, t.columns, t.low, t.high, t.bytes) for t in view.tensors)
        tensors = (_Tensor * len(view.tensors))(*own)
        self._base = values.astype(np.int32)
        self._before = self._base.copy()
        # The struct has their addresses alone.
        self._arrays = (np.zeros_like(self._base), np.zeros(view.wide_values, np.int64))
        self._message = np.zeros(view.message_bytes, np.uint8)
        seed = self._lib.tps_fleet_gateway_seed(view.seed, number)
        pointers = (array.ctypes.data for array in (self._base, *self._arrays))
        self._fleet = _Fleet(tensors, len(tensors), view.model_id, seed, *pointers, 0, 0)

    def take(self, message: bytes) -> bool:
        """Begin a round with a message of the server above; whether it was taken."""
        before = self._before.ctypes.data
        arguments = (self._here, before, message, len(message))
        is_taken = bool(self._lib.tps_fleet_take(*arguments))
        self._before[:] = self._base
        return is_taken

    def message(self) -> bytes:
        """All values, for a device."""
        return self._written(self._lib.tps_fleet_write, None)

    def finish(self, updates: Sequence[bytes]) -> int:
        """End a round with what devices sent; how many of it were refused."""
        lib, counts, taken = self._lib, [], []
        for update in updates:
            count = _U32()
            if lib.tps_fleet_check(self._here, update, len(update), ctypes.byref(count)):
                counts.append(count.value)
                taken.append(update)
        self._counts = np.array(counts, np.uint32)
        shift = lib.tps_fleet_shift(self._counts.ctypes.data, len(counts))
        lib.tps_fleet_begin(self._here)
        for update, samples in zip(taken, counts, strict=True):
            lib.tps_fleet_add(self._here, update, lib.tps_fleet_share(samples, shift))
        lib.tps_fleet_finish(self._here)
        return len(updates) - len(taken)

    def update(self) -> bytes | None:
        """The update for the server above; None where no update came."""
        if self._fleet.all == 0:
            return None
        samples = self._lib.tps_fleet_samples(self._counts.ctypes.data, len(self._counts))
        write = self._lib.tps_fleet_write_update
        return self._written(write, self._before.ctypes.data, samples)

    @property
    def _here(self) -> object:
        return ctypes.byref(self._fleet)

    def _written(self, write: object, *arguments: int | None) -> bytes:
        assert callable(write)
        count = write(self._here, *arguments, self._message.ctypes.data, len(self._message))
        return self._message[:count].tobytes()


def compile_gateway(build_dir: Path) -> Path:
    """The gateway as a library for this computer: one for all models, whose tensors it is told.

    Raises:
        ToolError: there is no compiler, or it fails.
        OutputError: `build_dir` cannot be written.
    """
    folder, runtime = firmware_dir() / "fleet", firmware_dir() / "runtime"
    compiler = find_compiler(load_platform("host"))
    zig = ("-fno-sanitize=all",) if compiler.family == "zig" else ()
    flags = [*LANGUAGE, *WARNINGS, "-O2", "-shared", "-fPIC", *zig, f"-I{runtime.as_posix()}"]
    digest = digest_of([folder, runtime], [compiler.title, *compiler.command, *LANGUAGE])

    def make(scratch: Path) -> tuple[Path, str]:
        built = scratch / "gateway.so"
        arguments = [*flags, "tps_fleet.c", "tps_fleet_message.c", "-o", str(built)]
        purpose = "compiling a gateway for the host"
        return built, run_compiler(compiler, arguments, folder, scratch, purpose=purpose)

    path = build_dir / f"gateway-{digest[:12]}.so"
    unless_built(path, make, cache_key((digest, "gateway"), compiler))
    return path
