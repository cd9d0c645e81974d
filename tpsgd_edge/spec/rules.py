"""Answers to what a spec leaves open, and checks across its sections.

A layer's index is its place in `spec.model.layers`; `layer_index` finds it by name.
"""

from collections.abc import Iterator
from typing import Literal

from tpsgd_edge.spec.activations import Activation, activation_problems
from tpsgd_edge.spec.backprop import backprop_problems
from tpsgd_edge.spec.blocks import block_problems, has_passed_error, passed_layers
from tpsgd_edge.spec.branches import branch_problems, unknown_inputs
from tpsgd_edge.spec.detection import detector_problems, finds_anomalies
from tpsgd_edge.spec.four_bits import four_bit_problems
from tpsgd_edge.spec.layers import AdaptorSpec, ConvSpec, DenseSpec
from tpsgd_edge.spec.loss import LABEL_SPACE, LossSpec
from tpsgd_edge.spec.memory import KEEPING
from tpsgd_edge.spec.problems import Problem, raise_problems
from tpsgd_edge.spec.readouts import readout_problems
from tpsgd_edge.spec.scores import carried_loss_problems, scores_problems
from tpsgd_edge.spec.sections import ProjectionKind, Spec
from tpsgd_edge.spec.walks import walk_problems
from tpsgd_edge.spec.weighted import LayerFormat, WeightedSpec

LabelsKind = Literal["class", "vector"]

# Losses that compare probabilities of classes.
_CLASSES_ONLY = ("projected_cross_entropy", "softmax_cross_entropy")
_DEFAULT_HIDDEN: dict[LabelsKind, LossSpec] = {
    "class": LossSpec(kind="projected_cross_entropy"),
    "vector": LossSpec(kind="projected_l2"),
}
_DEFAULT_PROTOTYPE = LossSpec(kind="l2")
# A fitted read-out tells the classes apart before training: its answers may be surer.
_DEFAULT_FITTED = LossSpec(kind="projected_cross_entropy", temperature=0.5)
_DEFAULT_GATE = 0.9
_DEFAULT_OUTPUT: dict[LabelsKind, LossSpec] = {
    "class": LossSpec(kind="softmax_cross_entropy"),
    "vector": LossSpec(kind="l2"),
}


def layer_index(spec: Spec, name: str) -> int:
    """The place of a layer in the spec, which also lists layers that the graph has not."""
    return spec.model.names.index(name)


def weighted_layer(spec: Spec, index: int) -> WeightedSpec:
    """Return the layer with weights at this index.

    Raises:
        TypeError: the layer at this index has no weights.
    """
    layer = spec.model.layers[index]
    if layer.weighted is None:
        raise TypeError(f"layer {index} of the spec has no weights: {layer.kind}")
    return layer.weighted


def layer_loss(spec: Spec, index: int, labels_kind: LabelsKind) -> LossSpec:
    """The loss of a layer: its own, or the rule's, or the best measured for its targets."""
    if layer_projection(spec, index, labels_kind) == "prototype":
        return _asked_loss(spec, index) or _DEFAULT_PROTOTYPE
    return first_loss(spec, index, labels_kind)


def first_loss(spec: Spec, index: int, labels_kind: LabelsKind) -> LossSpec:
    """The loss of a layer of a net that starts from nothing, as in pre-training."""
    asked = _asked_loss(spec, index)
    if asked is not None:
        return asked
    if is_last(spec, index):
        return _DEFAULT_OUTPUT[labels_kind]
    is_fitted = labels_kind == "class" and first_projection(spec, index, labels_kind) == "fitted"
    return _DEFAULT_FITTED if is_fitted else _DEFAULT_HIDDEN[labels_kind]


def layer_projection(spec: Spec, index: int, labels_kind: LabelsKind) -> ProjectionKind:
    """Kind of a hidden layer's projection: its own, or that of [projection].

    Where neither says it, a net that backpropagation trained keeps what it knows: its targets are
    prototypes, unless the loss asks for others (docs/RESULTS.md). Label vectors have none.
    """
    own, kind = weighted_layer(spec, index).projection, spec.projection.kind
    if is_last(spec, index) or has_passed_error(spec, index) or spec.rule.kind == "backprop":
        return spec.projection.random_kind  # nobody uses it
    if own == "prototype" or (own is None and kind == "prototype"):
        return "prototype"
    if kind == "learned":
        return "learned"
    asked = _asked_loss(spec, index)
    is_open = own is None and kind is None and (asked is None or asked.kind not in LABEL_SPACE)
    if is_open and labels_kind == "class" and _has_meaning(spec):
        return "prototype"
    return first_projection(spec, index, labels_kind)


