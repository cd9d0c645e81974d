"""Logs of training: how large their records are, and what their beginnings hold."""

from dataclasses import dataclass

from tpsgd_edge.memory.log import BEGIN_BYTES, DIGEST_BYTES, HEAD, VERSION, log_format
from tpsgd_edge.quantize.model import QuantizedModel


@dataclass(frozen=True, slots=True)
class LogView:
    """The log of a model.

    Attributes:
        every: training steps from one digest to the next.
        label_bytes: of all labels of a sample.
        begin_bytes, step_bytes, digest_bytes: of records.
        head_words: of a beginning, without its CRC.
    """

    every: int
    label_bytes: int
    step_bytes: int
    version: int = VERSION
    begin_bytes: int = BEGIN_BYTES
    digest_bytes: int = DIGEST_BYTES
    head_words: int = HEAD.size // 4


def log_view(model: QuantizedModel, every: int) -> LogView:
    """The log of a model that has a digest after so many steps."""
    form = log_format(model)
    return LogView(every, form.label_bytes, 1 + form.x_bytes + form.label_bytes)
