"""The way through, stage by stage. Read this file first.

spec -> data set -> graph -> quantized model -> memory plan -> C project -> binary -> trace
                             quantized model -> reference ----------------> trace -> verdict
"""

import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from tpsgd_edge.errors import OutputError, SpecError
from tpsgd_edge.files import check_output, write_whole
from tpsgd_edge.frontend.inputs import input_files
from tpsgd_edge.reports.built import budget_check, build_result, check_built
from tpsgd_edge.reports.costs import formats_of
from tpsgd_edge.reports.results import (
    BuildResult,
    ExportResult,
    QuantizationResult,
    ReportResult,
    SimulateResult,
    VerifyResult,
)
from tpsgd_edge.spec import DEFAULT_RATE, Spec
from tpsgd_edge.stages.boards import compile_board, place_of
from tpsgd_edge.stages.firmware import Firmware, check_binary, inspect_firmware
from tpsgd_edge.stages.preparation import (
    Prepared,
    compile_predicting,
    prepare,
    render_project,
    scratch_project,
)
from tpsgd_edge.toolchain.folder import write_project

# What one verb alone needs it imports itself: the others start sooner.
if TYPE_CHECKING:
    from tpsgd_edge.frontend.order import Order
    from tpsgd_edge.memory.dump import State
    from tpsgd_edge.reports.adaptation import AdaptResult
    from tpsgd_edge.stages.training import Progress
    from tpsgd_edge.stages.widget import Widget
    from tpsgd_edge.toolchain.build import Binary
    from tpsgd_edge.toolchain.open_device import Emulator


def build(
    spec: Spec,
    *,
    out: Path | None = None,
    compile: bool = True,  # noqa: A002 - the word that users type
    costs: bool = False,
) -> BuildResult:
    """Render the C project into a folder, compile it, measure it against the budget.

    Args:
        out: the folder; build/NAME-PLATFORM where not given.
        compile: False stops when the project is written.
        costs: measure what calls take at most, and write it as NAME_costs.h.

    Raises:
        TpsgdError: the spec or data are at fault, a tool is missing, the budget is exceeded, or the
            code fails its self-test where this computer or an emulator can run it.
    """
    if costs and not compile:
        raise SpecError(
            "costs are measured on compiled code",
            found="a build that does not compile",
            help="leave out --no-compile, or --costs",
        )
    prepared = prepare(spec)
    project = render_project(prepared)
    firmware, measured, built = None, None, {}
    if compile:
        # In a folder of its own first: what exceeds the budget is not written at all.
        with scratch_project(project) as folder:
            check = budget_check(prepared)
            firmware = inspect_firmware(prepared, project, folder, check)
            if firmware.sizes is not None:
                check(firmware.sizes)
            check_binary(prepared, firmware.binary)
            if costs:
                from tpsgd_edge.stages.costs import measure_costs, project_with_costs

                measured = measure_costs(prepared, project, folder, firmware.binary)
                project = project_with_costs(project, firmware.binary, measured)
            binary = (compile_board(prepared.spec, project, folder) or firmware.binary).path
            built = {f"build/{spec.name}{binary.suffix}": binary.read_bytes()}
    folder = out or Path("build") / f"{spec.name}-{place_of(prepared.spec)}"
    result = build_result(prepared, project, folder, firmware, measured)
    write_project(project.files, folder, built=built)
    return result


def verify(
    spec: Spec,
    *,
    steps: int | None = None,
    emulator: "Emulator | None" = None,
    weights_in: Path | None = None,
    model_id: int | None = None,
    progress: "Progress | None" = None,
) -> VerifyResult:
    """Train reference and device side by side and compare every tensor after every step.

    On the way both answer by every public function, firmware that only predicts too.

    Args:
        steps: training steps; 1,000 where not given, or as many as the spec trains for.
        weights_in, model_id: the state to begin with, as for `export`.

    Raises:
        TpsgdError: the spec or data are at fault, or a tool is missing. A mismatch is no error.
    """
    from tpsgd_edge.stages.bounds import steps_to_compare

    prepared = prepare(spec)
    begin = _state_in(prepared, weights_in, model_id)
    project = render_project(prepared)
    count = steps_to_compare(prepared, steps)
    with scratch_project(project) as folder:
        firmware = inspect_firmware(prepared, project, folder)
        predicting = compile_predicting(prepared, project, folder)
        result = _verify(
            prepared, firmware, predicting, count, emulator, progress or _silent, begin
        )
    return replace(result, weights=weights_in)


