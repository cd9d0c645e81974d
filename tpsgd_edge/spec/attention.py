"""Attention is there to be compared: what makes code for devices refuses it."""

from tpsgd_edge.errors import SpecError
from tpsgd_edge.spec.sections import Spec
from tpsgd_edge.spec.weightless import ATTENTION


def check_device_can(spec: Spec) -> None:
    """Check that a device could have the layers of a spec.

    Raises:
        SpecError: there is attention among them.
    """
    pairs = zip(spec.model.keys, spec.model.layers, strict=True)
    name = next((key for key, layer in pairs if layer.kind == ATTENTION), None)
    if name is not None:
        raise SpecError(
            f"layer '{name}' is in floating point only: no device can have it",
            where=f"{spec.source}, [model], layer '{name}'",
            found=f'kind = "{ATTENTION}"',
            help="tpsgd-edge compare trains it; for a device take a memory and dense layers, or "
            "conv1d, which learn more in less RAM (docs/results/attention.md)",
        )
