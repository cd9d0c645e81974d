"""Windows over a signal, out of which firmware takes the samples of a net."""

from math import prod

from tpsgd_edge.codegen.raw import WindowView, raw_view
from tpsgd_edge.errors import SpecError
from tpsgd_edge.quantize import QuantizedModel
from tpsgd_edge.spec import Spec


def window_of(spec: Spec, model: QuantizedModel, input_shape: tuple[int, ...]) -> WindowView | None:
    """The window that `firmware.hop` asks for; None without it.

    Args:
        input_shape: of a sample: the first axis that is longer than 1 are its timesteps.

    Raises:
        SpecError: the net reads timesteps by itself, no sample has so many, or they are scaled
            each in its own way.
    """
    hop = spec.firmware.hop
    if hop is None:
        return None
    where = "[firmware], hop"
    if model.recurrent:
        raise SpecError(
            "a net with recurrent layers needs no window",
            where=where,
            help=f"leave hop out: {spec.name}_step_raw takes the timesteps as they come",
        )
    axis = next((i for i, length in enumerate(input_shape) if length > 1), 0)
    rows, row_in = input_shape[axis], prod(input_shape[axis + 1 :])
    if hop > rows:
        raise SpecError(
            "a hop is longer than a window, so samples of the signal would be left out",
            where=where,
            found=f"hop = {hop}; a sample has {rows} timesteps",
            help=f"set hop = {rows}, or less where windows are to overlap",
        )
    if row_in % len(raw_view(model, None).x.rows):
        raise SpecError(
            "each timestep of a window is scaled in its own way",
            where=where,
            found=f'data.scaling = "{spec.data.scaling}"',
            help='set data.scaling = "standard_channels"',
        )
    return WindowView(rows, row_in, hop)
