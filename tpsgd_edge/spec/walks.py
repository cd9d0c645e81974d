"""Layers that walk along a sequence, one step after the other (docs/ARITHMETIC.md, section 23)."""

from collections.abc import Iterator, Sequence

from tpsgd_edge.spec.layers import DenseSpec, LayerSpec, RecurrentSpec
from tpsgd_edge.spec.memory import KEEPING, MemorySpec, skipped_steps
from tpsgd_edge.spec.model import ModelSpec
from tpsgd_edge.spec.problems import Problem
from tpsgd_edge.spec.sections import Spec

_IN_WALK = RecurrentSpec | MemorySpec | DenseSpec


def walk_length(layers: Sequence[LayerSpec]) -> int:
    """Number of layers that walk: those up to the last that keeps something between steps."""
    if not layers or layers[0].kind not in KEEPING:
        return 0
    return 1 + max(i for i, layer in enumerate(layers) if layer.kind in KEEPING)


def walk_keys(model: ModelSpec) -> tuple[str, ...]:
    """Keys of the layers that walk along a sequence."""
    return model.keys[: walk_length(model.layers)]


def walk_problems(spec: Spec) -> Iterator[Problem]:
    """Layers that cannot walk, and keys of memories that would do nothing."""
    count = walk_length(spec.model.layers)
    pairs = list(zip(spec.model.keys, spec.model.layers, strict=True))
    for key, layer in pairs[:count]:
        if not isinstance(layer, _IN_WALK):
            yield Problem(
                f"layer '{key}' cannot stand between layers that keep something from step to step",
                where=f"[model], layer '{key}'",
                found=f'kind = "{layer.kind}"',
                help="dense layers can; put it behind the last memory or recurrent layer",
            )
    for place, (key, layer) in enumerate(pairs):
        if skipped_steps(layer) and place >= count - 1:
            yield Problem(
                f"nothing reads the memory '{key}' step by step",
                where=f"[model], layer '{key}', every",
                found=f"every = {1 + skipped_steps(layer)}",
                help="leave it out: the memory is read when an answer is asked for, or to learn",
            )
