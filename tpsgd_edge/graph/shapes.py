"""Layers on maps from what a user says of them: shapes, padding, and what is impossible."""

from dataclasses import replace
from typing import Literal

from tpsgd_edge.arithmetic.activations import Numbers
from tpsgd_edge.errors import SpecError
from tpsgd_edge.graph.layers import Conv2d, Layer, Pair, Pool
from tpsgd_edge.graph.weightless import Shape

Padding = Literal["valid", "same"] | tuple[int, int, int, int]


def conv2d(
    name: str,
    x_shape: Shape,
    *,
    filters: int,
    kernel: Pair = (3, 3),
    stride: Pair = (1, 1),
    padding: Padding = "valid",
    groups: int | Literal["depthwise"] = 1,
    target_pool: int | Literal["position"] = 4,
    activation: str = "tanh",
    dilation: Pair = (1, 1),
    numbers: Numbers = (),
) -> Conv2d:
    """A convolution on maps of `x_shape`.

    "same" pads such that a stride of s makes ceil(rows / s) rows, the odd row of zeros below. Four
    numbers are rows of zeros above, columns to the left, rows below, columns to the right.

    Raises:
        SpecError: a kernel larger than its padded input or not larger than its padding, or groups
            that do not divide the channels.
    """
    parts = x_shape[2] if groups == "depthwise" else groups
    _check_groups(name, x_shape[2], filters, parts)
    reach = ((kernel[0] - 1) * dilation[0] + 1, (kernel[1] - 1) * dilation[1] + 1)
    _check_padding(name, reach, padding)
    above, left, below, right = (0, 0, 0, 0) if isinstance(padding, str) else padding
    same = padding == "same"
    rows = _positions(x_shape[0], reach[0], stride[0], None if same else (above, below))
    columns = _positions(x_shape[1], reach[1], stride[1], None if same else (left, right))
    if rows[0] < 1 or columns[0] < 1:
        raise SpecError(
            f"the kernel of layer '{name}' is larger than its input",
            where=_place(name),
            found=f"a kernel of {_by(reach)} on a map of {_by(x_shape)}",
            help=_kernel_help(x_shape, padding),
        )
    y_shape = (rows[0], columns[0], filters)
    return Conv2d(
        name,
        x_shape,
        y_shape,
        kernel,
        stride,
        padding=(rows[1], columns[1]),
        groups=parts,
        windows=_windows(y_shape, target_pool),
        activation=activation,
        numbers=numbers,
        dilation=dilation,
    )


def pool(
    name: str,
    mode: Literal["max", "average"],
    x_shape: Shape,
    kernel: Pair,
    stride: Pair,
    *,
    padding: Padding = "valid",
    ceil_mode: bool = False,
) -> Pool:
    """Pooling of maps of `x_shape`.

    Padding is that of a convolution, but nothing lies there. With `ceil_mode` there is one more
    window where rows or columns are left over, as long as it begins inside.

    Raises:
        SpecError: windows larger than the map with its padding, or not larger than the padding.
    """
    _check_padding(name, kernel, padding)
    above, left, below, right = (0, 0, 0, 0) if isinstance(padding, str) else padding
    same = padding == "same"
    rows, columns = (
        _pooled(length, size, step, None if same else edges, ceil_mode=ceil_mode)
        for length, size, step, edges in zip(
            x_shape, kernel, stride, ((above, below), (left, right)), strict=False
        )
    )
    if rows[0] < 1 or columns[0] < 1:
        raise SpecError(
            f"the windows of layer '{name}' are larger than its input",
            where=_place(name),
            found=f"a size of {_by(kernel)} on a map of {_by(x_shape)}",
            help='choose a smaller size, or kind = "global_avg_pool" for the whole map',
        )
    y_shape = (rows[0], columns[0], x_shape[2])
    return Pool(name, mode, x_shape, y_shape, kernel, stride, padding=(rows[1], columns[1]))


def _pooled(length: int, kernel: int, stride: int, zeros: Pair | None, *, ceil_mode: bool) -> Pair:
    """Count the windows, and the rows by which the first one reaches over the edge."""
    count, before = _positions(length, kernel, stride, zeros)
    if zeros is None or not ceil_mode:
        return count, before
    room = length + sum(zeros) - kernel
    if room >= 0 and room % stride and count * stride < length + zeros[0]:
        count += 1
    return count, zeros[0]


def seen_through(
    layer: Conv2d, behind: Layer | None, target_pool: int | Literal["position"]
) -> Conv2d:
    """The convolution with its local loss behind a max pool (docs/ARITHMETIC.md, section 16).

    It stays as it is where something else reads it, or a pool whose windows overlap or are cut off.

    Args:
        behind: the only layer that reads it; None where there are several.
    """
    if not isinstance(behind, Pool) or behind.mode != "max" or behind.is_cut:
        return layer
    if behind.stride[0] < behind.kernel[0] or behind.stride[1] < behind.kernel[1]:
        return layer
    return replace(layer, pool=behind, windows=_windows(behind.y_shape, target_pool))


def _windows(shape: Shape, target_pool: int | Literal["position"]) -> Pair:
    """Over how many windows a map is averaged; with fewer rows than windows, every row is one."""
    rows, columns = (n if target_pool == "position" else min(target_pool, n) for n in shape[:2])
    return rows, columns


def _positions(length: int, kernel: int, stride: int, zeros: Pair | None) -> Pair:
    """Count the positions, and the zeros before the first value.

    `zeros` come before and after the values; None for as many as "same" asks for.
    """
    if zeros is not None:
        room = length + sum(zeros) - kernel
        return (room // stride + 1, zeros[0]) if room >= 0 else (0, 0)
    count = -(-length // stride)
    missing = max((count - 1) * stride + kernel - length, 0)
    # A longer kernel has weights that meet nothing but zeros.
    return (count, missing // 2) if kernel < 2 * length else (0, 0)


def _check_padding(name: str, kernel: Pair, padding: Padding) -> None:
    if isinstance(padding, str):
        return
    above, left, below, right = padding
    if max(above, below) >= kernel[0] or max(left, right) >= kernel[1]:
        raise SpecError(
            f"the padding of layer '{name}' is not smaller than its kernel",
            where=_place(name),
            found=f"padding = {list(padding)} for a kernel of {_by(kernel)}",
            help="a window of nothing but zeros says nothing: leave such rows and columns out",
        )


def _check_groups(name: str, channels: int, filters: int, groups: int) -> None:
    for count, word in ((channels, "input channels"), (filters, "filters")):
        if count % groups:
            raise SpecError(
                f"the groups of layer '{name}' do not divide its {word}",
                where=_place(name),
                found=f"{groups} groups, {count} {word}",
                help=f"filters and input channels ({channels}) must be multiples of the groups",
            )


def _kernel_help(x_shape: Shape, padding: Padding) -> str:
    if x_shape[:2] == (1, 1):
        return "vectors are maps of 1 x 1; for samples that are images set data.input_shape"
    if x_shape[0] == 1:
        return 'this map is one row high: use kind = "conv1d", or a kernel of 1 row'
    return "choose a smaller kernel" + (', or padding = "same"' if padding == "valid" else "")


def _place(name: str) -> str:
    return f"[model], layer '{name}'"


def _by(lengths: tuple[int, ...]) -> str:
    return " x ".join(str(length) for length in lengths)
