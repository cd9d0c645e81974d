"""Number types and the parameters that layers are made of."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from tpsgd_edge.arithmetic.formats import FORMATS
from tpsgd_edge.spec import ProjectionKind
from tpsgd_edge.spec.loss import LABEL_SPACE

ValueType = Literal["s8", "s16", "f32"]
WeightType = Literal["s4", ValueType]
DTYPES: Mapping[str, np.dtype[np.generic]] = {name: own.dtype for name, own in FORMATS.items()}


def limits(value_type: str) -> tuple[int, int]:
    """Smallest and largest value of an integer type.

    >>> limits("s16")
    (-32768, 32767)
    """
    return FORMATS[value_type].limits


@dataclass(frozen=True, slots=True)
class Requantize:
    """A positive real factor as mult / 2^shift, mult in [2^14, 2^15] (section 4)."""

    mult: int
    shift: int


@dataclass(frozen=True, slots=True)
class Interval:
    """Inclusive bounds that hold for every input and every state of training (section 11)."""

    low: int
    high: int


@dataclass(frozen=True, slots=True)
class InputGradient:
    """Numbers of a layer's input gradient (section 18).

    Attributes:
        shift: from sums of w * delta to errors, 1 to 40.
        sums: proved bounds of these sums.
    """

    shift: int
    sums: Interval

    @property
    def is_wide(self) -> bool:
        """Tell whether the sums need s64."""
        return self.sums.high >= 2**31


@dataclass(frozen=True, slots=True)
class InputGradientF32:
    """The input gradient of a layer in binary32: its sums are the errors, and need no numbers."""


@dataclass(frozen=True, slots=True)
class Projection:
    """A matrix P (sections 9 and 19), fixed unless it lies in RAM, where it learns (section 6.5).

    `values` has shape (n_out, n_labels), int8. Those of a random matrix follow from `seed` and
    `kind` whatever the storage; those of prototypes are measured, others fitted, both stored as s8.
    Those of a matrix that learns are the first ones; `rate` is its readout_rate (f32: real), and
    None of others.
    """

    kind: ProjectionKind
    storage: Literal["seed", "packed", "s8", "ram"]
    seed: int
    values: NDArray[np.int8]
    rate: Requantize | float | None = None

    @property
    def learns(self) -> bool:
        """Tell whether it is part of the state."""
        return self.storage == "ram"


@dataclass(frozen=True, slots=True)
class Target:
    """Integer parameters of a target (section 6.1).

    Hidden layers use mid, mult and shift, the last one on and off.
    """

    mid: int = 0
    mult: int = 0
    shift: int = 0
    on: int = 0
    off: int = 0


@dataclass(frozen=True, slots=True)
class TargetF32:
    """Real parameters of a target, already rounded to binary32 (section 12)."""

    mid: float = 0.0
    mult: float = 0.0
    on: float = 0.0
    off: float = 0.0


@dataclass(frozen=True, slots=True)
class Readout:
    """Numbers of a loss in label space (section 6.2).

    Attributes:
        gain: g, from P^T y to what is compared with the label.
        error_shift: e_shift, from P q to errors.
    """

    gain: Requantize
    error_shift: int


@dataclass(frozen=True, slots=True)
class ReadoutF32:
    """The same in binary32: g, and a factor in place of the shift."""

    gain: float
    error_scale: float


@dataclass(frozen=True, slots=True)
class LossTable:
    """C of a custom loss, 256 entries."""

    values: NDArray[np.int16]


@dataclass(frozen=True, slots=True)
class LossTableF32:
    """The same in binary32; entries lie R / 64 apart, and `scale` is 64 / R."""

    values: NDArray[np.float32]
    scale: float


@dataclass(frozen=True, slots=True)
class Loss:
    """One local loss (section 6).

    Attributes:
        kind: as in the spec: projected_cross_entropy, projected_l2, l2, l1, huber, dead_zone,
            cross_entropy, custom or softmax_cross_entropy; "backward" of layers whose errors are
            passed to them, which have none; "reconstruction" in detectors, which have their own.
        target: of the losses in target space.
        delta: of huber and dead_zone, s16 in Q14 of R (f32: real).
        readout: of the losses in label space.
        table: of a custom loss.
        logit_shift: of softmax_cross_entropy, and of read-outs whose scores are carried: outputs
            count 2^logit_shift / 256 of a factor of two.
    """

    kind: str
    target: Target | TargetF32 | None = None
    delta: int | float = 0
    readout: Readout | ReadoutF32 | None = None
    table: LossTable | LossTableF32 | None = None
    logit_shift: int = 0

    @property
    def is_local(self) -> bool:
        """Tell whether the layer has its error from a loss of its own."""
        return self.kind not in ("backward", "reconstruction")

    @property
    def is_passed(self) -> bool:
        """Tell whether the layer above passes its error to the layer."""
        return self.kind == "backward"

    @property
    def in_label_space(self) -> bool:
        """Tell whether P^T y is compared with the label, instead of y with P y*."""
        return self.kind in LABEL_SPACE

    @property
    def cancels_derivative(self) -> bool:
        """Tell whether delta = e, because the loss matches the activation (section 7)."""
        return self.kind in ("softmax_cross_entropy", "cross_entropy", "reconstruction")


@dataclass(frozen=True, slots=True)
class RecurrentBounds:
    """Bounds of initial weights that only a recurrent layer has: of its inputs, and of biases."""

    inputs: int | float
    biases: int | float


@dataclass(frozen=True, slots=True)
class SeededInit:
    """Initial weights drawn from the seed (section 10); bounds are real for f32.

    Attributes:
        bound: w_bound; in a recurrent layer, of the columns of its own outputs.
        recurrent: the other bounds of a recurrent layer; None of others, whose biases start at 0.
    """

    seed: int
    bound: int | float
    recurrent: RecurrentBounds | None = None


@dataclass(frozen=True, slots=True)
class StoredInit:
    """Initial weights in flash: w (n_out, n_in) in the weight format, b (n_out,) s32 or f32."""

    w: NDArray[np.generic]
    b: NDArray[np.generic]
