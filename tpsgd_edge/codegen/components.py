"""The parts of a project, in one table: whose files there are, where they come from, when.

Kernels of a kind of layers come from its record (`kinds/`). To add another part, write
`codegen_templates/NAME.h.j2` (and `NAME.c.j2`) and add its row here. Its header passes the name of
each function and table that a linker sees through `linked`: `naming.py`.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from tpsgd_edge.codegen.kinds import FILES, KernelFiles
from tpsgd_edge.codegen.signal import SPECTRUM_FUNCTIONS, STATISTIC_FUNCTIONS
from tpsgd_edge.codegen.store import SLOT_FUNCTIONS, STORE_FUNCTIONS
from tpsgd_edge.codegen.view import ModelView
from tpsgd_edge.codegen.wire import FRAME_FUNCTIONS

Condition = Callable[[ModelView], bool]


def _always(_view: ModelView) -> bool:
    return True


def _never(_view: ModelView) -> bool:
    return False


@dataclass(frozen=True, slots=True)
class Component:
    """A header, and its source if it has one.

    Attributes:
        name: of the files without their endings; templates have the same name.
        has_source: whether there is a `.c` file beside the header.
        is_runtime: whether the files are those of `firmware/runtime/`; others are rendered.
        when: whether the project of a model has it.
        included: whether the model's own source, which calls the kernels, includes the header.
        linked: what a linker sees of files that no template renders.
    """

    name: str
    has_source: bool = True
    is_runtime: bool = False
    when: Condition = _always
    included: Condition = _always
    linked: tuple[str, ...] = ()

    @property
    def files(self) -> tuple[str, ...]:
        """The names of its files, without the model's name before them."""
        return (f"{self.name}.h", f"{self.name}.c") if self.has_source else (f"{self.name}.h",)


def _is_float(view: ModelView) -> bool:
    return view.is_float


def _is_integer(view: ModelView) -> bool:
    return not view.is_float


def _has_units(view: ModelView) -> bool:
    return not view.is_float and bool(view.kernels.dense.outputs)


def _has_errors(view: ModelView) -> bool:
    return not view.is_float and not _finds_anomalies(view)


def _finds_anomalies(view: ModelView) -> bool:
    return view.detects


def _has_softmax(view: ModelView) -> bool:
    return bool(view.kernels.errors.softmax) and not view.is_float


def _keeps_calls_apart(view: ModelView) -> bool:
    return bool(view.gate) or view.rate.schedule is not None or view.replay is not None


def _calls_readouts(view: ModelView) -> bool:
    return view.members.learning_readout or view.carries


def _carries_scores(view: ModelView) -> bool:
    return view.carries


def _has_drift(view: ModelView) -> bool:
    return view.drift is not None


def _has_store(view: ModelView) -> bool:
    return view.store is not None


def _has_wire(view: ModelView) -> bool:
    return view.wire is not None


def _hears(view: ModelView) -> bool:
    return view.signal is not None


def _hears_bands(view: ModelView) -> bool:
    return view.signal is not None and view.signal.bands > 0


def _hears_statistics(view: ModelView) -> bool:
    return view.signal is not None and bool(view.signal.statistics)


def _of_kinds(files: KernelFiles) -> Component:
    return Component(f"tps_{files.name}", when=lambda view: bool(view.kernels.of_files[files.name]))


_PARTS = (
    Component("tps_backward", when=lambda view: view.kernels.backward is not None),
    Component("tps_compiler", has_source=False, is_runtime=True, included=_keeps_calls_apart),
    Component("tps_crc32", is_runtime=True, linked=("tps_crc32",)),
    Component("tps_data"),
    Component("tps_dense", when=_has_units),
    Component("tps_dense_f32", when=_is_float),
    Component("tps_dense_output", has_source=False, when=_is_integer, included=_never),
    Component("tps_error", when=_has_errors),
    Component("tps_error_f32", when=_is_float),
    Component("tps_f32", has_source=False, is_runtime=True, when=_is_float),
    Component(
        "tps_curves_f32",
        has_source=False,
        is_runtime=True,
        when=lambda view: view.kernels.dense.has_curves_f32,
        included=_never,
    ),
    Component(
        "tps_fixed",
        has_source=False,
        is_runtime=True,
        when=lambda view: _is_integer(view) or _hears(view),
        included=_never,
    ),
    Component(
        "tps_float",
        has_source=False,
        is_runtime=True,
        when=lambda view: view.is_float or view.raw.is_real,
        included=_never,
    ),
    Component(
        "tps_frames", is_runtime=True, when=_has_wire, included=_never, linked=FRAME_FUNCTIONS
    ),
    # NAME_drift.h includes it.
    Component("tps_drift", has_source=False, is_runtime=True, when=_has_drift, included=_never),
    Component("tps_layer", has_source=False, included=_never),
    # NAME_wire.h includes it.
    Component("tps_line", has_source=False, is_runtime=True, when=_has_wire, included=_never),
    Component("tps_pairs", has_source=False, is_runtime=True, when=_is_integer, included=_never),
    Component(
        "tps_projection",
        has_source=False,
        when=lambda view: view.projection is not None,
        included=_never,
    ),
    Component("tps_random", has_source=False, is_runtime=True),
    Component(
        "tps_ranges",
        has_source=False,
        is_runtime=True,
        included=lambda view: bool(view.state.ranges),
    ),
    Component(
        "tps_readout",
        when=lambda view: bool(view.kernels.errors.read_out),
        included=_calls_readouts,
    ),
    Component(
        "tps_replay", has_source=False, is_runtime=True, when=lambda view: view.replay is not None
    ),
    Component("tps_residual", has_source=False, when=lambda view: view.has_residual),
    Component("tps_scores", has_source=False, when=_carries_scores),
    Component(
        "tps_slots", is_runtime=True, when=_has_store, included=_never, linked=SLOT_FUNCTIONS
    ),
    Component("tps_softmax", when=_has_softmax, included=lambda view: bool(view.confidence_c)),
    # NAME_signal.h includes it.
    Component("tps_bin", has_source=False, is_runtime=True, when=_hears_bands, included=_never),
    Component(
        "tps_spectrum",
        is_runtime=True,
        when=_hears_bands,
        included=_never,
        linked=SPECTRUM_FUNCTIONS,
    ),
    Component(
        "tps_statistics",
        is_runtime=True,
        when=_hears_statistics,
        included=_never,
        linked=STATISTIC_FUNCTIONS,
    ),
    # The model's public header includes it.
    Component("tps_status", has_source=False, is_runtime=True, included=_never),
    # NAME_store.h includes it.
    Component("tps_storage", has_source=False, is_runtime=True, when=_has_store, included=_never),
    Component(
        "tps_store", is_runtime=True, when=_has_store, included=_never, linked=STORE_FUNCTIONS
    ),
    Component("tps_window", has_source=False, is_runtime=True, when=_hears, included=_never),
    Component("tps_tables", when=lambda view: bool(view.tables)),
)
# Last: it has the names of all that the other headers declare.
_NAMES = Component("tps_names", has_source=False, included=_never)
COMPONENTS = (*sorted((*_PARTS, *map(_of_kinds, FILES)), key=lambda part: part.name), _NAMES)
"""In the order in which the model's source includes their headers."""


def components_of(view: ModelView) -> Iterator[Component]:
    """The parts that the project of a model has."""
    return (component for component in COMPONENTS if component.when(view))


def included_headers(view: ModelView) -> tuple[str, ...]:
    """The headers that the model's source includes, without the model's name before them."""
    return tuple(f"{c.name}.h" for c in components_of(view) if c.included(view))