def first_projection(spec: Spec, index: int, labels_kind: LabelsKind) -> ProjectionKind:
    """Kind of a hidden layer's projection in a net that starts from nothing: fitted, or random.

    It is also what projections that learn are at first.
    Where nothing is said, they are fitted if the net has convolutions that learn: a random read-out
    of a few filters cannot tell the classes apart (docs/RESULTS.md).
    """
    own, kind = weighted_layer(spec, index).projection, spec.projection.kind
    if own == "fitted" or (own is None and kind == "fitted"):
        return "fitted"
    if has_passed_error(spec, index):
        return spec.projection.random_kind  # nobody uses it
    asked, model = _asked_loss(spec, index), spec.model
    is_open = kind is None and "storage" not in spec.projection.model_fields_set
    is_open = own is None and (is_open or kind == "learned")
    in_label_space = asked is None or asked.kind in LABEL_SPACE
    learns_filters = any(isinstance(layer, ConvSpec) and layer.train for layer in model.layers)
    can_be = not is_recurrent(spec) and model.extra_classes == 0 and labels_kind == "class"
    if is_open and in_label_space and learns_filters and can_be and not is_last(spec, index):
        return "fitted"
    return spec.projection.random_kind


def error_gate(spec: Spec, labels_kind: LabelsKind) -> float | None:
    """Hidden layers learn where the class gets less than this probability; None: everywhere.

    Where nothing is said, classifiers of dense layers that start from nothing have a gate: steps
    cost less, and accuracy gains. Convolutions lose by it (docs/RESULTS.md). In f32 it would take
    more RAM than is promised.
    """
    if "error_gate" in spec.rule.model_fields_set:
        return spec.rule.error_gate
    model = spec.model
    is_dense = all(layer.kind == "dense" for layer in model.layers)
    learns = any(layer.train for layer in model.weighted[:-1])
    is_meant = is_dense and learns and not _has_meaning(spec) and spec.numbers.weights != "f32"
    is_meant = is_meant and not passed_layers(model)
    if spec.rule.kind == "backprop" or not is_meant:
        return None
    output = first_loss(spec, len(model.layers) - 1, labels_kind)
    return _DEFAULT_GATE if output.kind == "softmax_cross_entropy" else None


def is_recurrent(spec: Spec) -> bool:
    """Tell whether the net reads sequences."""
    return bool(spec.model.layers) and spec.model.layers[0].kind in KEEPING


def _has_meaning(spec: Spec) -> bool:
    """Tell whether hidden layers start with weights that have learned, but not random targets."""
    model = spec.model
    has_learned = model.pretrain is not None and model.pretrain.method == "backprop"
    return has_learned or model.source is not None or model.weights_file is not None


def layer_activation(spec: Spec, index: int) -> Activation:
    """The activation of a layer: its own, or linear for the last and tanh for the others."""
    return weighted_layer(spec, index).activation or ("linear" if is_last(spec, index) else "tanh")


def layer_weights(spec: Spec, index: int) -> LayerFormat:
    """The weight format of a layer: its own, or that of [numbers]."""
    return weighted_layer(spec, index).weights or spec.numbers.weights


def check_labels_kind(spec: Spec, labels_kind: LabelsKind) -> None:
    """Raise a `SpecError` for every loss that these labels do not allow.

    `load_spec` does it where the spec itself names the task; with task = "auto" only the data tell.
    """
    raise_problems(list(_loss_problems(spec, labels_kind)), source=spec.source)


def spec_problems(spec: Spec) -> list[Problem]:
    """Everything that the sections of a spec, each good by itself, must not ask for together."""
    kinds: dict[str, LabelsKind | None] = {
        "auto": None,
        "classification": "class",
        "regression": "vector",
        "anomaly": "class",
    }
    if not spec.model.layers:
        return []  # they are still to be read from the model's source
    unfinished = [*_last_layer_problems(spec), *unknown_inputs(spec.model)]
    if unfinished:
        return unfinished
    return [
        *detector_problems(spec),
        *_order_problems(spec),
        *walk_problems(spec),
        *branch_problems(spec.model),
        *_training_problems(spec),
        *_format_problems(spec),
        *four_bit_problems(spec),
        *(backprop_problems(spec) if spec.rule.kind == "backprop" else ()),
        *(block_problems(spec) if spec.rule.kind == "tpsgd" else ()),
        *(scores_problems(spec) if spec.rule.scores == "carried" else ()),
        *_loss_problems(spec, kinds[spec.data.task]),
    ]


