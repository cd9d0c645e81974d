"""Checks of a spec whose layers name what they read."""

from collections.abc import Iterator

from tpsgd_edge.spec.edges import SAMPLE
from tpsgd_edge.spec.model import ModelSpec
from tpsgd_edge.spec.problems import Problem, did_you_mean
from tpsgd_edge.spec.walks import walk_length
from tpsgd_edge.spec.weightless import ATTENTION


def unknown_inputs(model: ModelSpec) -> Iterator[Problem]:
    """Names in `from` that no layer before the one that reads them has."""
    known = [SAMPLE]
    for key, layer in zip(model.keys, model.layers, strict=True):
        for value in layer.reads or ():
            if value not in known:
                is_later = value in model.keys
                yield Problem(
                    f"{_called(key)} reads '{value[:40]}', which "
                    + ("comes later" if is_later else "no layer before it makes"),
                    where=f"[model], {_called(key)}, from",
                    found=_from(layer.reads or ()),
                    help="layers stand in the order of computing: move this one behind it"
                    if is_later and value != key
                    else did_you_mean(value, known),
                )
        known.append(key)


def branch_problems(model: ModelSpec) -> Iterator[Problem]:
    """Layers that read too much, that nobody reads, or that branch along sequences."""
    yield from _counts(model)
    for key in model.edges.without_consumers[:-1]:
        yield Problem(
            f"no layer reads what {_called(key)} makes",
            where=f"[model], {_called(key)}",
            found=f"the net ends with {_called(model.keys[-1])}",
            help="name it in from of another layer, or leave it out",
        )
    if walk_length(model.layers):
        yield from _along_sequences(model)


def _counts(model: ModelSpec) -> Iterator[Problem]:
    for key, layer in zip(model.keys, model.layers, strict=True):
        reads, where = layer.reads or (SAMPLE,), f"[model], {_called(key)}, from"
        if not layer.reads_several:
            if len(reads) > 1:
                yield Problem(
                    f"{_called(key)} reads one value",
                    where=where,
                    found=_from(reads),
                    help='name one layer, or put { kind = "add" } or { kind = "concat" } before it',
                )
        elif layer.kind == ATTENTION and (len(set(reads)), len(reads)) != (3, 3):
            yield Problem(
                f"{_called(key)} reads queries, keys and values, each of a layer of its own",
                where=where,
                found="nothing" if layer.reads is None else _from(reads),
                help='name three conv1d layers with kernel = 1: from = ["query", "key", "value"]',
            )
        elif len(set(reads)) < len(reads) or len(reads) < 2:
            yield Problem(
                f"{_called(key)} reads two values or more, each of them once",
                where=where,
                found="nothing" if layer.reads is None else _from(reads),
                help='name them: from = ["conv1", "conv3"]; "x" is the sample',
            )


def _along_sequences(model: ModelSpec) -> Iterator[Problem]:
    """Layers that walk follow each other, and what comes behind them reads the last one."""
    edges, walk = model.edges, model.keys[: walk_length(model.layers)]
    for key in model.keys:
        inputs = edges.inputs_of(key)
        of_sequences = {SAMPLE, *walk[:-1]} & set(inputs)
        if key in walk:
            place = walk.index(key)
            of_sequences -= {walk[place - 1] if place else SAMPLE}
        if of_sequences:
            value = sorted(of_sequences)[0]
            yield Problem(
                f"{_called(key)} cannot read '{value}', a sequence that branches",
                where=f"[model], {_called(key)}, from",
                found=_from(inputs),
                help="layers along a sequence follow each other; what comes behind them may branch",
            )


def _called(key: str) -> str:
    return key if key.startswith("layers[") else f"layer '{key}'"


def _from(values: tuple[str, ...]) -> str:
    quoted = [f'"{value[:40]}"' for value in values[:4]]
    return f"from = {quoted[0]}" if len(values) == 1 else f"from = [{', '.join(quoted)}]"
