"""A run of the reference, digested step by step (docs/ARITHMETIC.md, section 13)."""

import zlib
from collections.abc import Mapping

import numpy as np

from tpsgd_edge.arithmetic.types import Array
from tpsgd_edge.memory.state import digest_order
from tpsgd_edge.quantize.model import QuantizedModel
from tpsgd_edge.reference.reference import Reference
from tpsgd_edge.trace import Trace


def trace(
    model: QuantizedModel, x: Array, labels: Array, *, reference: Reference | None = None
) -> Trace:
    """Train on each sample in turn; digests after each of them.

    Args:
        reference: where to go on; without it training starts from the initial weights.
        x: samples, shape (samples, n_in), in the model's value type.
        labels: class indices, shape (samples,), or label vectors, shape (samples, K); where each
            step of a sequence has a label, (samples, T) or (samples, T, K).
    """
    reference = reference or Reference(model)
    names = (*digest_order(model), "output")
    digests = np.zeros((len(x), len(names)), np.uint32)
    current = _digests(reference.state())
    output: Array | None = None
    for step, (sample, label) in enumerate(zip(x, labels, strict=True)):
        output = reference.train_step(sample, label)
        current |= _digests(_touched(reference)) | _digests({"output": output})
        digests[step] = [current[name] for name in names]
    final = reference.state()
    if output is not None:
        final["output"] = output
    return Trace(names, digests, final)


def _touched(reference: Reference) -> dict[str, Array]:
    """The tensors that may differ from the step before; the digests of the others hold on."""
    tensors = reference.counters() | reference.kept_samples()
    for index in reference.changed:
        tensors |= reference.layer_tensors(index)
    return tensors


def _digests(tensors: Mapping[str, Array]) -> dict[str, int]:
    return {name: zlib.crc32(_little_endian(tensor).data) for name, tensor in tensors.items()}


def _little_endian(tensor: Array) -> Array:
    return tensor.astype(tensor.dtype.newbyteorder("<"), order="C", copy=False)
