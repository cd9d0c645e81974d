"""A raw copy of the state struct, as a debugger or the device itself writes it, read without trust.

The struct has no header, but its `rng` follows from the seed and `step` (docs/ARITHMETIC.md,
section 3), so that 32 bits tell whether the bytes are a state of this very model.
"""

import numpy as np
from numpy.typing import NDArray

from tpsgd_edge.arithmetic.ops import U32_MASK
from tpsgd_edge.arithmetic.random import PHI, Purpose, stream
from tpsgd_edge.errors import DataError
from tpsgd_edge.memory.kept import KEPT
from tpsgd_edge.memory.state import digest_order, state_layout
from tpsgd_edge.quantize.model import FloatNumbers, QuantizedModel, QuantizedWeighted, Replay
from tpsgd_edge.quantize.projection import LARGEST_ENTRY
from tpsgd_edge.quantize.scales import BIAS_BITS
from tpsgd_edge.trace import digest

State = dict[str, NDArray[np.generic]]

_HOW = "dump the struct, sizeof(struct {name}_model) bytes, from a device built from this spec"
# How files begin that debuggers also write, but that are no raw bytes.
_OTHER_KINDS = {b"\x7fELF": "an ELF file", b":": "Intel HEX", b"S0": "Motorola S-records"}


def read_dump(model: QuantizedModel, raw: bytes, *, where: str, crc: int | None = None) -> State:
    """The tensors of the state in a raw copy of the struct, by name.

    Args:
        where: what messages call the dump.
        crc: what NAME_digest() gave on the device, where that is known.

    Raises:
        DataError: another size, a state of another model, values that no device can hold, or
            another CRC.
    """
    layout = state_layout(model)
    how = _HOW.format(name=model.name)
    if len(raw) != layout.size:
        kind = next((k for start, k in _OTHER_KINDS.items() if raw.startswith(start)), None)
        raise DataError(
            "the dump is not as long as the state of this model",
            where=where,
            found=f"{len(raw):,} bytes, expected {layout.size:,}" + (f"; {kind}" if kind else ""),
            help=how,
        )
    state = layout.read(raw)
    _check_counters(model, state, where, how)
    for layer in model.trainable:
        _check_layer(layer, state, where)
    for detector in model.detectors:
        for own in detector.tensors:
            name = f"{detector.name}.{own.role}"
            _check_range(name, state[name], (own.low, own.high), where)
    if model.replay is not None:
        _check_kept(model, model.replay, state, where)
    if crc is not None:
        found = digest(state[name] for name in digest_order(model))
        if found != crc:
            raise DataError(
                "the dump is not what the device computed its digest of",
                where=where,
                found=f"CRC-32 0x{found:08x}, expected 0x{crc:08x}",
                help=f"call {model.name}_digest() and dump while nothing trains",
            )
    return state


def _check_counters(model: QuantizedModel, state: State, where: str, how: str) -> None:
    """`rng` advances with `step`, until that one stands still at its largest value.

    The schedule cannot have begun later than now, and a rate is at most 1.
    """
    rng, step = int(state["rng"]), int(state["step"])
    expected = stream(model.seed, Purpose.TRAINING, 0) + PHI * model.total_units * step
    if step != U32_MASK and rng != expected & U32_MASK:
        raise DataError(
            "the dump is no state of this model",
            where=where,
            found=f"step {step:,} with rng 0x{rng:08x}, expected 0x{expected & U32_MASK:08x}",
            help=f"other bytes, another seed or other layers: {how}",
        )
    start, rate = int(state["start"]), state["rate"].item()
    if start > step or not 0 <= rate <= (1 if state["rate"].dtype.kind == "f" else 2**15):
        raise DataError(
            "the dump holds what the rate and the start of its schedule can never be",
            where=where,
            found=f"step {step:,}, start {start:,}, rate {rate:g}",
            help="the dump is damaged: take it again, while nothing trains",
        )


def _check_range(
    name: str, values: NDArray[np.generic], bounds: tuple[int, int], where: str
) -> None:
    wide = values.astype(np.int64)
    flags = (wide >= bounds[0]) & (wide <= bounds[1])
    _check_flags(name, values, flags, where)


def _check_kept(model: QuantizedModel, replay: Replay, state: State, where: str) -> None:
    """Compare the number of kept samples with those that came, and their values with ranges."""
    kept, seen = int(state[f"{KEPT}.kept"]), int(np.sum(state[f"{KEPT}.seen"], dtype=np.int64))
    good = kept == min(seen, replay.size)
    label, x = state[f"{KEPT}.label"], state[f"{KEPT}.x"]
    if model.labels.kind == "class":
        good = good and int(np.max(label)) < model.labels.count
    numbers = [values for values in (label, x) if values.dtype.kind == "f"]
    if not good or not all((np.abs(values) <= 2.0**20).all() for values in numbers):
        raise DataError(
            "the dump holds kept samples that can never be",
            where=where,
            found=f"{kept:,} kept of {seen:,} that came, the largest label {np.max(label)}",
            help="the dump is damaged: take it again, while nothing trains",
        )


def _check_layer(layer: QuantizedWeighted, state: State, where: str) -> None:
    w, b = state[f"{layer.name}.w"], state[f"{layer.name}.b"]
    if isinstance(layer.numbers, FloatNumbers):
        good = {"w": np.isfinite(w), "b": np.isfinite(b)}
    else:
        limit = 2**layer.numbers.weight_bits
        good = {"w": (w >= -limit) & (w < limit), "b": np.abs(b.astype(np.int64)) <= 2**BIAS_BITS}
    if layer.has_learning_readout:
        good["p"] = np.abs(state[f"{layer.name}.p"].astype(np.float32)) <= LARGEST_ENTRY
    for tensor, flags in good.items():
        _check_flags(f"{layer.name}.{tensor}", state[f"{layer.name}.{tensor}"], flags, where)


def _check_flags(
    name: str, values: NDArray[np.generic], flags: NDArray[np.bool_], where: str
) -> None:
    """Refuse values that no device can hold, whose flags are false."""
    if flags.all():
        return
    at = tuple(int(i) for i in np.argwhere(~flags)[0])
    raise DataError(
        f"the dump holds what '{name}' can never be",
        where=where,
        found=f"{name}{list(at)} = {values[at]}; {int((~flags).sum()):,} such values in all",
        help="the dump is damaged: take it again, while nothing trains",
    )
