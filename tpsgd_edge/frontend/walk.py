"""Layers that walk along a sequence: the shapes they see, and what memories make of the data."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from tpsgd_edge.arithmetic.types import Real
from tpsgd_edge.errors import SpecError
from tpsgd_edge.graph import Layer, Shape
from tpsgd_edge.graph.memory import every_of, handed_values, measures, memory_of, remembered
from tpsgd_edge.spec import Spec, skipped_steps, walk_keys

# Share of the values that are inside of the range of their type.
_INSIDE = 0.999
# As many samples say enough of the mean and the spread of a memory's values.
_SAMPLES = 512


def walked(layer: Layer, steps: int, *, is_last: bool) -> tuple[Layer, Shape]:
    """A layer as it walks, and the sequence that it makes; of the last one, what it makes at once.

    Args:
        steps: of the sequence that it sees.
    """
    memory = memory_of(layer)
    if memory is not None:
        layer = replace(memory, x_shape=(1, 1, memory.channels), reads_map=False)
        steps = memory.handed_on
    return layer, layer.y_shape if is_last else (1, steps, layer.y_count)


def with_measures(
    layers: Sequence[Layer], samples: Real, steps: int, *, each_step: bool
) -> Iterator[Layer]:
    """The layers; memories that read nothing learned hand on values of mean 0 and std 1.

    Args:
        samples: scaled, shape (n, n_in).
        each_step: whether an answer is asked for at each step, not at the last one only.
    """
    some = samples[:: max(1, len(samples) // _SAMPLES)]
    sequence = some.reshape(len(some), steps, -1)
    is_open = True
    for layer, behind in zip(layers, [*layers[1:], None], strict=True):
        memory = memory_of(layer)
        if not is_open or memory is None:
            is_open = False
            yield layer
            continue
        values = handed_values(memory, sequence)
        is_end = behind is not None and behind.weighted is not None
        if not each_step and is_end and not _walks_on(layers, layer):
            values = values[:, -1:]
        mids, gains = measures(values.reshape(-1, layer.y_count))
        made = replace(memory, mids=mids, gains=gains)
        spread = np.abs((values.reshape(-1, layer.y_count) - mids) * gains)
        yield replace(made, reach=float(np.quantile(spread, _INSIDE)) or 1.0)
        sequence = remembered(made, sequence)


def _walks_on(layers: Sequence[Layer], memory: Layer) -> bool:
    """Tell whether another memory comes behind it."""
    behind = layers[list(layers).index(memory) + 1 :]
    return any(memory_of(layer) is not None for layer in behind)


def learning_period(spec: Spec, layers: Sequence[Layer]) -> int:
    """Steps from one at which the layers of a walk learn to the next; 0: at its end only.

    Raises:
        SpecError: the spec asks for steps at which the layers see nothing new.
    """
    period, found = 1, 1
    for layer in layers[: len(walk_keys(spec.model))]:
        period *= every_of(layer)
        if layer.weighted is not None and layer.weighted.learning.trainable:
            found = period
    asked = spec.rule.learn_every
    if "learn_every" not in spec.rule.model_fields_set:
        return found
    if asked % found:
        raise SpecError(
            "learn_every does not fall on steps at which the layers see something new",
            where="[rule], learn_every",
            found=f"learn_every = {asked}; memories hand on at every {found} steps",
            help=f"leave it out, or set a multiple of {found}, or 0 for the end of a sequence",
        )
    return asked


def check_step_labels(spec: Spec) -> None:
    """Refuse memories that skip steps where each step has a label.

    Raises:
        SpecError: the memory.
    """
    for key, layer in zip(spec.model.keys, spec.model.layers, strict=True):
        if skipped_steps(layer):
            raise SpecError(
                f"the memory '{key}' skips steps, but each step has a label",
                where=f"[model], layer '{key}', every",
                found=f"every = {1 + skipped_steps(layer)}",
                help="leave every out",
            )
