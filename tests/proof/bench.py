"""Models so small that what they must do follows by hand, run by the reference and by the C."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tests.random.networks import project_of, state_bytes
from tests.random.running import SANITIZED, assert_same_answers, host_binary, written
from tests.support.models import random_model
from tests.support.parts import altered
from tpsgd_edge.quantize.model import (
    DTYPES,
    Loss,
    QuantizedModel,
    Requantize,
    Schedule,
    StoredInit,
    Target,
    TargetF32,
)
from tpsgd_edge.reference import Reference, trace
from tpsgd_edge.toolchain.interface import interface_of
from tpsgd_edge.toolchain.open_device import open_device
from tpsgd_edge.verdict import compare

Array = NDArray[Any]
State = Mapping[str, Any]
# z = acc, and d = delta: all randomness is below one unit.
AS_IT_IS = Requantize(2**14, 14)
RATE = Requantize(2**15, 15)


def one_layer(
    loss: str,
    units: int,
    *,
    value_type: str = "s8",
    weight_type: str = "s16",
    activation: str = "linear",
    kind: str = "vector",
    model: Mapping[str, Any] | None = None,
    loss_numbers: Mapping[str, Any] | None = None,
    **layer: Any,
) -> QuantizedModel:
    """One layer of two inputs that start at zero: y = sat(b), and b moves by delta.

    Args:
        model, loss_numbers, layer: what is to be different in the model, its loss, its layer.
    """
    real = value_type == "f32"
    drawn = random_model(
        np.random.default_rng(1),
        value_type=value_type,
        label_kind=kind,
        label_count=units,
        n_in=2,
        hidden=[],
        activations=[activation],
        losses=[loss],
        weight_types=["f32" if real else weight_type],
        gate=False,
        dead_zone=False,
        stored_weights=True,
        lively=True,
    )
    (last,) = drawn.layers
    target = last.loss.target
    if target is not None:
        target = replace(target, on=8192, off=-8192) if not real else target
    numbers: dict[str, Any] = {
        "init": StoredInit(
            np.zeros((units, 2), DTYPES[last.weight_type]), np.zeros(units, DTYPES[last.bias_type])
        ),
        "loss": replace(last.loss, target=target, **(loss_numbers or {})),
    }
    if real:
        numbers["rate"] = 1.0
    else:
        # With an update_shift of 6, d * 2^6 / 2^6 is d whatever is added below.
        numbers |= {"z": AS_IT_IS, "rate": RATE, "bias_one": 2**last.learning.steps.update_shift}
        numbers["bias_shift"] = 0 if value_type == "s8" else last.numbers.bias_shift
    whole = replace(drawn, layers=(altered(last, **numbers | layer),))
    return replace(whole, **{"schedule": Schedule((2**15,), 1), **(model or {})})


def start(model: QuantizedModel, **tensors: Any) -> dict[str, Array]:
    """The initial state, with some tensors given: `fc1_b=[1, 2]`, `step=3`."""
    state: dict[str, Array] = dict(Reference(model).state())
    for name, values in tensors.items():
        name = name if name in state else name.replace("_", ".")
        given = np.array(values, state[name].dtype)
        state[name] = np.broadcast_to(given, state[name].shape).copy()
    return state


def steps_of(
    model: QuantizedModel, lessons: Sequence[tuple[State, Any, Any]]
) -> list[tuple[dict[str, Array], Array]]:
    """The state after one training step from each state, and its outputs: of reference and C.

    Args:
        lessons: state, x and label of each.
    """
    samples = [np.array(x, DTYPES[model.value_type]) for _, x, _ in lessons]
    labels = [_label(model, label) for _, _, label in lessons]
    project = project_of(model, np.stack(samples), np.stack(labels))
    reference, seen = Reference(model), []
    with written(project) as folder:
        binary = host_binary(project, folder, SANITIZED)
        with open_device(binary, interface_of(model), timeout=60) as device:
            assert device.selftest()
            for (state, _, _), x, label in zip(lessons, samples, labels, strict=True):
                reference.load_state(state)
                device.load_state(state_bytes(model, state))
                assert_same_answers(device, reference, x[np.newaxis], label[np.newaxis])
                expected = trace(model, x[np.newaxis], label[np.newaxis], reference=reference)
                verdict = compare(expected, device.trace(x[np.newaxis], label[np.newaxis]))
                assert verdict.verdict == "equal", verdict.describe()
                seen.append((dict(reference.state()), np.array(expected.final["output"])))
    return seen


def _label(model: QuantizedModel, label: Any) -> Array:
    if model.labels.kind == "class":
        return np.array(label, np.uint16)
    return np.array(label, DTYPES["f32" if model.value_type == "f32" else "s16"])


def moved(model: QuantizedModel, b: Sequence[Any], label: Any, **tensors: Any) -> list[Any]:
    """By how much each bias moves in a step from these biases, and so delta; all weights are 0."""
    state = start(model, fc1_b=b, **tensors)
    ((after, _),) = steps_of(model, [(state, [0, 0], label)])
    return [
        np.float32(new) - np.float32(old) if model.value_type == "f32" else int(new) - int(old)
        for new, old in zip(after["fc1.b"], state["fc1.b"], strict=True)
    ]


__all__ = [
    "AS_IT_IS",
    "RATE",
    "Loss",
    "Requantize",
    "Schedule",
    "Target",
    "TargetF32",
    "moved",
    "one_layer",
    "start",
    "steps_of",
]
