"""Additions: what a project has beside the model itself, if its spec asks for it."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from tpsgd_edge.codegen.drift import DriftView
from tpsgd_edge.codegen.log import log_view
from tpsgd_edge.codegen.raw import WindowView
from tpsgd_edge.codegen.signal import Features, signal_view
from tpsgd_edge.codegen.store import store_view
from tpsgd_edge.codegen.view import ModelView
from tpsgd_edge.codegen.wire import wire_view
from tpsgd_edge.memory import MemoryPlan
from tpsgd_edge.quantize.model import QuantizedModel

# Endings of the files that a project has for each of a view's parts that may be None.
_FILES = {
    "drift": ("_drift.h",),
    "store": ("_store.h", "_store.c"),
    "wire": ("_wire.h", "_wire.c"),
    "log": ("_log.h", "_log.c"),
    "signal": ("_signal.h", "_signal.c"),
}


@dataclass(frozen=True, slots=True)
class Additions:
    """The additions of one project.

    Attributes:
        has_store: whether the project can save and load checkpoints.
        has_wire: whether a computer can talk to it.
        window: how samples are taken from a stream; None where they come whole.
        log_every: training steps from digest to digest of a log; None without a log.
        drift: the detector of drift; None without one.
        features: what is made of a signal; None where samples come as they are.
    """

    has_store: bool = False
    has_wire: bool = False
    window: WindowView | None = None
    log_every: int | None = None
    drift: DriftView | None = None
    features: Features | None = None


NO_ADDITIONS = Additions()


def with_additions(
    view: ModelView, model: QuantizedModel, plan: MemoryPlan, additions: Additions
) -> ModelView:
    """The view of a model as templates see it, with the additions of its project."""
    return replace(
        view,
        raw=replace(view.raw, window=additions.window),
        store=store_view(plan) if additions.has_store else None,
        wire=wire_view(model, plan) if additions.has_wire else None,
        log=None if additions.log_every is None else log_view(model, additions.log_every),
        drift=additions.drift,
        signal=None if additions.features is None else signal_view(additions.features),
    )


def endings_of_additions(view: ModelView) -> Iterator[str]:
    """Endings of the files that the additions of a view make."""
    for part, endings in _FILES.items():
        if getattr(view, part) is not None:
            yield from endings
