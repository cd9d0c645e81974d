"""RAM and flash of a model, from the linked ELF."""

from dataclasses import dataclass, replace

from tpsgd_edge.errors import ToolError
from tpsgd_edge.toolchain.build import Binary
from tpsgd_edge.toolchain.elf import read_elf


@dataclass(frozen=True, slots=True)
class Ram:
    """Bytes of RAM: the state struct, the code's static data, the stack, what a stream keeps."""

    weights: int
    arena: int
    stack: int
    signal: int = 0

    @property
    def total(self) -> int:
        """Their sum."""
        return self.weights + self.arena + self.stack + self.signal


@dataclass(frozen=True, slots=True)
class Flash:
    """Bytes of flash: instructions with literals, constants with first values of static data."""

    code: int
    constants: int

    @property
    def total(self) -> int:
        """Their sum."""
        return self.code + self.constants


@dataclass(frozen=True, slots=True)
class Sizes:
    """RAM and flash of a model; `port_*` is harness, buffers, start-up code: not in a product."""

    ram: Ram
    flash: Flash
    port_ram: int
    port_flash: int

    def with_stack(self, stack: int) -> "Sizes":
        """The same with the measured depth of the stack, in bytes."""
        return replace(self, ram=replace(self.ram, stack=stack))


def measure(binary: Binary) -> Sizes:
    """Sizes of firmware, with no stack yet: that is measured by running (Device.stack_bytes).

    The linker script (firmware/port/link.ld.in) sorts input sections into output sections, whose
    sizes are read here: padding and literal pools count where they lie.

        .weights             the harness's one model struct (symbol tps_port_model)
        .signal              the window of a signal that the model hears
        .data, .bss          static data of everything but the harness: the arena
        .text, .rodata       the same for code and constants, with what the compiler's runtime adds
                             (soft float, division, memcpy)
        .port_text, .port_bss    harness, semihosting, start-up and vectors

    Raises:
        ToolError: the binary is not firmware built with that linker script.
    """
    if binary.kind != "firmware":
        raise ToolError(
            "sizes are read from firmware for a device",
            where=f"platform '{binary.platform.name}'",
            help="build for another platform; `tpsgd-edge platforms` lists them",
        )
    sections = read_elf(binary.path).sections
    missing = {".weights", ".port_text", ".text"} - sections.keys()
    if missing:
        raise ToolError(
            "the binary was not linked with port/link.ld",
            where=binary.path.name,
            found=f"no section {', '.join(sorted(missing))}",
        )

    def size(name: str) -> int:
        return sections.get(name, 0)

    return Sizes(
        Ram(size(".weights"), size(".data") + size(".bss"), stack=0, signal=size(".signal")),
        Flash(code=size(".text"), constants=size(".rodata") + size(".data")),
        port_ram=size(".port_bss"),
        port_flash=size(".port_text"),
    )
