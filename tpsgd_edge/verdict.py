"""Reference against device: the first value that differs, in words."""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from tpsgd_edge.arithmetic.types import Array
from tpsgd_edge.errors import DataError
from tpsgd_edge.trace import ANSWERS, DIGESTED, Answers, Trace

# What is counted beside the answers: classes that do not exist, and functions that train on them.
BAD_LABELS = "bad labels taken"


@dataclass(frozen=True, slots=True)
class ValueDifference:
    """The first entry of a tensor that differs, in row-major order.

    Attributes:
        index: of the entry; empty for a tensor of one value.
        count: entries of the tensor that differ.
    """

    index: tuple[int, ...]
    reference: int | float
    device: int | float
    count: int


@dataclass(frozen=True, slots=True)
class Verdict:
    """Outcome of comparing two traces, or the answers after some steps.

    Attributes:
        steps: training steps that both traces hold, all of them compared.
        step: the first step that differs, counted from 1, so that a run of `step` steps ends with
            it; None when none differs.
        tensor: name of the first tensor that differs in that step; None when none differs, or when
            one trace is only shorter than the other.
        value: the first differing entry of that tensor, where both traces end with that step.
        steps_expected, steps_actual: lengths of the two traces.
        function: what differs, where the tensors agree and an answer does not: a public function
            after `step` training steps. The index of `value` is then the number of the sample.
        only_predicts: whether this was firmware built with NAME_INFERENCE_ONLY.
    """

    verdict: Literal["equal", "mismatch"]
    steps: int
    step: int | None = None
    tensor: str | None = None
    value: ValueDifference | None = None
    steps_expected: int = 0
    steps_actual: int = 0
    function: str | None = None
    only_predicts: bool = False

    @property
    def place(self) -> str:
        """Name the place of the first difference in a few words."""
        if self.function is None:
            return f"at step {self.step}"
        where = f"in {self.function} after {_count(self.step or 0, 'step')}"
        return f"{where}, firmware that only predicts" if self.only_predicts else where

    def describe(self) -> str:
        """The verdict in one or two lines."""
        if self.verdict == "equal":
            return f"equal: {_count(self.steps, 'step')}, every tensor and answer bit for bit"
        if self.function is not None:
            return self._answer()
        if self.tensor is None:
            return (
                f"mismatch: reference has {_count(self.steps_expected, 'step')}, "
                f"device {self.steps_actual:,}\n  the {_count(self.steps, 'common step')} agree"
            )
        return f"mismatch: step {self.step}, {self._place()}\n  {self._extent()}"

    def _answer(self) -> str:
        text, value = f"mismatch: {self.place}", self.value
        if value is None:
            return f"{text}\n  all that was compared before agrees"
        if value.index:
            text += f", sample {value.index[0]}"
        show = hex if self.function in DIGESTED | {"digest"} else str
        values = f"reference {show(value.reference)}, device {show(value.device)}"  # type: ignore[arg-type]
        return f"{text}: {values}\n  first of {_count(value.count, 'answer')} that differ"

    def _place(self) -> str:
        layer, dot, tensor = str(self.tensor).rpartition(".")
        place = f"layer '{layer}', tensor '{tensor}'" if dot else f"tensor '{tensor}'"
        value = self.value
        if value is None:
            return place
        if value.index:
            place += ", index " + "".join(f"[{i}]" for i in value.index)
        return f"{place}: reference {value.reference}, device {value.device}"

    def _extent(self) -> str:
        assert self.step is not None
        earlier = self.step - 1
        agree = f"{_count(earlier, 'earlier step')} {'agrees' if earlier == 1 else 'agree'}"
        if self.value is None:
            return agree
        count = self.value.count
        which = "only difference" if count == 1 else f"first difference of {count:,}"
        return f"{which} in this tensor; {agree}"


