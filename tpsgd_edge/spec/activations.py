"""The activations that a spec can name, what goes with each, and which of them cannot learn."""

from collections.abc import Iterable, Iterator
from typing import Literal

from tpsgd_edge.spec.problems import Problem

Activation = Literal[
    "tanh",
    "sigmoid",
    "relu",
    "relu6",
    "leaky_relu",
    "hard_tanh",
    "linear",
    "elu",
    "celu",
    "selu",
    "softplus",
    "hard_sigmoid",
    "gelu",
    "gelu_tanh",
    "silu",
    "hard_swish",
]

# Keys of a layer, and the activations that they go with.
_SETTINGS = {
    "negative_slope": ("leaky_relu",),
    "alpha": ("elu", "celu", "hard_sigmoid"),
    "beta": ("hard_sigmoid",),
}
# They fall before they rise: two z have one y, and so no f'(z) follows from y.
NOT_MONOTONE = ("gelu", "gelu_tanh", "silu", "hard_swish")


def check_settings(keys: Iterable[str], activation: str | None) -> None:
    """Check that each key goes with the layer's activation.

    Raises:
        ValueError: a key belongs to other activations.
    """
    for key, activations in _SETTINGS.items():
        if key in keys and activation not in activations:
            which = " or ".join(f'"{name}"' for name in activations)
            raise ValueError(f"{key!r} goes with activation = {which}")


def activation_problems(
    layers: Iterable[tuple[str, str, bool]], *, pretrains: bool
) -> Iterator[Problem]:
    """Find layers that shall learn although their activations cannot.

    Args:
        layers: name, activation and whether it trains on the device, of each layer with weights.
        pretrains: whether the net is trained before the device has it.
    """
    for name, activation, trains in layers:
        if activation in NOT_MONOTONE and (trains or pretrains):
            when = "learn" if trains else "be pre-trained"
            yield Problem(
                f"layer '{name}' cannot {when} with activation = \"{activation}\"",
                where=f"[model], layer '{name}'",
                found=f"{activation} falls before it rises: its slope does not follow from its "
                "output, which is all that a layer keeps",
                help="set train = false for this layer and give it the weights of a trained net "
                "(a model.source does both), or take elu, softplus, relu or leaky_relu: they learn",
            )
