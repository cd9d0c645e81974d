"""Limits of what is compared at once, so that it fits this computer's memory."""

from tpsgd_edge.errors import SpecError
from tpsgd_edge.memory import digest_order
from tpsgd_edge.quantize.model import DTYPES
from tpsgd_edge.stages.preparation import Prepared
from tpsgd_edge.stages.proof import default_steps

# For samples in the model's formats and for digests of both sides, where all steps are compared.
_LARGEST_PROOF = 1 << 32


def steps_to_compare(prepared: Prepared, asked: int | None, *, whole_training: bool = False) -> int:
    """Return the number of steps to compare: `asked`, or else `default_steps`.

    Raises:
        SpecError: more than a computer's memory holds, and how many it does.
    """
    steps = asked or default_steps(prepared, whole_training=whole_training)
    model = prepared.model
    label = model.answers * (1 if model.labels.kind == "class" else model.labels.count)
    tensors = len(digest_order(model)) + 1
    each = model.n_inputs * DTYPES[model.value_type].itemsize + 4 * label + 2 * 4 * tensors
    if steps * each > _LARGEST_PROOF:
        raise SpecError(
            "so many steps cannot be compared at once",
            where="--steps",
            found=f"{steps:,} of {each:,} bytes each",
            help=f"up to {_LARGEST_PROOF // each:,} fit this model",
        )
    return steps
