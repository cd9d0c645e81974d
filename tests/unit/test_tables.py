"""Every table by kind, loss, activation, projection, format or platform is complete.

Tables are found, not listed: whatever a module of the package keeps in a mapping whose keys are
names of one of these vocabularies must have all of them, but for those that are listed here with
the reason. So a new name fails in each stage that has no entry for it.
"""

import ast
import importlib
import itertools
import pkgutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any, get_args, get_type_hints

import pytest

import tpsgd_edge
from tests.support.kinds import IN_FLOATS_ALONE, KINDS, SECTIONS
from tpsgd_edge.graph import WeightedLayer
from tpsgd_edge.graph.weightless import Weightless
from tpsgd_edge.quantize.parameters import ValueType
from tpsgd_edge.rule.rules import RuleName
from tpsgd_edge.spec import (
    NOT_MONOTONE,
    SCHEDULES,
    Activation,
    ActivationFormat,
    LabelsKind,
    LossKind,
    OutputLoss,
    ProjectionKind,
)
from tpsgd_edge.spec.loss import LABEL_SPACE
from tpsgd_edge.spec.sections import RandomKind
from tpsgd_edge.toolchain.cycles import Timing
from tpsgd_edge.toolchain.platform_file import Arch, Family
from tpsgd_edge.toolchain.platforms import all_platforms

PACKAGE = Path(tpsgd_edge.__file__).parent
# All modules, so that no class of layers is missing below.
MODULES = [
    importlib.import_module(found.name)
    for found in pkgutil.walk_packages([str(PACKAGE)], "tpsgd_edge.")
    if found.name != "tpsgd_edge.__main__"
]
GRAPH_KINDS = {
    kind
    for layer in (*get_args(WeightedLayer), *Weightless.__subclasses__())
    for kind in get_args(get_type_hints(layer.kind.fget)["return"])
}
_LABEL_SPACE = set(LABEL_SPACE)
# Kinds with weights that a net may have anywhere, in all formats; detectors are apart.
_GATED = {"gru", "lstm"}
_RECURRENT = {"rnn", *_GATED}
_WEIGHTED = {"dense", "conv2d", *_RECURRENT}
_DEVICE_KINDS = GRAPH_KINDS - {*IN_FLOATS_ALONE}
_PLAIN = _DEVICE_KINDS - {"detector"}
# Kinds without weights that backpropagation does not pass.
_STOPS = {kind for kind, settings in SECTIONS.items() if settings.errors_stop}
# Kinds that read several values: those of a device, and with those that only floating point has.
_JOINS = {"add", "concat"}
_ALL_JOINS = {*_JOINS, *IN_FLOATS_ALONE}
# What each stage that differs by it must have an entry for.
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
# Parts of a vocabulary that a table may be about; each follows from what is said elsewhere.
PARTS: Mapping[str, tuple[set[str], ...]] = {
    "kinds of a spec": (_ALL_JOINS, set(KINDS) - _ALL_JOINS),
    "kinds of a graph": (
        _WEIGHTED,
        {*_WEIGHTED, "detector"},
        {"detector"},
        _JOINS,
        _ALL_JOINS,
        _DEVICE_KINDS,
        _DEVICE_KINDS - _JOINS,
        _PLAIN - _JOINS,
        _PLAIN - _WEIGHTED,
        (_PLAIN | _ALL_JOINS) - _WEIGHTED,
        _PLAIN - _WEIGHTED - _JOINS,
        _PLAIN - _WEIGHTED - _JOINS - {"memory"},
        _PLAIN - _WEIGHTED - _JOINS - {"memory", "norm"},
        _WEIGHTED - _RECURRENT,
        {*_WEIGHTED, "detector"} - _RECURRENT,
        {*_WEIGHTED, "memory"},
        {"dense", "memory", *_RECURRENT},
        {"memory", "detector"},
        {"norm"},
        {"max_pool", "average_pool"},
        _RECURRENT,
        _GATED,
        _WEIGHTED - _GATED,
        _PLAIN - _JOINS - {*_RECURRENT, "memory", *_STOPS},
        {*_WEIGHTED, "memory", "detector"},
    ),
    "losses": (
        set(get_args(OutputLoss)),
        set(get_args(OutputLoss)) - {"softmax_cross_entropy"},
        _LABEL_SPACE,
        {*_LABEL_SPACE, "softmax_cross_entropy"},
    ),
    "activations": (set(get_args(Activation)) - set(NOT_MONOTONE), set(NOT_MONOTONE)),
    "projections": (
        set(get_args(RandomKind)),
        {*get_args(RandomKind), "learned", "fitted"},
    ),
    "formats": (set(get_args(ActivationFormat)),),
    "schedules": (set(SCHEDULES) - {"constant"},),
    "rules": (set(get_args(RuleName)) - {"last_layer"},),
    "architectures": (
        set(get_args(Arch)) - {"host", "wasm"},
        set(get_args(Arch)) - {"host", "wasm", "avr"},
    ),
}
# Tables that are about a few names by their nature, and what becomes of the others.
FEW: Mapping[tuple[str, str], str] = {
    ("arithmetic.tables", "FIXED"): "the two whose tables hang on no layer's numbers",
    ("frontend.onnx_activations", "OPERATORS"): "the tables of exports have the rest",
    ("codegen.kinds.join", "_F32_RANGE"): "those that a sum can have",
    ("frontend.exports.activation", "_BOUNDS"): "those that are a Clip",
    ("frontend.keras.activations", "_BOUNDS"): "those that are a Clip",
    ("frontend.keras.activations", "_OPERATORS"): "by their names in Keras; another one is refused",
    ("frontend.tflite.outgoing", "_FUSED"): "those that an operator takes in",
    ("frontend.tflite.outgoing", "_SINGLE"): "those of one operator; what is left is refused",
    ("frontend.exports.activation", "_FACTORS"): "those that are a product of z",
    ("frontend.imports.recognized", "_KNOWN"): "what exporters write as several operators",
    ("spec.rates", "STEP_SIZES"): "kinds with weights, and the output",
    ("reports.adaptation", "_WORDS"): "what layers that adapt learn towards",
    ("rule.feedback", "_DRAW"): "rules with random matrices of their own",
    ("search.nets", "_HIDDEN"): "the kinds of nets that a search makes of nothing",
    ("search.nets", "_STEPS_LIKE"): "those whose layers learn at one step size",
    ("rule.rules", "DIRECT"): "rules that reach each layer without the ones above",
}


