"""Convolutions whose weights lie apart, as TensorFlow writes them: around one without gaps.

SPACE_TO_BATCH_ND takes a map apart into several, of every n-th row and column; BATCH_TO_SPACE_ND
puts the results together. Both say how many zeros are around the map, of which the second one cuts
those off that are only there for an even number.
"""

from collections.abc import Mapping

from tpsgd_edge.frontend.tflite.file import Operator
from tpsgd_edge.frontend.tflite.nodes import Apart, Nodes

_CONVOLUTIONS = ("CONV_2D", "DEPTHWISE_CONV_2D")
# Those between which only give the map another axis, or take it away.
_AROUND = ("EXPAND_DIMS", "RESHAPE", "SQUEEZE")


def taken_apart(nodes: Nodes) -> Apart:
    """All such series of a net.

    Raises:
        DataError: something is between that is no convolution, or in another form.
    """
    pads: dict[int, tuple[tuple[int, int], ...]] = {}
    dilation: dict[int, tuple[int, int]] = {}
    same: set[int] = set()
    closed: set[int] = set()
    readers: dict[int, list[Operator]] = {}
    for op in nodes.net.operators:
        for index in op.inputs[:1]:
            readers.setdefault(index, []).append(op)
    for op in nodes.net.operators:
        if op.op != "SPACE_TO_BATCH_ND":
            continue
        series = _series(op, readers)
        conv = [other for other in series if other.op in _CONVOLUTIONS]
        last = series[-1] if series else op
        if len(conv) != 1 or last.op != "BATCH_TO_SPACE_ND" or not _is_plain(conv[0]):
            raise nodes.error(
                op,
                "SPACE_TO_BATCH_ND is around something else than one convolution",
                found=", ".join(other.op for other in series) or "nothing",
                help="a convolution with dilation, stride 1 and padding VALID is read",
            )
        block = nodes.whole(op, 1, "block")
        pads[op.index] = _zeros(nodes, op, last, block)
        dilation[conv[0].index] = (block[0], block[1]) if len(block) == 2 else (1, block[0])
        same |= {other.index for other in series[series.index(conv[0]) + 1 : -1]}
        closed.add(last.index)
    return Apart(pads, dilation, frozenset(same), frozenset(closed))


def _series(first: Operator, readers: Mapping[int, list[Operator]]) -> list[Operator]:
    """The operators behind one up to BATCH_TO_SPACE_ND, each read by the next alone."""
    made: list[Operator] = []
    op = first
    while len(made) < 4 and len(op.outputs) == 1 and len(readers.get(op.outputs[0], ())) == 1:
        (op,) = readers[op.outputs[0]]
        made.append(op)
        if op.op not in (*_CONVOLUTIONS, *_AROUND):
            break
    return made


def _is_plain(conv: Operator) -> bool:
    options = conv.options
    return options["padding"] == 1 and all(
        options[name] == 1 for name in ("stride_w", "stride_h", "dilation_w", "dilation_h")
    )


def _zeros(
    nodes: Nodes, op: Operator, last: Operator, block: tuple[int, ...]
) -> tuple[tuple[int, int], ...]:
    around, cut = nodes.whole(op, 2, "paddings"), nodes.whole(last, 2, "crops")
    axes = len(block)
    is_odd = len(around) != 2 * axes or len(cut) != 2 * axes or any(cut[::2])
    if is_odd or axes not in (1, 2) or nodes.whole(last, 1, "block") != block:
        raise nodes.error(
            op,
            "SPACE_TO_BATCH_ND does not fit BATCH_TO_SPACE_ND",
            found=f"block {list(block)}, paddings {list(around)}, crops {list(cut)}",
            help=None,
        )
    behind = [more - less for more, less in zip(around[1::2], cut[1::2], strict=True)]
    return tuple(zip(around[::2], behind, strict=True))
