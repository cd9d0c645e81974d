"""Learning of a layer, as the spec says it or leaves it to the kind of the labels."""

from tpsgd_edge.graph import Learning
from tpsgd_edge.spec import (
    LabelsKind,
    Spec,
    first_loss,
    first_projection,
    has_passed_error,
    is_rate_open,
    layer_learning_rate,
    layer_loss,
    layer_projection,
    layer_weights,
    weighted_layer,
)


def learning_of(spec: Spec, index: int, labels: LabelsKind) -> Learning:
    """Loss, targets, rate and number format of a layer with weights.

    Args:
        index: place of the layer in the spec.
    """
    own = weighted_layer(spec, index)
    return Learning(
        loss=layer_loss(spec, index, labels),
        projection=layer_projection(spec, index, labels),
        first_loss=first_loss(spec, index, labels),
        first_projection=first_projection(spec, index, labels),
        rate=layer_learning_rate(spec, index),
        is_rate_open=is_rate_open(spec, index),
        dead_zone=spec.rule.dead_zone,
        trainable=own.train,
        is_passed=has_passed_error(spec, index),
        weights=layer_weights(spec, index),
        weight_range=own.weight_range,
    )
