"""The handful of numbers that matter, in words, for the terminal, Markdown and HTML."""

from dataclasses import dataclass

from tpsgd_edge.reports.results import BuildResult, ReportResult, SimulateResult, VerifyResult
from tpsgd_edge.reports.text import (
    UNKNOWN,
    bytes_text,
    clock_text,
    count_text,
    metric_name,
    metric_text,
    number_text,
    of_budget,
    percent_text,
    plural,
    short_bytes,
)
from tpsgd_edge.toolchain.board import board_of

# Many microcontrollers run at it; energy is told as time there.
_COMMON_CLOCK = 64_000_000


@dataclass(frozen=True, slots=True)
class Line:
    """One number: what it is called, the number at a glance, and what stands behind it."""

    name: str
    value: str
    detail: str


def summary(result: ReportResult) -> tuple[Line, ...]:
    """Accuracy, memory, work and verdict of a whole run."""
    return (
        accuracy_line(result.simulate),
        *detection_lines(result.simulate),
        *memory_lines(result.build),
        *instruction_lines(result.verify),
        verdict_line(result.verify),
    )


def accuracy_line(result: SimulateResult) -> Line:
    """The metric before and after training."""
    before = metric_text(result.metric, result.accuracy_before)
    after = metric_text(result.metric, result.accuracy_after)
    baselines = (
        f"{name} {metric_text(result.metric, value)}" for name, value in result.baselines.items()
    )
    source_domain = [metric_text(result.metric, value) for value in result.source_domain]
    there = [f"where the net comes from {' → '.join(source_domain)}"] if source_domain else []
    detail = "; ".join((f"test set, {plural(result.epochs, 'epoch')}", *there, *baselines))
    return Line(metric_name(result.metric), f"{before} → {after}", detail)


def detection_lines(result: SimulateResult) -> tuple[Line, ...]:
    """Lines about a detector's threshold; empty of other nets."""
    found = result.detection
    if found is None:
        return ()
    alarms, share = (_share(value) for value in (found.false_alarms, found.found))
    detail = f"of the normal samples ({100 * found.asked:g} % asked for); found: {share}"
    return (Line("False alarms", alarms, f"{detail} of the anomalies"),)


def _share(value: float | None) -> str:
    return UNKNOWN if value is None else percent_text(value, 1)


def planned_ram_line(result: SimulateResult) -> tuple[Line, ...]:
    """RAM of the model against the budget, which training on this computer does not heed."""
    used, budget = result.planned_ram, result.spec.platform.ram_bytes
    if used is None:
        return ()
    detail = "weights and arena; stack and flash: tpsgd-edge build"
    if budget is not None:
        detail = f"{of_budget(used, budget)}: {detail}"
    if budget is not None and used > budget:
        detail = f"over the budget of {short_bytes(budget)}, which a build will not exceed"
    return (Line("RAM", bytes_text(used), detail),)


def memory_lines(result: BuildResult) -> tuple[Line, ...]:
    """RAM, stack and flash; empty where nothing was compiled."""
    sizes, budget = result.sizes, result.budget
    if sizes is None:
        return ()
    stack = sizes.ram.stack or None
    return (
        Line("RAM", short_bytes(sizes.ram.total), of_budget(sizes.ram.total, budget.ram)),
        Line(
            "Stack",
            UNKNOWN if stack is None else short_bytes(stack),
            "not measured" if stack is None else f"{bytes_text(stack)} measured, part of RAM",
        ),
        Line("Flash", short_bytes(sizes.flash.total), of_budget(sizes.flash.total, budget.flash)),
    )


def instruction_lines(result: VerifyResult) -> tuple[Line, ...]:
    """Instructions of one training step and of one inference; empty where they were not counted."""
    step, inference = result.instructions_per_step, result.instructions_per_inference
    if step is None:
        return ()
    if not inference:
        return (Line("Instructions a step", count_text(step), "one training step"),)
    detail = f"training; {step / inference:.1f} times an inference ({count_text(inference)})"
    lines = (*_cycle_lines(result), _energy_line(result, step, inference), *_time_lines(result))
    return (Line("Instructions a step", count_text(step), detail), *lines)


def _cycle_lines(result: VerifyResult) -> tuple[Line, ...]:
    """Cycles, of cores whose timings are known."""
    step, inference = result.cycles_per_step, result.cycles_per_inference
    if step is None or inference is None:
        return ()
    detail = f"an estimate, memory without wait states; an inference about {count_text(inference)}"
    return (Line("Cycles a step", f"about {count_text(step)}", detail),)


def _energy_line(result: VerifyResult, step: int, inference: int) -> Line:
    """The energy that learning from a sample takes, in inferences, and its time at a common clock.

    At one clock and voltage energy goes with cycles; where they are not known, an instruction takes
    one.
    """
    cycles, of_inference = result.cycles_per_step, result.cycles_per_inference
    if cycles is None or not of_inference:
        cycles, of_inference = step, inference
    time = number_text(1000 * cycles / _COMMON_CLOCK)
    return Line(
        "Energy of a step",
        f"about {cycles / of_inference:.1f} inferences",
        f"an estimate by {'cycles' if result.cycles_per_step else 'instructions'}: "
        f"{time} ms of a core at {clock_text(_COMMON_CLOCK)}",
    )


def _time_lines(result: VerifyResult) -> tuple[Line, ...]:
    """Milliseconds, where the spec names a board with a clock."""
    step = result.milliseconds_per_step
    board = board_of(result.spec)
    if step is None or board is None:
        return ()
    at = f"an estimate for {board.name} at {clock_text(board.clock)}, memory without wait states"
    rate = "" if result.cycles_per_step else ", an instruction a cycle"
    return (Line("Time a step", f"about {number_text(step)} ms", at + rate),)


def verdict_line(result: VerifyResult) -> Line:
    """Tell whether reference and device agree."""
    ran = result.platform if result.emulator is None else f"{result.platform}, {result.emulator}"
    if result.is_equal:
        detail = f"bit for bit, {plural(result.steps, 'training step')} on {ran}"
        return Line("Verdict", "equal", detail)
    return Line("Verdict", "mismatch", f"{result.verdict.place} on {ran}")
