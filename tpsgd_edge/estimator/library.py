"""The generated C of a model in this process, compiled once for each project."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache

from tpsgd_edge.codegen import CProject
from tpsgd_edge.errors import MismatchError
from tpsgd_edge.quantize import QuantizedModel
from tpsgd_edge.stages import compile_for_host, scratch_project
from tpsgd_edge.toolchain.device import Device
from tpsgd_edge.toolchain.interface import interface_of
from tpsgd_edge.toolchain.open_device import open_device

# Far more models than a process has in use; what drops out is compiled again when it is needed.
_LIBRARIES = 256


@dataclass(frozen=True, slots=True, eq=False)
class HostCode:
    """A model and its C project. Two are equal when their projects are, to the byte."""

    model: QuantizedModel
    project: CProject

    @property
    def manifest(self) -> str:
        """The project's manifest, which holds the digest of every other file."""
        return self.project.files["manifest.json"]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, HostCode) and self.manifest == other.manifest

    def __hash__(self) -> int:
        return hash(self.manifest)


@dataclass(frozen=True, slots=True)
class _Library:
    device: Device
    # Other threads run during a call into C, and the library has one arena and one state.
    lock: threading.Lock


@contextmanager
def running(code: HostCode, state: bytes | None = None) -> Iterator[Device]:
    """The model in this process with `state`, or as training starts; one thread at a time.

    Raises:
        ToolError: there is no C compiler, or it fails.
        MismatchError: what it makes does not do what the reference does.
    """
    library = _library(code)
    with library.lock:
        if state is None:
            library.device.init()
        else:
            library.device.load_state(state)
        yield library.device


@lru_cache(maxsize=_LIBRARIES)
def _library(code: HostCode) -> _Library:
    with scratch_project(code.project) as folder:
        # Once it is loaded, the file may go.
        device = open_device(compile_for_host(code.project, folder), interface_of(code.model))
    if not device.selftest():
        raise MismatchError(
            "the self-test fails: the compiled code does not do what the reference does",
            where=f"{code.model.name} on host",
            help="another compiler may do better; `tpsgd-edge verify` of a spec names the place",
        )
    return _Library(device, threading.Lock())
