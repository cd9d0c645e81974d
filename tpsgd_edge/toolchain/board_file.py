"""Keys of a board file, checked on reading as the keys of a spec are."""

from pathlib import Path

from tpsgd_edge.errors import SpecError
from tpsgd_edge.spec.base import Keys
from tpsgd_edge.toolchain.platform_file import MemoryKeys, read_keys


class UartKeys(Keys):
    """[uart]: a driver of firmware/board, and where its peripheral is."""

    driver: str
    base: int
    interrupt: int
    clock: int
    baud: int = 115200


class StorageKeys(Keys):
    """[storage]: a driver of firmware/board, and the blocks that checkpoints may take.

    `file_size` is that of the file in which QEMU keeps them, where it does.
    """

    driver: str
    base: int
    block_size: int
    block_count: int
    file_size: int | None = None


class BoardQemuKeys(Keys):
    """[qemu]: the command, arguments that choose the machine, and those that keep the storage.

    `program` is the option that takes the firmware; `$file` in `keeps` is the file.
    """

    command: str
    arguments: list[str]
    program: str = "-kernel"
    keeps: list[str] | None = None


class BoardKeys(Keys):
    """A board file: its core, memory, UART and storage, and how QEMU runs it."""

    title: str
    platform: str
    notes: str
    memory: MemoryKeys
    uart: UartKeys
    storage: StorageKeys | None = None
    qemu: BoardQemuKeys


def read_board_file(path: Path) -> BoardKeys:
    """Read and check a board file.

    Raises:
        SpecError: everything that is wrong with it.
    """
    where = f"boards/{path.name}"
    keys = read_keys(path, BoardKeys, what="board file", where=where)
    has_file = keys.storage is not None and keys.storage.file_size is not None
    if bool(keys.qemu.keeps) != has_file:
        raise SpecError(
            f"the board file '{path.name}' does not say how QEMU keeps its storage",
            where=where,
            found="qemu.keeps without storage.file_size" if keys.qemu.keeps else "no qemu.keeps",
            help="give both, or neither where QEMU forgets the storage",
        )
    return keys
