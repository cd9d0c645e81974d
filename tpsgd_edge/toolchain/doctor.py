"""List of the tools that are installed, and of how to get the others."""

import importlib.metadata
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tpsgd_edge.errors import ToolError, how_to_install
from tpsgd_edge.toolchain.compilers import INSTALL_AVR, INSTALL_ZIG, find_zig
from tpsgd_edge.toolchain.flashing import INSTALL_FLASHER
from tpsgd_edge.toolchain.node_link import INSTALL_NODE
from tpsgd_edge.toolchain.process import run_tool
from tpsgd_edge.toolchain.qemu_link import install_qemu
from tpsgd_edge.toolchain.simavr_link import INSTALL_SIMAVR, check_simavr


@dataclass(frozen=True, slots=True)
class Tool:
    """A compiler, an emulator or an optional package.

    Attributes:
        version: None where it is not found.
        path: of the program; None for a package.
        purpose: what it is used for.
        help: how to get it.
    """

    name: str
    version: str | None
    path: Path | None
    purpose: str
    help: str


# Program, how to ask for its version, purpose, how to get it.
_PROGRAMS = (
    ("gcc", "-dumpfullversion", "builds for the host", "on Debian and Ubuntu: apt install gcc"),
    ("clang", "-dumpversion", "builds for every platform", "on Debian: apt install clang lld"),
    (
        "arm-none-eabi-gcc",
        "-dumpfullversion",
        "builds for Cortex-M",
        "on Debian and Ubuntu: apt install gcc-arm-none-eabi",
    ),
    (
        "riscv64-unknown-elf-gcc",
        "-dumpfullversion",
        "builds for RISC-V",
        "on Debian and Ubuntu: apt install gcc-riscv64-unknown-elf",
    ),
    ("avr-gcc", "-dumpversion", "builds for AVR", INSTALL_AVR),
    (
        "qemu-system-arm",
        "--version",
        "runs and counts Cortex-M, the M55 among them",
        install_qemu("qemu-system-arm"),
    ),
    (
        "qemu-system-riscv32",
        "--version",
        "runs and counts RISC-V",
        install_qemu("qemu-system-riscv32"),
    ),
    ("node", "--version", "runs WebAssembly, and a Pico by rp2040js", INSTALL_NODE),
    ("probe-rs", "--version", "flashes boards over a debug probe", INSTALL_FLASHER["probe-rs"]),
    ("esptool", "version", "flashes an ESP32", INSTALL_FLASHER["esptool"]),
    ("bossac", "--version", "flashes an Arduino Nano 33 BLE", INSTALL_FLASHER["bossac"]),
)
_PACKAGES = (
    ("unicorn", "runs and counts every platform but the Cortex-M55", INSTALL_ZIG),
    ("capstone", "estimates of cycles", INSTALL_ZIG),
    ("onnx", "nets from ONNX files, export", how_to_install("onnx")),
    ("onnxruntime", "runs what export writes; not needed here", "pip install onnxruntime"),
    ("torch", "pre-training, compare, nets from PyTorch", how_to_install("torch")),
    ("optuna", "search", how_to_install("search")),
    ("flwr", "a fleet as an app of Flower", how_to_install("fleet")),
    ("scikit-learn", "TPSGDClassifier, TPSGDRegressor", how_to_install("sklearn")),
)


def survey() -> tuple[Tool, ...]:
    """Every tool that can be used, found or not."""
    return (_zig(), *_programs(), _simavr(), *_packages())


def _zig() -> Tool:
    command = find_zig()
    return Tool(
        "zig",
        _ask([*command, "version"]) if command else None,
        Path(command[0]) if command else None,
        "builds for every platform",
        INSTALL_ZIG,
    )


def _programs() -> Iterator[Tool]:
    for name, question, purpose, help_ in _PROGRAMS:
        path = shutil.which(name)
        version = _ask([path, question]) if path else None
        yield Tool(name, version, Path(path) if path else None, purpose, help_)


def _simavr() -> Tool:
    """A library, which does not say its version."""
    try:
        check_simavr()
        version = "found"
    except ToolError:
        version = None
    return Tool("libsimavr", version, None, "runs and counts AVR", INSTALL_SIMAVR)


def _packages() -> Iterator[Tool]:
    for name, purpose, help_ in _PACKAGES:
        yield Tool(name, _package_version(name), None, purpose, help_)


def _package_version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def _ask(command: list[str]) -> str | None:
    """The version in the first line of an answer, None where there is no answer."""
    try:
        lines = run_tool(command, purpose="asking for the version", timeout=30).splitlines()
    except ToolError:
        return None
    return lines[0].removeprefix("QEMU emulator version ").strip() if lines else None
