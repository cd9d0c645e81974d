"""The wire: sizes of what goes over it, and what a linker sees of its code (docs/PROTOCOL.md)."""

from dataclasses import dataclass

from tpsgd_edge.memory import MemoryPlan
from tpsgd_edge.quantize.model import DTYPES, QuantizedModel

FRAME_FUNCTIONS = (
    "tps_frames_answer",
    "tps_frames_begin",
    "tps_frames_give",
    "tps_frames_open",
    "tps_frames_receive",
    "tps_frames_send",
    "tps_frames_take",
)
BLOCK = 128
"""Bytes of the state in one frame."""
LOG_ENTRIES = 16
_AROUND = 12
_HELLO = 52
_ENTRY = 8
_WORD = 4


@dataclass(frozen=True, slots=True)
class WireView:
    """The wire of a model.

    Attributes:
        state_bytes: of the state struct, without the padding that some compilers add at its end.
        label_entries, label_bytes: of a label, filled up to whole words.
        request_words, answer_words: the largest bodies, in words of 32 bits.
        kind_bits: what a hello says of the model.
    """

    state_bytes: int
    label_entries: int
    label_bytes: int
    request_words: int
    answer_words: int
    kind_bits: int
    block: int = BLOCK
    log_entries: int = LOG_ENTRIES

    @property
    def request_bytes(self) -> int:
        """Bytes of the largest request."""
        return self.request_words * _WORD

    @property
    def answer_bytes(self) -> int:
        """Bytes of the largest answer."""
        return self.answer_words * _WORD


def wire_view(model: QuantizedModel, plan: MemoryPlan) -> WireView:
    """The wire of a model with a memory plan."""
    entry = entry_bytes(model)
    label = _words(model.answers * _entries(model) * entry) * _WORD
    sample = model.n_inputs * DTYPES[model.value_type].itemsize
    outputs = model.answers * model.n_out * DTYPES[model.output_type].itemsize
    log = 8 + LOG_ENTRIES * _ENTRY
    return WireView(
        state_bytes=plan.state.used_bytes,
        label_entries=label // entry,
        label_bytes=label,
        request_words=_words(_AROUND + max(label + sample, _WORD + BLOCK)),
        answer_words=_words(_AROUND + max(8 + outputs, log, _HELLO + len(model.name))),
        kind_bits=_kind_bits(model),
    )


def entry_bytes(model: QuantizedModel) -> int:
    """Bytes of one entry of a label on the wire."""
    return 2 if model.labels.kind == "class" else DTYPES[model.output_type].itemsize


def _entries(model: QuantizedModel) -> int:
    return 1 if model.labels.kind == "class" else model.labels.count


def _kind_bits(model: QuantizedModel) -> int:
    is_class, is_real = model.labels.kind == "class", model.value_type == "f32"
    return 1 * is_class | 2 * is_real | 32 * model.has_confidence


def _words(count: int) -> int:
    return -(-count // _WORD)
