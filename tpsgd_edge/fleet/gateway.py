"""The C project of a fleet's gateway."""

from tpsgd_edge import __version__
from tpsgd_edge.codegen.fleet import FleetView, TensorView, gateway_files
from tpsgd_edge.fleet.shared import Shared
from tpsgd_edge.quantize.model import DTYPES, QuantizedModel


def gateway_of(model: QuantizedModel, shared: Shared) -> dict[str, str]:
    """The files of a gateway for devices with a model, by their names."""
    return gateway_files(gateway_view(model, shared), __version__)


def gateway_view(model: QuantizedModel, shared: Shared) -> FleetView:
    """A model and the values that its devices share, as the C of a gateway has them."""
    tensors = tuple(
        TensorView(
            name=own.name,
            rows=own.rows,
            columns=own.columns,
            low=own.low,
            high=own.high,
            bytes=DTYPES[own.type].itemsize,
        )
        for own in shared.tensors
    )
    return FleetView(model.name, shared.model, model.seed, tensors)
