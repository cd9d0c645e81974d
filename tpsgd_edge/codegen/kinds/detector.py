"""Detectors: how odd a sample is, and the threshold that follows the scores."""

from collections.abc import Iterator
from dataclasses import dataclass

from tpsgd_edge.codegen.c import C_TYPES, LIMITS
from tpsgd_edge.codegen.calls import (
    DECAY,
    LABEL,
    Call,
    OperationView,
    arena,
    call,
    draws,
    input_of,
    state,
    struct_of,
    weights,
)
from tpsgd_edge.codegen.kernel_names import forward_suffix, update_suffix
from tpsgd_edge.codegen.kinds.dense import bound_of
from tpsgd_edge.codegen.kinds.kind import KernelFiles, Kind
from tpsgd_edge.codegen.kinds.learning import draw_call, steps_call
from tpsgd_edge.codegen.kinds.unit import Field, LayerView, unit_fields
from tpsgd_edge.quantize.model import QuantizedDetector, QuantizedModel, QuantizedWeighted

# A sum of products of s8 weights and s16 values that stays in 32 bits.
_MOST_IN_S32 = 511


@dataclass(frozen=True, slots=True)
class DetectorKernels:
    """The kernels of a detector.

    Attributes:
        suffix: of `tps_detector_rest_<suffix>`; empty of statistics.
        w, x: C types of weights and inputs; w is empty of statistics.
        acc: C type of sums over the units.
        limits: C prefix of the range of inputs.
        below: bits of an input below Q15.
    """

    suffix: str
    w: str
    x: str
    x_type: str
    acc: str
    limits: str
    below: int

    @property
    def reconstructs(self) -> bool:
        """Tell whether a few units reconstruct the input."""
        return bool(self.suffix)


def detector_kernels(model: QuantizedModel) -> DetectorKernels | None:
    """The kernels that the detector of the model uses; None without one."""
    if not model.detectors:
        return None
    (layer,) = model.detectors
    code = layer.code
    is_narrow = code is not None and code.weight_type == "s8" and code.n_out <= _MOST_IN_S32
    return DetectorKernels(
        suffix="" if code is None else update_suffix(code),
        w="" if code is None else C_TYPES[code.weight_type],
        x=C_TYPES[layer.x_type],
        x_type=layer.x_type,
        acc="int32_t" if is_narrow else "int64_t",
        limits=LIMITS[layer.x_type],
        below=8 if layer.x_type == "s8" else 0,
    )


def _struct(model: QuantizedModel, layer: QuantizedDetector) -> LayerView:
    units = () if layer.code is None else (("code", unit_fields(model, layer.code)),)
    return LayerView(layer.name, "tps_detector", tuple(_fields(layer)), units=units)


def _fields(layer: QuantizedDetector) -> Iterator[Field]:
    yield "n_in", layer.n_in
    if layer.back is not None:
        yield "back_mult", layer.back.mult
        yield "back_shift", layer.back.shift
    yield "mean_mult", layer.mean.mult
    yield "mean_shift", layer.mean.shift
    yield "up", layer.up
    yield "down", layer.down


def _words(layer: QuantizedDetector) -> str:
    weight_type = "" if layer.code is None else layer.code.weight_type
    return f"{weight_type:<7}  {'':<10}  {layer.method}"


def _facts(layer: QuantizedDetector) -> dict[str, object]:
    return {
        "method": layer.method,
        "units": 0 if layer.code is None else layer.code.n_out,
        "weights": None if layer.code is None else layer.code.weight_type,
        "weight_scale": None if layer.code is None else layer.code.numbers.weight_scale,
        "output_scale": layer.y_scale,
    }


def _forward(model: QuantizedModel, layer: QuantizedDetector) -> OperationView:
    x, y, t = input_of(model, layer), arena(layer, "y"), state(layer, "t")
    this, code = struct_of(layer), layer.code
    comment = f"{layer.name}: {layer.n_in} -> threshold and score, {layer.about}"
    if code is None:
        tensors = (state(layer, "m"), state(layer, "v"), t)
        return OperationView(
            comment, (call(f"tps_detector_odd_{layer.x_type}", this, x, *tensors, y),)
        )
    h, rest, w = arena(layer, "h"), arena(layer, "p"), weights(code)
    calls = (
        call(f"tps_dense_forward_{forward_suffix(code)}", struct_of(layer, "code"), *w, x, h),
        call(f"tps_detector_rest_{update_suffix(code)}", this, w[0], h, x, rest),
        call(f"tps_detector_score_{layer.x_type}", this, rest, t, y),
    )
    return OperationView(comment + bound_of(code), calls)


def _learn(model: QuantizedModel, layer: QuantizedDetector) -> OperationView:
    comment = f"{layer.name} learns: {layer.method}, if the sample is normal"
    return OperationView(comment, tuple(_learning_calls(model, layer)))


def _learning_calls(model: QuantizedModel, layer: QuantizedDetector) -> Iterator[Call]:
    this, t, code = struct_of(layer), state(layer, "t"), layer.code
    if code is None:
        tensors = (state(layer, "m"), state(layer, "v"), t)
        x = input_of(model, layer)
        yield call(f"tps_detector_follow_{layer.x_type}", this, x, LABEL, DECAY, *tensors)
    else:
        yield from _code_calls(layer, code)
    yield call("tps_detector_learn_threshold", this, arena(layer, "y"), LABEL, DECAY, t)


def _code_calls(layer: QuantizedDetector, code: QuantizedWeighted) -> Iterator[Call]:
    unit, h = struct_of(layer, "code"), arena(layer, "h")
    yield call("tps_detector_errors", struct_of(layer), LABEL, h)
    yield steps_call(code, unit, h)
    function = f"tps_dense_update_{update_suffix(code)}"
    yield call(function, unit, *weights(code), arena(layer, "p"), h, *draws(code))


def _draw(layer: QuantizedWeighted, seed: int) -> Call:
    return draw_call("tps_dense_init", layer, struct_of(layer, "code"), seed)


DETECTOR = Kind(
    files=KernelFiles("detector", detector_kernels),
    struct=_struct,
    words=_words,
    facts=_facts,
    forward=_forward,
    learn=_learn,
    draw=_draw,
)