def simulate(
    spec: Spec,
    *,
    epochs: int | None = None,
    order: "Order" = "shuffled",
    weights_out: Path | None = None,
    weights_in: Path | None = None,
    model_id: int | None = None,
    progress: "Progress | None" = None,
) -> SimulateResult:
    """Train on this computer with the generated code, for whole epochs.

    Args:
        epochs: those of the spec where not given.
        order: in which the samples come: shuffled, as recorded, sorted by class, or the classes one
            after the other, which is one pass.
        weights_out: where to write the trained state struct, as a debugger dumps it from a board.
        weights_in, model_id: the state to begin with, as for `export`.

    Raises:
        TpsgdError: the spec or data are at fault, or there is no compiler.
    """
    from tpsgd_edge.reports.simulated import simulated, with_passes

    if weights_out is not None:
        check_output(weights_out, "the state", inputs=input_files(spec))
    spec, epochs = with_passes(spec, order, epochs)
    prepared = prepare(spec)
    begin, count = _state_in(prepared, weights_in, model_id), epochs or prepared.spec.rule.passes
    tell = progress or _silent
    return simulated(prepared, count, tell, weights_out, begin, order=order)


def export(
    spec: Spec,
    *,
    weights: Path,
    onnx: Path | None = None,
    tflite: Path | None = None,
    crc: int | None = None,
    model_id: int | None = None,
    scaled_input: bool = False,
) -> ExportResult:
    """Write a trained net as an ONNX or TensorFlow Lite file in floating point.

    Args:
        weights: the raw bytes of the state struct, from a device or from `simulate`; or a
            checkpoint, or a copy of the storage that a device keeps them in.
        onnx: the file; NAME.onnx where neither is given.
        tflite: a TensorFlow Lite file instead.
        crc: what NAME_digest() gave on the device, to be compared.
        model_id: NAME_MODEL_ID of the firmware, to be compared.
        scaled_input: leave out what `data.scaling` does to samples.

    Raises:
        TpsgdError: the spec is at fault, the weights are no state of its model, or the package onnx
            is missing.
    """
    from tpsgd_edge.frontend.exports.onnx_net import ONNX_MARK, sample_lengths
    from tpsgd_edge.frontend.tflite.export import TFLITE_MARK
    from tpsgd_edge.memory import digest_order
    from tpsgd_edge.stages.export import onnx_of, read_state, tflite_of
    from tpsgd_edge.trace import digest

    path = tflite or onnx or Path(f"{spec.name}.onnx")
    if tflite and onnx:
        raise OutputError(
            "one file is written at a time", where="--onnx, --tflite", help="name one"
        )
    what = f"the {'TensorFlow Lite' if tflite else 'ONNX'} file"
    mark = TFLITE_MARK if tflite else ONNX_MARK
    check_output(path, what, inputs=(*input_files(spec), weights), mark=mark)
    prepared = prepare(spec)
    state, knows_model = read_state(prepared, weights, crc=crc, model=model_id)
    content = (tflite_of if tflite else onnx_of)(prepared, state, scaled_input=scaled_input)
    write_whole(content, path, what=what)
    return ExportResult(
        spec=prepared.spec,
        platform=prepared.platform.name,
        path=path,
        bytes=len(content),
        steps=int(state["step"]),
        crc=digest(state[name] for name in digest_order(prepared.model)),
        input_shape=sample_lengths(prepared.graph),
        formats=formats_of(prepared.model),
        data=prepared.dataset.said,
        knows_model=knows_model,
        kind="tflite" if tflite else "onnx",
    )


def quantization(
    spec: Spec,
    *,
    weights: Path | None = None,
    model_id: int | None = None,
    samples: int = 200,
    progress: "Progress | None" = None,
) -> QuantizationResult:
    """Compare integers with the same net in real numbers, layer by layer and on the test set.

    Args:
        weights: a trained state as for `export`; initial weights where not given.
        model_id: as for `export`.
        samples: test samples that the layers are compared on.

    Raises:
        TpsgdError: the spec, the data or the weights are at fault, or there is no compiler.
    """
    from tpsgd_edge.stages.quantization import compare_scores, layer_errors
    from tpsgd_edge.stages.running import on_host
    from tpsgd_edge.stages.training import metric_of

    prepared = prepare(spec)
    state = _state_in(prepared, weights, model_id)
    layers = layer_errors(prepared, state, samples, progress or _silent)
    with on_host(prepared) as device:
        scores = compare_scores(device, prepared, state)
    return QuantizationResult(
        spec=prepared.spec,
        platform=prepared.platform.name,
        metric=metric_of(prepared.model),
        layers=layers,
        real=scores.real,
        integers=scores.integers,
        agreement=scores.agreement,
        samples=min(samples, len(prepared.dataset.x_test)),
        formats=formats_of(prepared.model),
        data=prepared.dataset.said,
        is_trained=spec.model.has_first_weights or (state is not None and int(state["step"]) > 0),
    )


