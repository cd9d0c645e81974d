"""Every table by kind, loss, activation, projection, format or platform is complete.

Tables are found, not listed: whatever a module of the package keeps in a mapping whose keys are
names of one of these vocabularies must have all of them, but for those that are listed here with
the reason. So a new name fails in each stage that has no entry for it.
"""

import ast
import importlib
import pkgutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, get_args, get_type_hints

import pytest

import tpsgd_edge
from tests.support.kinds import KINDS
from tpsgd_edge.graph import Layer
from tpsgd_edge.quantize.parameters import ValueType
from tpsgd_edge.rule.rules import RuleName
from tpsgd_edge.spec import NOT_MONOTONE, SCHEDULES, Activation, LabelsKind, LossKind, ProjectionKind
from tpsgd_edge.toolchain.cycles import Timing
from tpsgd_edge.toolchain.platform_file import Arch, Family
from tpsgd_edge.toolchain.platforms import all_platforms

PACKAGE = Path(tpsgd_edge.__file__).parent
GRAPH_KINDS = {
    kind
    for layer in get_args(Layer)
    for kind in get_args(get_type_hints(layer.kind.fget)["return"])
}
VOCABULARIES: Mapping[str, set[str]] = {
    "kinds of a spec": set(KINDS),
    "kinds of a graph": GRAPH_KINDS,
    "losses": set(get_args(LossKind)),
    "activations": set(get_args(Activation)),
    "projections": set(get_args(ProjectionKind)),
    "formats": set(get_args(ValueType)),
    "schedules": set(SCHEDULES),
    "labels": set(get_args(LabelsKind)),
    "rules": set(get_args(RuleName)),
    "platforms": {platform.name for platform in all_platforms()},
    "architectures": set(get_args(Arch)),
    "compilers": set(get_args(Family)),
    "emulators": {name for platform in all_platforms() for name in platform.emulators},
    "timings": set(get_args(Timing)),
}
# Module and table -> the names that it has no entry for, and why.
PARTIAL: Mapping[tuple[str, str], tuple[set[str], str]] = {}


def modules() -> Iterator[Any]:
    """Every module of the package but those that need what may not be installed."""
    for found in pkgutil.walk_packages([str(PACKAGE)], "tpsgd_edge."):
        if not found.name.startswith("tpsgd_edge.__main__"):
            yield importlib.import_module(found.name)


def vocabulary_of(names: set[Any]) -> str | None:
    """Name the vocabulary that most of the names are from; None where there is none."""
    shares = {v: len(names & known) for v, known in VOCABULARIES.items()}
    best = max(shares, key=lambda v: (shares[v], -len(VOCABULARIES[v])))
    return best if shares[best] >= 2 and 2 * shares[best] >= len(names) else None


def missing_in(table: Mapping[Any, Any]) -> set[Any] | None:
    """The names that a table lacks; None where its keys are from no vocabulary."""
    if all(isinstance(key, str) for key in table):
        vocabulary = vocabulary_of(set(table))
        return None if vocabulary is None else VOCABULARIES[vocabulary] - set(table)
    if not all(isinstance(key, tuple) for key in table) or len({len(key) for key in table}) != 1:
        return None
    columns = [set(column) for column in zip(*table, strict=True)]
    known = [vocabulary_of(column) for column in columns]
    if not any(known):
        return None
    wanted = [column | VOCABULARIES[v] if v else column for column, v in zip(columns, known, strict=True)]
    import itertools
    return set(itertools.product(*wanted)) - set(table)

def tables():
    for module in modules():
        for name, value in vars(module).items():
            if isinstance(value, Mapping) and value and not name.startswith("__"):
                yield module, name, value
if __name__ == "__main__":
    seen=set()
    for module,name,value in tables():
        if id(value) in seen: continue
        seen.add(id(value))
        m = missing_in(value)
        if m is not None:
            keys=set(value) if not isinstance(next(iter(value)),tuple) else "tuple"
            print(module.__name__, name, vocabulary_of(keys) if keys!="tuple" else keys, "MISSING", sorted(map(str,m)))
