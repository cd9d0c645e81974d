"""The hardware of a spec and its budget."""

import re

from pydantic import field_validator

from tpsgd_edge.spec.base import Section

_BYTES = re.compile(r"(\d{1,15}(?:\.\d{1,9})?)\s*([KM]?)i?B?", re.IGNORECASE | re.ASCII)


def parse_bytes(text: str) -> int:
    """Read a memory size in bytes; K is 1,024.

    Raises:
        ValueError: the text is no memory size.

    >>> parse_bytes("20K"), parse_bytes("1.5 MB"), parse_bytes("512")
    (20480, 1572864, 512)
    """
    match = _BYTES.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"a memory size looks like 20K, 1M or 512, not {text!r}")
    return int(float(match[1]) * {"": 1, "K": 1024, "M": 1024 * 1024}[match[2].upper()])


class PlatformSpec(Section):
    """The hardware and its budget."""

    name: str = "host"
    """What the project is built for; `tpsgd-edge platforms` lists what there is.
    Example: `name = "cortex-m4f"`"""
    board: str | None = None
    """Board that sets the core and, where not given, RAM and flash, and for those that boot in an
    emulator firmware with a UART to talk over; `tpsgd-edge platforms` lists them. Since: 0.2.0.
    Example: `board = "pico"`"""
    ram: str | int | None = None
    """Budget of RAM: a number of bytes, or K and M of 1,024. A build that needs more fails and says
    why. Example: `ram = "20K"`"""
    flash: str | int | None = None
    """Budget of flash, as for ram. Example: `flash = "64K"`"""

    # Before the union of types, whose own messages would name each type apart.
    @field_validator("ram", "flash", mode="before")
    @classmethod
    def _is_a_size(cls, value: object) -> object:
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, str | int):
            raise ValueError(f"a memory size looks like 20K, 1M or 512, not {value!r:.40}")
        if isinstance(value, str):
            value = parse_bytes(value)
        if not 0 < value < 2**50:
            raise ValueError("a memory size is a positive number of bytes")
        return value

    @property
    def ram_bytes(self) -> int | None:
        """RAM budget in bytes, None without one."""
        return parse_bytes(str(self.ram)) if self.ram is not None else None

    @property
    def flash_bytes(self) -> int | None:
        """Flash budget in bytes, None without one."""
        return parse_bytes(str(self.flash)) if self.flash is not None else None
