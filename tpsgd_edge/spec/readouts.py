"""Checks of a spec whose projections learn (docs/ARITHMETIC.md, section 6.5)."""

from collections.abc import Iterator

from tpsgd_edge.spec.layers import GruSpec, LstmSpec
from tpsgd_edge.spec.problems import Problem
from tpsgd_edge.spec.sections import Spec

_KIND = '[projection], kind = "learned"'


def readout_problems(spec: Spec) -> Iterator[Problem]:
    """Layers that cannot have a read-out that learns, or ask for another one."""
    for layer in spec.model.weighted[:-1]:
        if not layer.train:
            continue
        if isinstance(layer, GruSpec | LstmSpec):
            yield Problem(
                f"the read-out of the {layer.kind} layer '{layer.name}' cannot learn",
                where=_KIND,
                found=f'kind = "{layer.kind}"',
                help="take a fixed projection, an rnn layer, or train = false for this one",
            )
        if layer.projection is not None:
            yield Problem(
                f"all projections of a model learn, or none: layer '{layer.name}' has its own",
                where=_KIND,
                found=f'projection = "{layer.projection}"',
                help="remove projection from the layer, or kind from [projection]",
            )
