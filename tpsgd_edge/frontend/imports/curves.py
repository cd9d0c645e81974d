"""Activations that become tables: Elu, Gelu and their like."""

from typing import Any

from tpsgd_edge.arithmetic.activations import FACTS
from tpsgd_edge.frontend.imports.call import Call
from tpsgd_edge.frontend.imports.chain import Chain, activated
from tpsgd_edge.frontend.onnx_activations import CURVES, OPERATORS

# How far constants may lie from those of our activation.
_NEAR = 1e-4


def curve(chain: Chain, call: Call) -> Chain:
    """The chain whose last layer with weights has the activation of the operator."""
    name = CURVES[call.node.op]
    _check_constants(call)
    if call.node.op == "Gelu" and call.text("approximate", "none") == "tanh":
        name = "gelu_tanh"
    settings: dict[str, Any] = {
        key: call.number(key, value) for key, value in (FACTS[name].settings or {}).items()
    }
    check_curve(call, name, settings)
    if not FACTS[name].learns:
        _check_no_pool(chain, call)
        # Its slope does not follow from its output.
        settings["train"] = False
    return activated(chain, call, name, **settings)


def check_curve(call: Call, name: str, settings: dict[str, float]) -> None:
    """Check that an activation of ours can have the settings.

    Raises:
        DataError: alpha or beta is out of its range.
    """
    alpha, beta = settings.get("alpha", 1.0), settings.get("beta", 0.0)
    if not (2**-6 <= alpha <= 16 and abs(beta) <= 16):
        raise call.error(
            f"{call.node.op} has numbers that our {name} cannot have",
            found=", ".join(f"{key} = {value:g}" for key, value in settings.items()),
            help="alpha lies between 1/64 and 16, beta between -16 and 16",
        )


def _check_constants(call: Call) -> None:
    for key, value in (OPERATORS[CURVES[call.node.op]].constants or {}).items():
        if abs(call.number(key, value) - value) > _NEAR:
            raise call.error(
                f"{call.node.op} has other constants than our layers",
                found=f"{key} = {call.number(key, value):g}; ours has {value:.9g}",
                help="use Elu, which has an alpha of its own",
            )


def _check_no_pool(chain: Chain, call: Call) -> None:
    # What is normalized gets a layer of its own that scales it.
    if chain.layers and chain.layers[-1].weights is None and chain.layers[-1].kind != "norm":
        raise call.error(
            f"{call.node.op} stands apart from the layer before it",
            found=f"{chain.layers[-1].kind} between: the largest value before it need not be the "
            "largest behind it",
            help="put the activation directly behind the layer; it may then need training again",
        )