def is_last(spec: Spec, index: int) -> bool:
    """Tell whether it is the last layer."""
    return index == len(spec.model.layers) - 1


def _asked_loss(spec: Spec, index: int) -> LossSpec | None:
    own = weighted_layer(spec, index).loss
    return own or (spec.rule.output_loss if is_last(spec, index) else spec.rule.loss)


def _loss_place(spec: Spec, index: int) -> str:
    layer = weighted_layer(spec, index)
    key = "output_loss" if is_last(spec, index) else "loss"
    in_rule = layer.loss is None and getattr(spec.rule, key) is not None
    return (
        f"[rule], {key}, for layer '{layer.name}'" if in_rule else f"[model], layer '{layer.name}'"
    )


def _last_layer_problems(spec: Spec) -> Iterator[Problem]:
    last = spec.model.layers[-1]
    if not isinstance(last, DenseSpec) and not finds_anomalies(spec.model):
        yield Problem(
            "the last layer must be dense: it gives one output for each class or label value",
            where=f"[model], layers[{len(spec.model.layers) - 1}]",
            found=f'kind = "{last.kind}"',
            help='end the layers with { name = "out", units = 10 }',
        )


def _training_problems(spec: Spec) -> Iterator[Problem]:
    layers = [
        (la.name, layer_activation(spec, layer_index(spec, la.name)), la.train)
        for la in spec.model.weighted
    ]
    yield from activation_problems(layers, pretrains=spec.model.pretrain is not None)
    if not any(layer.train for layer in spec.model.weighted):
        yield Problem(
            "no layer of the model trains",
            where="[model]",
            found="train = false in each layer",
            help="leave train = false out where the model should learn",
        )


def _order_problems(spec: Spec) -> Iterator[Problem]:
    adaptors = [layer for layer in spec.model.layers if isinstance(layer, AdaptorSpec)]
    if adaptors and spec.rule.kind == "backprop":
        yield Problem(
            f"backpropagation does not pass through the adaptor '{adaptors[0].name}'",
            where="[rule], kind",
            help='leave the adaptors out, or set kind = "tpsgd"',
        )
    edges, layers = spec.model.edges, spec.model.layers
    for key, layer in zip(spec.model.keys, layers, strict=True):
        before = [layers[place] for place in edges.producers_of(key)]
        others = [other for other in before if not other.is_recurrent]
        if layer.is_recurrent and others:
            yield Problem(
                f"the recurrent layer '{layer.name}' cannot follow a layer that is not recurrent",
                where=f"[model], layer '{layer.name}'",
                found=f'kind = "{others[0].kind}" before it, which makes no sequence of steps',
                help="recurrent layers come first, one behind the other",
            )


def _format_problems(spec: Spec) -> Iterator[Problem]:
    formats = {layer.name: layer.weights or spec.numbers.weights for layer in spec.model.weighted}
    if "f32" in formats.values() and set(formats.values()) != {"f32"}:
        mixed = ", ".join(f"{name} {format_}" for name, format_ in formats.items())
        yield Problem(
            "f32 and integer layers cannot be mixed",
            where="[model] and [numbers]",
            found=mixed,
            help='set numbers.weights = "f32" for the whole model, or "s16" or "s8" here',
        )


def _target_problems(spec: Spec, kind: LabelsKind | None) -> Iterator[Problem]:
    asks = [layer.name for layer in spec.model.weighted if layer.projection == "prototype"]
    where = f"[model], layer '{asks[0]}'" if asks else "[projection], kind"
    if (asks or spec.projection.kind == "prototype") and kind == "vector":
        yield Problem(
            "prototypes are means of classes, but the labels are real values",
            where=where,
            found='projection = "prototype"' if asks else 'kind = "prototype"',
            help='use random targets: kind = "sign"',
        )
    elif (asks or spec.projection.kind == "prototype") and not spec.model.has_first_weights:
        yield Problem(
            "prototypes need a net that has learned something",
            where=where,
            found="initial weights that are drawn from the seed",
            help="give model.source, model.weights_file or [model.pretrain], or use random targets",
        )
    fits = [layer.name for layer in spec.model.weighted if layer.projection == "fitted"]
    if (fits or spec.projection.kind == "fitted") and (
        is_recurrent(spec) or spec.model.extra_classes
    ):
        yield Problem(
            "projections are not fitted to sequences, nor to classes that come later",
            where=f"[model], layer '{fits[0]}'" if fits else "[projection], kind",
            found='projection = "fitted"' if fits else 'kind = "fitted"',
            help='use random targets: kind = "sign"',
        )
    if spec.model.extra_classes and kind == "vector":
        yield Problem(
            "there are no classes to which extra_classes could add",
            where="[model], extra_classes",
            found=f"extra_classes = {spec.model.extra_classes}, and labels of real values",
            help="leave extra_classes out",
        )


