"""The samples that a device keeps, as tensors of its state (docs/ARITHMETIC.md, section 24)."""

from tpsgd_edge.quantize.model import QuantizedModel

KEPT = "replay"
"""Name of these tensors before the dot. A layer may have it too: its tensors are w, b and p."""


def kept_samples(model: QuantizedModel) -> tuple[tuple[str, str, tuple[int, ...]], ...]:
    """Name, type and shape of each tensor, in the order of the digest; none without a replay."""
    replay, labels = model.replay, model.labels
    if replay is None:
        return ()
    is_class = labels.kind == "class"
    vector_type = "f32" if model.value_type == "f32" else "s16"
    entries = (model.answers if labels.each_step else 1) * (1 if is_class else labels.count)
    label_shape = (replay.size,) if entries == 1 and is_class else (replay.size, entries)
    return (
        (f"{KEPT}.kept", "u32", ()),
        (f"{KEPT}.seen", "u32", (labels.count,) if replay.is_balanced else ()),
        (f"{KEPT}.label", "u16" if is_class else vector_type, label_shape),
        (f"{KEPT}.x", model.value_type, (replay.size, model.n_inputs)),
    )


def is_of_kept_samples(tensor: str) -> bool:
    """Tell whether a tensor of the state belongs to kept samples, and not to a layer."""
    layer, _, role = tensor.rpartition(".")
    return layer == KEPT and role in ("kept", "seen", "label", "x")
