"""Additions to a generated project beside the model."""

from tpsgd_edge.spec.base import Section


class FirmwareSpec(Section):
    """Additions to the generated project beside the model."""

    store: bool = False
    """Add NAME_store.h: save and load what was learned, in flash, EEPROM or a file, so that a loss
    of power at any moment costs no more than what came after the latest save (docs/STORE.md).
    Since: 0.2.0.
    Example: `store = true`"""
