"""A model that runs somewhere else than in Python, whatever it runs on."""

from types import TracebackType
from typing import Protocol, Self

import numpy as np
from numpy.typing import NDArray

from tpsgd_edge.arithmetic.types import Array
from tpsgd_edge.toolchain.interface import ModelInterface
from tpsgd_edge.trace import Answers, Trace


class Device(Protocol):
    """One model and its state. A context manager: leaving it ends processes and frees memory.

    Everything raises ToolError when the code below crashes or does not answer, and DataError when
    samples do not fit the model.
    """

    interface: ModelInterface

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        where: TracebackType | None,
    ) -> None: ...

    def init(self) -> None:
        """Set the state that training starts from. Opening a device does this too."""

    def train(self, x: Array, labels: Array, *, order: NDArray[np.integer] | None = None) -> int:
        """Train once on each sample of x (n, n_in), or on `order` of them; count the refused."""

    def trace(self, x: Array, labels: Array) -> Trace:
        """Train once on each sample of x (n, n_in), with the digests of every step."""

    def outputs(self, x: Array) -> Array:
        """Outputs of the last layer, shape (n, n_out)."""

    def confidences(self, x: Array) -> Array:
        """The probability of the class that each answer names, shape (n,): Q15 in u16, or f32.

        Of a sequence it is that of the answer at the last step. DataError where the outputs of the
        model are no probabilities of classes.
        """

    def answers(self, x: Array, labels: Array) -> Answers:
        """Ask every public function about each sample of x (n, n_in) and the one before it."""

    def prepare(self, raw: Array) -> tuple[NDArray[np.uint32], Array]:
        """Convert raw samples (n, n_in): the status of each, and x (n, n_in), zeros if refused."""

    def prepare_labels(self, values: Array) -> tuple[NDArray[np.uint32], Array]:
        """Convert label vectors (n, K) in their own units: statuses, and labels (n, K)."""

    def values(self, outputs: Array) -> Array:
        """Convert outputs (n, n_out) of a model with label vectors to their own units, binary32."""

    def hear(self, blocks: Array) -> tuple[NDArray[np.uint32], Array]:
        """Hear blocks (n, samples) of a new stream: whether each completes a window, and features.

        Features have the shape (n, features of a window), and are zeros where none is complete.
        """

    def state(self) -> bytes:
        """A copy of the state struct."""

    def load_state(self, state: bytes) -> None:
        """Put back what `state` gave."""

    def set_rate(self, rate: float) -> bool:
        """Scale all learning rates: Q15, of f32 models a real number. Whether the code took it."""

    def restart_schedule(self) -> None:
        """Begin the schedule of the learning rate again with the next step."""

    def selftest(self) -> bool:
        """Tell whether the built-in self-test passes. The state is initialised afterwards."""

    def stack_bytes(self) -> int:
        """Bytes of stack that the model used since the last such call; 0 where unknown."""
