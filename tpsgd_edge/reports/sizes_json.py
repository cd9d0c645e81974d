"""Sizes of firmware as JSON has them."""

from tpsgd_edge.toolchain.sizes import Sizes


def sizes_json(sizes: Sizes | None) -> dict[str, object]:
    """RAM and flash in bytes, by what takes them; null where nothing was compiled."""
    if sizes is None:
        return {"ram_bytes": None, "flash_bytes": None}
    return {
        "ram_bytes": {
            "weights": sizes.ram.weights,
            "arena": sizes.ram.arena,
            **({"signal": sizes.ram.signal} if sizes.ram.signal else {}),
            # No run leaves it at 0: not measured.
            "stack": sizes.ram.stack or None,
            "total": sizes.ram.total,
        },
        "flash_bytes": {
            "code": sizes.flash.code,
            "constants": sizes.flash.constants,
            "total": sizes.flash.total,
        },
    }
