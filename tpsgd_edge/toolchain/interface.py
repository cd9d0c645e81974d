"""A model as a runner sees it: sizes and types of its inputs and outputs."""

from dataclasses import dataclass

import numpy as np

from tpsgd_edge.arithmetic.types import Array
from tpsgd_edge.errors import DataError
from tpsgd_edge.features.numbers import FeatureNumbers
from tpsgd_edge.memory.state import StateLayout, digest_order, state_layout
from tpsgd_edge.quantize.model import DTYPES, QuantizedModel
from tpsgd_edge.quantize.raw import RAW_DTYPES
from tpsgd_edge.spec import RawType


@dataclass(frozen=True, slots=True)
class ModelInterface:
    """The outside of a generated model.

    Attributes:
        x_type, label_type, output_type: as in `DTYPES`.
        label_count: entries of a label: 1 for a class, K for a vector.
        answers: labels and outputs of one sample: 1, or as many as a sequence has steps; None
            stands for 1 and no axis of its own.
        has_confidence: whether outputs give probabilities of classes.
        tensors: the state's tensors in digest order.
        layers: names, first to last.
        raw: type of raw samples.
        block: samples, of all channels, that a stream hears at once; 0 where there are none.
        window_features: features of a window of the stream.
    """

    name: str
    x_type: str
    n_in: int
    label_type: str
    label_count: int
    labels_are_classes: bool
    output_type: str
    n_out: int
    layout: StateLayout
    tensors: tuple[str, ...]
    layers: tuple[str, ...]
    answers: int | None = None
    has_confidence: bool = False
    raw: RawType = "float"
    block: int = 0
    window_features: int = 0

    @property
    def confidence_dtype(self) -> np.dtype[np.generic]:
        """Type of the probability of an answer.

        Raises:
            DataError: outputs are no probabilities of classes.
        """
        if not self.has_confidence:
            raise DataError(
                "the outputs of the model are no probabilities of classes",
                where=f"model '{self.name}'",
                help='a confidence needs output_loss = "softmax_cross_entropy" and classes',
            )
        return DTYPES["f32" if self.output_type == "f32" else "u16"]

    @property
    def x_bytes(self) -> int:
        """Bytes of one input sample."""
        return self.n_in * DTYPES[self.x_type].itemsize

    @property
    def label_bytes(self) -> int:
        """Bytes of one label."""
        return (self.answers or 1) * self.label_count * DTYPES[self.label_type].itemsize

    @property
    def answer_bytes(self) -> int:
        """Bytes of the outputs at one step, or of a sample that has no steps."""
        return self.n_out * DTYPES[self.output_type].itemsize

    @property
    def output_bytes(self) -> int:
        """Bytes of all outputs of one sample."""
        return (self.answers or 1) * self.answer_bytes

    @property
    def trace_names(self) -> tuple[str, ...]:
        """Tensors of a trace: the state's, then "output"."""
        return (*self.tensors, "output")

    def inputs(self, x: Array) -> Array:
        """`x` as C wants it, shape (n, n_in).

        Raises:
            DataError: another shape, or another type.
        """
        return _checked("x", x, self.x_type, (self.n_in,))

    def labels(self, labels: Array) -> Array:
        """`labels` as C wants them, shape (n,) for classes, else (n, label_count).

        Where each step has a label: (n, answers) and (n, answers, label_count).

        Raises:
            DataError: another shape, or another type.
        """
        one = () if self.labels_are_classes else (self.label_count,)
        return _checked("labels", labels, self.label_type, (*self._steps, *one))

    def raws(self, raw: Array) -> Array:
        """`raw` samples as C wants them, shape (n, n_in).

        Raises:
            DataError: another shape, or another type.
        """
        return _of_type("raw samples", raw, RAW_DTYPES[self.raw], (self.n_in,))

    def blocks(self, blocks: Array) -> Array:
        """Blocks of a stream as C wants them, shape (n, block).

        Raises:
            DataError: another shape, or another type.
        """
        return _of_type("blocks", blocks, DTYPES["s16"], (self.block,))

    def values(self, values: Array) -> Array:
        """Label vectors in their own units as C wants them, binary32 of shape (n, label_count).

        Raises:
            DataError: another shape, or another type.
        """
        return _of_type("values", values, DTYPES["f32"], (self.label_count,))

    def rate(self, rate: float) -> bytes:
        """A factor of the learning rates in the type of the state's `rate`."""
        types = {tensor.name: tensor.type for tensor in self.layout.tensors}
        return np.array(rate, DTYPES[types["rate"]]).tobytes()

    def outputs(self, raw: bytes) -> Array:
        """Outputs in the bytes of a reply, shape (n, n_out) or (n, answers, n_out)."""
        return np.frombuffer(raw, DTYPES[self.output_type]).reshape(-1, *self._steps, self.n_out)

    def last_output(self, raw: bytes) -> Array:
        """The outputs at the last step of training, shape (n_out,)."""
        return np.frombuffer(raw, DTYPES[self.output_type])

    @property
    def _steps(self) -> tuple[int, ...]:
        return () if self.answers is None else (self.answers,)


def interface_of(model: QuantizedModel, features: FeatureNumbers | None = None) -> ModelInterface:
    """The interface of a quantized model, and of what makes features of the signal it hears."""
    is_class = model.labels.kind == "class"
    vector_type = "f32" if model.value_type == "f32" else "s16"
    return ModelInterface(
        name=model.name,
        x_type=model.value_type,
        n_in=model.n_inputs,
        label_type="u16" if is_class else vector_type,
        label_count=1 if is_class else model.labels.count,
        labels_are_classes=is_class,
        output_type=model.output_type,
        n_out=model.n_out,
        answers=model.steps if model.labels.each_step else None,
        has_confidence=model.has_confidence,
        raw=model.inputs.raw,
        layout=state_layout(model),
        tensors=digest_order(model),
        layers=tuple(layer.name for layer in model.layers),
        block=features.hop * features.channels if features else 0,
        window_features=features.per_window if features else 0,
    )


def _checked(what: str, array: Array, type_: str, shape: tuple[int, ...]) -> Array:
    return _of_type(what, array, DTYPES[type_], shape)


def _of_type(what: str, array: Array, dtype: np.dtype[np.generic], shape: tuple[int, ...]) -> Array:
    if array.dtype != dtype or array.shape[1:] != shape:
        raise DataError(
            f"{what} {'does' if what == 'x' else 'do'} not fit the model",
            found=f"{array.dtype} of shape {array.shape}, "
            f"expected {dtype} of shape {('n', *shape)}".replace("'", ""),
        )
    return np.ascontiguousarray(array)
