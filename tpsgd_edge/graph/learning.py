"""Learning of a layer with weights, with everything decided that a spec may leave open."""

from dataclasses import dataclass

from tpsgd_edge.spec import DEFAULT_RATE, LayerFormat, LossSpec, ProjectionKind

_LOSS = LossSpec(kind="projected_cross_entropy")


@dataclass(frozen=True, slots=True)
class Learning:
    """Loss, targets and rate of one layer, and the numbers that its weights are held in.

    The defaults are those of a hidden layer in a classifier whose spec says nothing.

    Attributes:
        loss: local loss; in the last layer, the loss of the net.
        projection: what a hidden layer's targets are.
        first_loss, first_projection: the same of a net that starts from nothing, as in pre-training
            and in comparisons of rules.
        rate: learning rate.
        is_rate_open: whether nobody asks for just this rate, so that the nearest one will do.
        dead_zone: steps of smaller errors than this are 0.
        is_passed: whether its error comes from the layer above: to learn from, or, in a layer that
            does not learn, to pass on (section 26).
        trainable: whether the layer learns on the device.
        weights: format of the weights.
        weight_range: largest weight that the layer must hold; None: from initial weights.
    """

    loss: LossSpec = _LOSS
    projection: ProjectionKind = "sign"
    first_loss: LossSpec = _LOSS
    first_projection: ProjectionKind = "sign"
    rate: float = DEFAULT_RATE
    is_rate_open: bool = True
    dead_zone: float = 0.0
    trainable: bool = True
    is_passed: bool = False
    weights: LayerFormat = "s16"
    weight_range: float | None = None
