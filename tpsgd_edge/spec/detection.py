"""Anomaly tasks: nets that end in a detector, and what does not go with one."""

from collections.abc import Iterator

from tpsgd_edge.spec.detector import DETECTOR
from tpsgd_edge.spec.layers import LayerSpec
from tpsgd_edge.spec.model import ModelSpec
from tpsgd_edge.spec.problems import Problem
from tpsgd_edge.spec.sections import Spec


def finds_anomalies(model: ModelSpec) -> bool:
    """Tell whether the net ends in a detector."""
    return bool(model.layers) and model.layers[-1].kind == DETECTOR


def detector_problems(spec: Spec) -> Iterator[Problem]:
    """Everything around a detector that does not go with it."""
    model = spec.model
    if not finds_anomalies(model):
        yield from _problems_without(spec)
        return
    *before, last = model.layers
    where = f"[model], layer '{last.name}'"
    for layer in before:
        if layer.is_recurrent or layer.kind == DETECTOR or _walks(spec, layer):
            yield Problem(
                f"no detector can follow the layer '{layer.name or layer.kind}'",
                where=where,
                found=f'kind = "{layer.kind}" before it',
                help="give it windows of the signal as samples; conv1d with train = false may "
                "stand before it",
            )
        elif layer.weighted is not None and layer.weighted.train:
            yield Problem(
                f"layer '{layer.name}' cannot learn before a detector: there are no labels",
                where=f"[model], layer '{layer.name}'",
                help="set train = false, with weights from model.source, weights_file or the seed",
            )
    if spec.numbers.weights == "f32":
        yield Problem(
            "detectors compute in integers",
            where="[numbers], weights",
            found='weights = "f32"',
            help='set weights = "s16" or "s8"',
        )
    if spec.data.task not in ("auto", "anomaly"):
        yield Problem(
            "a net that ends in a detector finds anomalies",
            where="[data], task",
            found=f'task = "{spec.data.task}"',
            help='set task = "anomaly", or end the layers with a dense one',
        )
    yield from _problems_of_rule(spec)


def _walks(spec: Spec, layer: LayerSpec) -> bool:
    """Tell whether a layer begins a walk along a sequence."""
    return layer is spec.model.layers[0] and spec.model.layers[0].kind == "memory"


def _problems_without(spec: Spec) -> Iterator[Problem]:
    if spec.data.task == "anomaly":
        yield Problem(
            "an anomaly task needs a detector as its last layer",
            where="[data], task",
            found=f'kind = "{spec.model.layers[-1].kind}" at the end of [model], layers',
            help='end the layers with { kind = "detector", name = "normal" }',
        )
    elif spec.data.normal is not None:
        yield Problem(
            "'normal' names the normal classes of an anomaly task",
            where="[data], normal",
            found=f'task = "{spec.data.task}"',
            help='set task = "anomaly" and end the layers with { kind = "detector", ... }',
        )
    inner = [layer for layer in spec.model.layers[:-1] if layer.kind == DETECTOR]
    for layer in inner:
        yield Problem(
            f"the detector '{layer.name}' must be the last layer",
            where=f"[model], layer '{layer.name}'",
            help="nothing can read its score; end the layers with it",
        )


def _problems_of_rule(spec: Spec) -> Iterator[Problem]:
    rule, asked = spec.rule, []
    if rule.kind == "backprop":
        asked.append('kind = "backprop"')
    if rule.loss is not None or rule.output_loss is not None:
        asked.append("a loss")
    if rule.error_gate is not None:
        asked.append(f"error_gate = {rule.error_gate:g}")
    if spec.model.extra_classes:
        asked.append(f"extra_classes = {spec.model.extra_classes}")
    if spec.model.pretrain is not None:
        asked.append("[model.pretrain]")
    for what in asked:
        yield Problem(
            "a detector learns without labels, by its own rule",
            where="[rule], [model] and [data]",
            found=what,
            help="leave it out",
        )
