"""The layer kinds of a spec that have no weights, and what all kinds share."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field, Tag, field_validator

from tpsgd_edge.spec.base import Section
from tpsgd_edge.spec.lengths import is_length, padding, pair
from tpsgd_edge.spec.names import check_c_name

ATTENTION = "attention"


class ReadingSpec(Section):
    """Settings of every layer.

    Attributes:
        stem: what layers without a name are called, before their number: pool1, pool2, ...; empty
            where a layer needs a name, or none at all.
        errors_stop: how backpropagation, which does not pass the layer, names such layers; empty
            where errors pass it, or are refused for more than its kind.
    """

    stem: ClassVar[str] = ""
    errors_stop: ClassVar[str] = ""
    is_recurrent: ClassVar[bool] = False
    reads_several: ClassVar[bool] = False
    reads: tuple[str, ...] | None = Field(default=None, alias="from", min_length=1, max_length=64)
    """Names of the layers whose values this one reads, one or a list, "x" for the sample; where not
    given, that of the layer before it. Since: 0.2.0. Example: `from = "conv1"`"""

    @field_validator("reads", mode="before")
    @classmethod
    def _one_name_is_a_list(cls, value: object) -> object:
        if isinstance(value, str):
            return (value,)
        return tuple(value) if isinstance(value, list) else value


class WeightlessSpec(ReadingSpec):
    """Settings of layers without weights: a name, which may be left out."""

    weighted: ClassVar[None] = None
    name: str | None = None
    """Name of the layer; may be left out. Example: `name = "pool1"`"""

    @field_validator("name")
    @classmethod
    def _c_name(cls, name: str | None) -> str | None:
        return None if name is None else check_c_name(name)


class PoolSpec(WeightlessSpec):
    """Pooling: the largest or the mean value of each window."""

    stem: ClassVar[str] = "pool"
    kind: Literal["max_pool", "avg_pool"]
    """Kind of the layer: the largest or the mean value of each window.
    Example: `kind = "avg_pool"`"""
    size: int | tuple[int, int] = 2
    """Rows and columns of a window; one number for both, or for the columns where the map is one
    row high. Example: `size = [2, 2]`"""
    stride: int | tuple[int, int] | None = None
    """Rows and columns from one window to the next; where not given, the size.
    Example: `stride = 1`"""
    padding: Literal["valid", "same"] | tuple[int, ...] = "valid"
    """How far windows reach over the edges of the map: not at all, so that the map keeps its size,
    or by numbers: 1, [1, 2] for rows and columns, [above, left, below, right]; what lies outside
    does not count. Example: `padding = 1`"""
    ceil_mode: bool = False
    """Whether a last window may reach beyond the end of the map. Example: `ceil_mode = true`"""

    @field_validator("padding", mode="before")
    @classmethod
    def _padding_goes_around(cls, value: object) -> object:
        return padding(value, "1, [1, 2] for rows and columns, or [above, left, below, right]", 4)

    @field_validator("size", mode="before")
    @classmethod
    def _size_is_one_or_two_numbers(cls, value: object) -> object:
        return value if is_length(value) else pair(value, key="size")

    @field_validator("stride", mode="before")
    @classmethod
    def _stride_is_one_or_two_numbers(cls, value: object) -> object:
        return value if value is None or is_length(value) else pair(value, key="stride")


class GlobalAvgPoolSpec(WeightlessSpec):
    """The mean of each channel over the whole map."""

    stem: ClassVar[str] = "pool"
    kind: Literal["global_avg_pool"]
    """Kind of the layer. Example: `kind = "global_avg_pool"`"""


class NormSpec(WeightlessSpec):
    """Values less their mean over their standard deviation, anew for each sample.

    A convolution of 1 x 1 with groups = "depthwise" behind it has scale and shift that learn.
    """

    stem: ClassVar[str] = "norm"
    errors_stop: ClassVar[str] = "layers that normalize"
    kind: Literal["norm"]
    """Kind of the layer. Since: 0.2.0. Example: `kind = "norm"`"""
    over: Literal["channels", "all"] = "channels"
    """What is normalized together: the channels of each place of a map, or all values; of a vector
    both are the same. Since: 0.2.0. Example: `over = "all"`"""
    center: bool = True
    """Whether the mean is taken off (layer normalization); if not, values are divided by the root
    of their mean square (RMS normalization). Since: 0.2.0. Example: `center = false`"""
    epsilon: Annotated[float, Field(ge=1e-12, le=1)] = 1e-5
    """What is added to variance or mean square. Since: 0.2.0. Example: `epsilon = 0.001`"""


class AddSpec(WeightlessSpec):
    """The sum of several values of one shape, place by place; `from` names them."""

    stem: ClassVar[str] = "add"
    reads_several: ClassVar[bool] = True
    kind: Literal["add"]
    """Kind of the layer. Since: 0.2.0. Example: `kind = "add"`"""
    activation: Literal["linear", "relu", "relu6"] = "linear"
    """What is made of the sum. Since: 0.2.0. Example: `activation = "relu"`"""


class ConcatSpec(WeightlessSpec):
    """Maps of one height and width as one, their channels one after the other; `from` names them.

    Vectors are maps of one place: their entries follow each other.
    """

    stem: ClassVar[str] = "concat"
    reads_several: ClassVar[bool] = True
    kind: Literal["concat"]
    """Kind of the layer. Since: 0.2.0. Example: `kind = "concat"`"""


class AttentionSpec(WeightlessSpec):
    """Attention of each step of a window to all of its steps; in floating point only.

    `from` names three layers that make queries, keys and values. It is for `compare`: there are no
    integers and no C of it, and every other command refuses it.
    """

    stem: ClassVar[str] = "attention"
    reads_several: ClassVar[bool] = True
    kind: Literal["attention"]
    """Kind of the layer. Since: 0.2.0. Example: `kind = "attention"`"""
    heads: Annotated[int, Field(ge=1, le=64)] = 1
    """Parts of the channels that attend by themselves. Since: 0.2.0. Example: `heads = 4`"""


class FlattenSpec(WeightlessSpec):
    """The map as a vector; dense layers flatten what they read without being told."""

    kind: Literal["flatten"]
    """Kind of the layer. Example: `kind = "flatten"`"""


MapSpec = (
    Annotated[PoolSpec, Tag("max_pool")]
    | Annotated[PoolSpec, Tag("avg_pool")]
    | Annotated[GlobalAvgPoolSpec, Tag("global_avg_pool")]
    | Annotated[NormSpec, Tag("norm")]
    | Annotated[AddSpec, Tag("add")]
    | Annotated[ConcatSpec, Tag("concat")]
    | Annotated[AttentionSpec, Tag("attention")]
    | Annotated[FlattenSpec, Tag("flatten")]
)
"""The kinds above, each under the name that it has in a spec."""