def compare(expected: Trace, actual: Trace) -> Verdict:
    """Compare the reference's trace with the device's, bit for bit.

    In the first step that differs the output comes first: it is computed before all updates.

    Raises:
        DataError: the traces are not of the same tensors.
    """
    if expected.tensors != actual.tensors:
        raise DataError(
            "the traces are not of the same model",
            found=f"device: {', '.join(actual.tensors)}; reference: {', '.join(expected.tensors)}",
            help="build the firmware again from this spec",
        )
    steps = min(expected.steps, actual.steps)
    lengths = (expected.steps, actual.steps)
    differs = expected.digests[:steps] != actual.digests[:steps]
    bad_steps = differs.any(axis=1).nonzero()[0]
    if bad_steps.size:
        step = int(bad_steps[0]) + 1
        names = {n for n, bad in zip(expected.tensors, differs[step - 1], strict=True) if bad}
        tensor = "output" if "output" in names else _first(expected.tensors, names)
        value = None
        if expected.steps == actual.steps == step:
            value = _difference(expected.final.get(tensor), actual.final.get(tensor))
        return Verdict("mismatch", steps, step, tensor, value, *lengths)
    if expected.steps != actual.steps:
        return Verdict("mismatch", steps, steps + 1, None, None, *lengths)
    return _compare_finals(expected, actual)


def compare_answers(
    expected: Answers, actual: Answers, steps: int, *, only_predicts: bool = False
) -> Verdict:
    """Compare what the public functions say after some training steps."""
    values = {
        **{name: (expected.words[:, k], actual.words[:, k]) for k, name in enumerate(ANSWERS)},
        BAD_LABELS: (np.array(expected.bad_labels), np.array(actual.bad_labels)),
        "digest": (np.array(expected.digest), np.array(actual.digest)),
    }
    for function, (reference, device) in values.items():
        value = _difference(reference, device)
        if value is not None:
            return Verdict(
                "mismatch", steps, steps, None, value, steps, steps, function, only_predicts
            )
    return Verdict("equal", steps, steps_expected=steps, steps_actual=steps)


def compare_function(
    function: str, expected: Array, actual: Array, so_far: Verdict, *, only_predicts: bool = False
) -> Verdict:
    """Compare arrays of one shape that a function made; `so_far` is the verdict if equal."""
    value = _difference(expected, actual)
    if value is None and expected.shape == actual.shape:
        return so_far
    steps = so_far.steps
    return Verdict("mismatch", steps, steps, None, value, steps, steps, function, only_predicts)


def selftest_mismatch(steps: int, *, only_predicts: bool = False) -> Verdict:
    """The verdict where everything agrees but the self-test, which fails."""
    return Verdict(
        "mismatch",
        steps,
        steps,
        steps_expected=steps,
        steps_actual=steps,
        function="selftest",
        only_predicts=only_predicts,
    )


def _compare_finals(expected: Trace, actual: Trace) -> Verdict:
    """Equal digests leave one case in 2^32 open; the tensors at the end close it."""
    steps = expected.steps
    for name in expected.tensors:
        value = _difference(expected.final.get(name), actual.final.get(name))
        if value is not None:
            return Verdict("mismatch", steps, steps, name, value, steps, steps)
    return Verdict("equal", steps, steps_expected=steps, steps_actual=steps)


def _first(tensors: tuple[str, ...], names: set[str]) -> str:
    return next(name for name in tensors if name in names)


def _difference(expected: Array | None, actual: Array | None) -> ValueDifference | None:
    if expected is None or actual is None or expected.shape != actual.shape:
        return None
    differs = _bits(expected) != _bits(actual)
    count = int(np.count_nonzero(differs))
    if count == 0:
        return None
    index = tuple(int(i) for i in np.unravel_index(int(differs.argmax()), expected.shape))
    return ValueDifference(index, expected[index].item(), actual[index].item(), count)


def _bits(tensor: Array) -> NDArray[Any]:
    """All bits, one integer an element: -0.0 differs from 0.0, and NaN equals itself."""
    return np.ascontiguousarray(tensor).reshape(-1).view(f"u{tensor.itemsize}")


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"
