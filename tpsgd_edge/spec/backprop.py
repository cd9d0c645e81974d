"""Checks of a spec that trains by backpropagation (docs/ARITHMETIC.md, section 18)."""

from collections.abc import Iterator

from tpsgd_edge.spec.layers import Conv1dSpec, Conv2dSpec, ConvSpec, RecurrentSpec
from tpsgd_edge.spec.problems import Problem
from tpsgd_edge.spec.sections import Spec
from tpsgd_edge.spec.walks import walk_keys

_RULE = '[rule], kind = "backprop"'


def backprop_problems(spec: Spec) -> Iterator[Problem]:
    """Everything that belongs to local losses, and layers that errors do not pass."""
    yield from _layer_problems(spec)
    yield from _loss_problems(spec)
    if not spec.model.edges.is_chain:
        reads = zip(spec.model.keys, spec.model.layers, strict=True)
        yield Problem(
            "backpropagation does not pass through nets that branch",
            where=_RULE,
            found="from in " + ", ".join(f"'{key}'" for key, layer in reads if layer.reads)[:200],
            help='leave from out, so that each layer reads the one before it, or kind = "tpsgd"',
        )
    if spec.rule.error_gate is not None:
        yield Problem(
            "backpropagation has no error gate",
            where="[rule], error_gate",
            found=f"error_gate = {spec.rule.error_gate:g}",
            help='remove error_gate, or kind = "backprop"',
        )
    if "projection" in spec.model_fields_set:
        yield Problem(
            "backpropagation has no projections",
            where="[projection]",
            found=_RULE,
            help='remove the section, or kind = "backprop"',
        )


def _layer_problems(spec: Spec) -> Iterator[Problem]:
    for kind, layers in {la.kind: la.errors_stop for la in spec.model.layers}.items():
        if layers:
            yield Problem(
                f"backpropagation does not pass through {layers}",
                where=_RULE,
                found=f'kind = "{kind}"',
                help='leave them out, or kind = "tpsgd"',
            )
    learns, walk = "", walk_keys(spec.model)
    for layer in spec.model.weighted:
        if layer.name in walk and not layer.is_recurrent:
            yield Problem(
                f"backpropagation does not pass through the memory behind layer '{layer.name}'",
                where=_RULE,
                found=f"layer '{layer.name}' before a memory",
                help="put the dense layers behind the last memory, or train by tpSGD",
            )
        if isinstance(layer, RecurrentSpec):
            yield Problem(
                f"backpropagation does not reach the recurrent layer '{layer.name}'",
                where=_RULE,
                found=f'kind = "{layer.kind}"',
                help="train by tpSGD, or use dense layers, convolutions and pools only",
            )
        if isinstance(layer, Conv1dSpec | Conv2dSpec) and layer.dilation not in (1, (1, 1)):
            yield Problem(
                f"backpropagation does not pass through the dilated layer '{layer.name}'",
                where=_RULE,
                found=f"dilation = {layer.dilation}",
                help='leave dilation out, or kind = "backprop"',
            )
        if isinstance(layer, ConvSpec) and "target_pool" in layer.model_fields_set:
            yield Problem(
                f"the target_pool of layer '{layer.name}' belongs to a local loss",
                where=_RULE,
                found=f"target_pool = {layer.target_pool}",
                help='remove target_pool, or kind = "backprop"',
            )
        if layer.projection is not None:
            yield Problem(
                f"the projection of layer '{layer.name}' belongs to a local loss",
                where=_RULE,
                found=f'projection = "{layer.projection}"',
                help='remove projection, or kind = "backprop"',
            )
        if not layer.train and learns:
            yield Problem(
                f"layer '{layer.name}' does not train, but layer '{learns}' below it does",
                where=_RULE,
                found="train = false",
                help="under backpropagation layers that do not train come first",
            )
        learns = learns or (layer.name if layer.train else "")


def _loss_problems(spec: Spec) -> Iterator[Problem]:
    if spec.rule.loss is not None:
        yield Problem(
            "under backpropagation hidden layers have no loss",
            where="[rule], loss",
            found=f'loss = "{spec.rule.loss.kind}"',
            help="set output_loss, the loss of the last layer, instead",
        )
    for layer in spec.model.weighted[:-1]:
        if layer.loss is not None:
            yield Problem(
                f"under backpropagation the hidden layer '{layer.name}' has no loss",
                where=f"[model], layer '{layer.name}'",
                found=f'loss = "{layer.loss.kind}"',
                help="remove it: the last layer's loss counts for all layers",
            )