def report(
    spec: Spec,
    *,
    out: Path | None = None,
    steps: int | None = None,
    epochs: int | None = None,
    emulator: "Emulator | None" = None,
    widget: bool = True,
    progress: "Progress | None" = None,
) -> ReportResult:
    """Build, verify and simulate, and write one HTML file about it.

    Args:
        out: the file; NAME-PLATFORM.html where not given.
        steps: as for `verify`; where not given, the whole training if it is small, else 1,000.
        widget: whether the model itself runs in the page, in WebAssembly.
    """
    from tpsgd_edge.reports.html import REPORT_MARK, write_html
    from tpsgd_edge.reports.simulated import simulated
    from tpsgd_edge.stages.bounds import steps_to_compare
    from tpsgd_edge.stages.widget import widget_of

    path = out or Path(f"{spec.name}-{spec.platform.name}.html")
    check_output(path, "the report", inputs=input_files(spec), mark=REPORT_MARK)
    tell = progress or _silent
    prepared = prepare(spec)
    project = render_project(prepared)
    count = steps_to_compare(prepared, steps, whole_training=True)
    with scratch_project(project) as folder:
        firmware = inspect_firmware(prepared, project, folder, budget_check(prepared))
        built = replace(build_result(prepared, project, folder, firmware), folder=None)
        check_built(built)
        predicting = compile_predicting(prepared, project, folder)
        verified = _verify(prepared, firmware, predicting, count, emulator, tell)
    # After a mismatch the report is made all the same: it says so.
    trained = simulated(
        prepared, epochs or prepared.spec.rule.passes, tell, check=verified.is_equal
    )
    trained = replace(
        trained,
        sizes=built.sizes,
        instructions_per_step=verified.instructions_per_step,
        instructions_per_inference=verified.instructions_per_inference,
    )
    live: Widget | str = ""
    if widget and verified.is_equal:
        live = widget_of(prepared, project, trained.state, trained.epochs)
    result = ReportResult(built, verified, trained, widget=live)
    return replace(result, html=write_html(result, path))


def adapt(
    spec: Spec,
    *,
    rates: Sequence[float] | None = None,
    folds: int = 3,
    out: Path | None = None,
    progress: "Progress | None" = None,
) -> "AdaptResult":
    """Try which layers of a trained net learn best from a few samples, towards what, how fast.

    Args:
        rates: learning rates; 0.3, 1 and 3 times the spec's where not given.
        folds: each sample is left out once, by parts of 1 / folds.
        out: where the best strategy is written, as sections of a spec.

    Raises:
        TpsgdError: the net has not learned before; the spec, the data or a compiler are at fault.
    """
    from tpsgd_edge.reports.adaptation import AdaptResult
    from tpsgd_edge.stages.adapting import try_strategies

    if out is not None:
        check_output(out, "the best strategy", inputs=input_files(spec))
    tried = rates or [factor * (spec.rule.learning_rate or DEFAULT_RATE) for factor in (0.3, 1, 3)]
    result = AdaptResult(try_strategies(spec, tried, folds, progress or _silent))
    if out is not None:
        write_whole(result.fragment.encode(), out, what="the best strategy")
    return result


def _silent(stage: str, done: int, total: int) -> None:
    """Progress that nobody watches."""


def _verify(
    prepared: Prepared,
    firmware: Firmware,
    predicting: "Binary",
    steps: int,
    emulator: "Emulator | None",
    progress: "Progress",
    begin: "State | None" = None,
) -> VerifyResult:
    from tpsgd_edge.stages.facts import data_doubts
    from tpsgd_edge.stages.proof import emulator_of_proof, prove_all
    from tpsgd_edge.toolchain.open_device import emulator_title

    counts, binaries = firmware.counts, (firmware.binary, predicting)
    start = time.perf_counter()
    way = emulator or emulator_of_proof(prepared, steps)
    verdict = prove_all(binaries, prepared, steps, progress, emulator=way or "auto", begin=begin)
    return VerifyResult(
        spec=prepared.spec,
        platform=prepared.platform.name,
        verdict=verdict,
        steps=verdict.steps,
        seconds=time.perf_counter() - start,
        emulator=None if prepared.platform.is_host or way is None else emulator_title(way),
        formats=formats_of(prepared.model),
        instructions_per_step=counts.step.per_run if counts and counts.step else None,
        instructions_per_inference=counts.inference.per_run if counts else None,
        cycles_per_step=counts.step.cycles_per_run if counts and counts.step else None,
        cycles_per_inference=counts.inference.cycles_per_run if counts else None,
        data=prepared.dataset.said,
        warnings=data_doubts(prepared),
    )


def _state_in(prepared: Prepared, weights: Path | None, model_id: int | None) -> "State | None":
    if weights is None:
        return None
    from tpsgd_edge.stages.export import read_state

    return read_state(prepared, weights, model=model_id)[0]