def vocabulary_of(names: set[Any]) -> str | None:
    """Name the vocabulary that most of the names are from; None where there is none."""
    shares = {v: len(names & known) for v, known in VOCABULARIES.items()}
    best = max(shares, key=lambda v: (shares[v], -len(VOCABULARIES[v])))
    return best if shares[best] >= 2 and 2 * shares[best] >= len(names) else None


def lacks(names: set[Any]) -> set[str]:
    """Name what a set of names lacks to be the vocabulary, or a part of it, that it is from."""
    vocabulary = vocabulary_of(names)
    if vocabulary is None:
        return set()
    whole = VOCABULARIES[vocabulary]
    own = names & whole
    return set() if own in (whole, *PARTS.get(vocabulary, ())) else whole - own


def columns_of(table: Mapping[Any, Any]) -> list[set[Any]]:
    """The names in the keys of a table, of each place in keys that are tuples."""
    if all(isinstance(key, tuple) for key in table) and len({len(key) for key in table}) == 1:
        return [set(column) for column in zip(*table, strict=True)]
    return [set(table)]


def defined_in(module: ModuleType) -> set[str]:
    """The names that a module assigns to, rather than imports."""
    names: set[str] = set()
    for node in ast.parse(Path(module.__file__ or "").read_text(encoding="utf-8")).body:
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        names |= {target.id for target in targets if isinstance(target, ast.Name)}
    return names


def tables() -> dict[tuple[str, str], Mapping[Any, Any]]:
    """The mappings that modules define, by module and name."""
    found = {}
    for module in MODULES:
        for name in defined_in(module):
            value = getattr(module, name, None)
            if isinstance(value, Mapping) and value:
                found[module.__name__.removeprefix("tpsgd_edge."), name] = value
    return dict(sorted(found.items()))


TABLES = {
    place: table
    for place, table in tables().items()
    if any(vocabulary_of(column) for column in columns_of(table))
}


def test_tables_are_found():
    assert {vocabulary_of(next(iter(columns_of(table)))) for table in TABLES.values()} >= {
        *("kinds of a spec", "kinds of a graph", "losses", "activations", "projections"),
        *("formats", "schedules", "rules", "architectures", "compilers"),
    }
    assert set(FEW) <= set(TABLES), "listed, but gone"


@pytest.mark.parametrize("place", TABLES, ids=".".join)
def test_a_table_has_all_names(place):
    columns = columns_of(TABLES[place])
    if place not in FEW:
        assert [lacks(column) for column in columns] == [set() for _ in columns]
    if len(columns) > 1 and place not in FEW:
        # Each kind in each format, or whatever else the keys are made of.
        assert set(itertools.product(*columns)) == set(TABLES[place])


def fallbacks(tree: ast.AST, names: Mapping[str, Any]) -> Iterator[str]:
    """Find where something else is taken for a name that a table does not have.

    Args:
        names: what the names in the module stand for.
    """
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            table = node.func.value
            known: set[Any] = set()
            if isinstance(table, ast.Dict):
                known = {key.value for key in table.keys if isinstance(key, ast.Constant)}
            elif isinstance(table, ast.Name) and isinstance(names.get(table.id), Mapping):
                known = set(names[table.id]) if id(names[table.id]) in CHECKED else set()
            if node.func.attr == "get" and len(node.args) == 2 and vocabulary_of(known):
                yield f"line {node.lineno}: {ast.unparse(node)}"


# Tables that have all names need nothing to fall back on.
CHECKED = {id(table) for place, table in TABLES.items() if place not in FEW}


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.__name__)
def test_no_table_has_a_silent_fallback(module):
    tree = ast.parse(Path(module.__file__).read_text(encoding="utf-8"))
    assert list(fallbacks(tree, vars(module))) == []


def test_a_fallback_is_seen():
    tree = ast.parse('x = {"huber": 1, "l1": 2}.get(kind, 0)\ny = {"a": 1}.get(kind, 0)\n')
    assert [line.partition(":")[0] for line in fallbacks(tree, {})] == ["line 1"]


def test_a_name_that_is_missing_is_seen():
    assert lacks({"tanh", "relu", "linear", "sigmoid"}) >= {"elu", "gelu"}
    assert lacks(set(get_args(Activation))) == set()
