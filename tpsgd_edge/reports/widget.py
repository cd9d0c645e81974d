"""The live model of a page: what its script reads, as text that is safe inside of HTML."""

import base64
import json
import zlib
from dataclasses import dataclass

import numpy as np
from markupsafe import Markup

from tpsgd_edge.quantize.raw import RAW_DTYPES
from tpsgd_edge.reports.text import bytes_text, count_text, plural
from tpsgd_edge.stages.widget import ShownSamples, Widget

# Names of NumPy's types for the script.
_TYPES = {"u1": "u8", "i1": "s8", "u2": "u16", "i2": "s16", "f4": "f32"}


@dataclass(frozen=True, slots=True)
class WidgetView:
    """The context of widget.html.j2; `facts` is JSON."""

    note: str
    samples: str
    tests: str
    look: str
    is_class: bool
    is_detector: bool
    facts: Markup


def widget_view(widget: Widget, platform: str) -> WidgetView:
    """The view of a live model; `platform` is what the report is about."""
    return WidgetView(
        note=_note(widget, platform),
        samples=_samples_note(widget),
        tests=count_text(len(widget.test.raw)),
        look=widget.look,
        is_class=widget.interface.labels_are_classes,
        is_detector=widget.is_detector,
        facts=Markup(json_in_html(_facts(widget))),
    )


def json_in_html(value: object) -> str:
    r"""JSON that ends no script element, whatever its strings hold.

    >>> json_in_html({"name": "</script>"})
    '{"name": "\\u003c/script>"}'
    """
    return json.dumps(value, allow_nan=False).replace("<", "\\u003c")


def _note(widget: Widget, platform: str) -> str:
    size = bytes_text(len(widget.module))
    same = "The C of this report" if platform == "wasm32" else f"The same C as on {platform}"
    return (
        f"{same}, compiled to WebAssembly ({size}, {widget.compiler}): it answers and learns with "
        f"the same bits. It begins as {plural(widget.epochs, 'epoch')} of training left it."
    )


def _samples_note(widget: Widget) -> str:
    count = count_text(len(widget.train.raw))
    return f"all {count} training samples" if widget.is_whole else f"{count} training samples"


def _facts(widget: Widget) -> dict[str, object]:
    interface = widget.interface
    return {
        "name": interface.name,
        "module": _packed(widget.module),
        "state": _packed(widget.state),
        "crc": widget.crc,
        "modelId": widget.model_id,
        "seed": widget.seed % 2**32,
        "epochs": widget.epochs,
        "look": widget.look,
        "shape": list(widget.shape),
        "classes": _class_names(widget),
        "types": {
            "raw": _type(RAW_DTYPES[interface.raw]),
            "label": interface.label_type,
            "output": interface.output_type,
        },
        "nIn": interface.n_in,
        "nOut": interface.n_out,
        "labelCount": interface.label_count,
        "isDetector": widget.is_detector,
        "hasConfidence": interface.has_confidence,
        "oneAnswer": widget.one_answer,
        "isWhole": widget.is_whole,
        "train": _samples(widget.train),
        "test": _samples(widget.test),
    }


def _class_names(widget: Widget) -> list[str]:
    """Names of all classes; those that have room but no name yet are numbered."""
    if not widget.interface.labels_are_classes:
        return []
    names = list(widget.class_names)
    return names + [str(number) for number in range(len(names), widget.interface.n_out)]


def _samples(samples: ShownSamples) -> dict[str, object]:
    return {
        "count": len(samples.raw),
        "type": _type(samples.raw.dtype),
        "raw": _packed(samples.raw.tobytes()),
        "labelType": _type(samples.labels.dtype),
        "labels": _packed(samples.labels.tobytes()),
    }


def _type(dtype: np.dtype[np.generic]) -> str:
    return _TYPES[dtype.str[1:]]


def _packed(content: bytes) -> str:
    """Bytes as base64 of a zlib stream, which a page takes apart by itself."""
    return base64.b64encode(zlib.compress(content, 9)).decode()