def _loss_problems(spec: Spec, kind: LabelsKind | None) -> Iterator[Problem]:
    yield from _target_problems(spec, kind)
    if spec.projection.kind == "learned":
        yield from readout_problems(spec)
    for layer in spec.model.weighted:
        index = layer_index(spec, layer.name)
        if has_passed_error(spec, index) and spec.rule.kind == "tpsgd":
            continue  # It has no loss.
        loss = _asked_loss(spec, index) if kind is None else layer_loss(spec, index, kind)
        if loss is not None:
            yield from _layer_problems(spec, index, loss.kind, kind)
        last = is_last(spec, index)
        if loss is not None and spec.rule.scores == "carried" and (layer.train or last):
            where = _loss_place(spec, index)
            yield from carried_loss_problems(layer.name, loss.kind, is_last=last, where=where)
    yield from _gate_problems(spec, kind)


def _layer_problems(
    spec: Spec, index: int, loss: str, labels_kind: LabelsKind | None
) -> Iterator[Problem]:
    last, activation = is_last(spec, index), layer_activation(spec, index)
    name, where = weighted_layer(spec, index).name, _loss_place(spec, index)
    targets = layer_projection(spec, index, labels_kind or "class")
    learns = weighted_layer(spec, index).train
    if targets == "learned" and not last and learns and loss not in LABEL_SPACE:
        yield Problem(
            f"the loss '{loss}' of layer '{name}' has no read-out that could learn",
            where=where,
            found='[projection], kind = "learned"',
            help='use loss = "projected_cross_entropy" (or "projected_l2"), or a fixed projection',
        )
    elif targets == "prototype" and not last and loss in LABEL_SPACE:
        yield Problem(
            f"the loss '{loss}' of layer '{name}' needs a random projection",
            where=where,
            found='projection = "prototype"',
            help='use loss = "l2" with prototypes, or projection = "random" for this layer',
        )
    elif last and loss in LABEL_SPACE:
        yield Problem(
            f"the last layer '{name}' cannot have the loss '{loss}'",
            where=where,
            found="its target is the label itself, without a projection",
            help='set output_loss = "softmax_cross_entropy" for classes, "l2" for real values',
        )
    elif not last and loss == "softmax_cross_entropy":
        yield Problem(
            f"the hidden layer '{name}' cannot have the loss 'softmax_cross_entropy'",
            where=where,
            help='use loss = "projected_cross_entropy", its kin for hidden layers',
        )
    elif loss in _CLASSES_ONLY and labels_kind == "vector":
        yield Problem(
            f"the loss '{loss}' of layer '{name}' needs classes, but the labels are real values",
            where=where,
            help=f'use "{"l2" if last else "projected_l2"}" for real values',
        )
    elif loss == "softmax_cross_entropy" and activation != "linear":
        yield Problem(
            f"the loss 'softmax_cross_entropy' of layer '{name}' needs the activation 'linear'",
            where=where,
            found=f'activation = "{activation}"',
            help='set activation = "linear", or another output_loss such as "l2"',
        )
    elif loss == "cross_entropy" and activation != "sigmoid":
        yield Problem(
            f"the loss 'cross_entropy' of layer '{name}' needs the activation 'sigmoid'",
            where=where,
            found=f'activation = "{activation}"',
            help='set activation = "sigmoid", or another loss',
        )


def _gate_problems(spec: Spec, kind: LabelsKind | None) -> Iterator[Problem]:
    if spec.rule.error_gate is None:
        return
    last = len(spec.model.layers) - 1
    loss = _asked_loss(spec, last) if kind is None else layer_loss(spec, last, kind)
    if loss is not None and loss.kind != "softmax_cross_entropy":
        yield Problem(
            "an error gate needs the output loss 'softmax_cross_entropy'",
            where="[rule], error_gate",
            found=f"the last layer has the loss '{loss.kind}'",
            help='remove error_gate, or set output_loss = "softmax_cross_entropy"',
        )
