"""Additions to a generated project beside the model."""

from typing import Annotated

from pydantic import Field

from tpsgd_edge.spec.base import Section


class FirmwareSpec(Section):
    """Additions to the generated project beside the model."""

    store: bool = False
    """Add NAME_store.h: save and load what was learned, in flash, EEPROM or a file, so that a loss
    of power at any moment costs no more than what came after the latest save (docs/STORE.md).
    Since: 0.2.0.
    Example: `store = true`"""
    wire: bool = False
    """Add NAME_wire.h: a computer asks, trains and watches the model, and reads and replaces its
    weights, over any stream of bytes (docs/PROTOCOL.md, `tpsgd-edge link`).
    Since: 0.2.0.
    Example: `wire = true`"""
    hop: Annotated[int, Field(ge=1, le=65535)] | None = None
    """Add NAME_push to NAME_raw.h, which takes the timesteps of a signal as they come and says when
    a sample is complete: at first after as many as a sample has, then after every `hop` more.
    Since: 0.2.0.
    Example: `hop = 32`"""
    log: Annotated[int, Field(ge=1, le=1_000_000)] | None = None
    """Add NAME_log.h, which writes down label and input of each training step, and a digest of the
    model after every `log` of them, through a function of yours: `tpsgd-edge replay` makes the same
    weights of it, and finds where a device went another way (docs/LOG.md).
    Since: 0.2.0.
    Example: `log = 100`"""
