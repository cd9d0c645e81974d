"""Results of a run that never took place, for what prints them."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from tpsgd_edge.memory.plan import Buffer
from tpsgd_edge.reports.curve import CurvePoint
from tpsgd_edge.reports.results import (
    Budget,
    BuildResult,
    LayerCost,
    ReportResult,
    SimulateResult,
    VerifyResult,
)
from tpsgd_edge.spec import Spec, spec_from_dict
from tpsgd_edge.toolchain.sizes import Flash, Ram, Sizes
from tpsgd_edge.verdict import ValueDifference, Verdict

PLATFORM = "cortex-m4f"
FORMATS = {"fc1": "s16 weights, s8 activations", "out": "s16 weights, s16 outputs"}
SIZES = Sizes(Ram(5000, 220, 416), Flash(4212, 1460), port_ram=1200, port_flash=900)
EQUAL = Verdict("equal", 500, steps_expected=500, steps_actual=500)
MISMATCH = Verdict("mismatch", 17, 17, "fc1.w", ValueDifference((3, 11), -42, -41, 9), 17, 17)


def make_spec(name: str = "digits", source: str = "digits.toml") -> Spec:
    """A spec of two layers."""
    layers = [{"name": "fc1", "units": 48}, {"name": "out", "units": 3}]
    content = {
        "name": name,
        "model": {"layers": layers},
        "data": {"file": "digits.npz"},
        "platform": {"name": PLATFORM},
    }
    return spec_from_dict(content, source=source)


def build_result() -> BuildResult:
    """A compiled project within its budget."""
    return BuildResult(
        spec=make_spec(),
        platform=PLATFORM,
        folder=Path("out/digits"),
        files=("digits.c", "digits.h"),
        compiled=True,
        sizes=SIZES,
        budget=Budget(ram=20 * 1024, flash=64 * 1024),
        compiler="zig 0.17.1",
        formats=FORMATS,
        layers=(
            LayerCost("fc1", "dense", "64 -> 48", "tanh", 3120, 4700, 0, 14120, 41022),
            LayerCost("out", "dense", "48 -> 3", "linear", 147, 280, 128, 2400, 9200),
        ),
        arena=(
            Buffer("fc1_y", "fc1", "y", "s8", 48, ((0, 3),), 0),
            Buffer("fc1_e", "fc1", "e", "s16", 48, ((1, 1),), 48),
            Buffer("out_e", "out", "e", "s16", 3, ((3, 3),), 48),
        ),
        digests={"project": "sha256:" + "ab" * 32},
    )


def verify_result(verdict: Verdict = EQUAL) -> VerifyResult:
    """500 equal steps, or what the verdict says."""
    return VerifyResult(
        spec=make_spec(),
        platform=PLATFORM,
        verdict=verdict,
        steps=verdict.steps,
        seconds=2.31,
        emulator="unicorn 2.1.4",
        formats=FORMATS,
        instructions_per_step=50_222,
        instructions_per_inference=16_520,
    )


def simulate_result() -> SimulateResult:
    """Two epochs over three classes."""
    return SimulateResult(
        spec=make_spec(),
        platform=PLATFORM,
        epochs=2,
        metric="accuracy",
        accuracy_before=0.31,
        accuracy_after=0.92,
        curve=(
            CurvePoint(0, 0, 0.31, 1.1),
            CurvePoint(1, 100, 0.8, 0.5),
            CurvePoint(2, 200, 0.92, 0.3),
        ),
        confusion=np.array([[9, 1, 0], [0, 8, 2], [0, 0, 10]]),
        samples_per_second=91_234.56,
        class_names=("zero", "one", "two"),
        formats=FORMATS,
        sizes=SIZES,
        instructions_per_step=50_222,
        instructions_per_inference=16_520,
        baselines={"hidden layers at random": 0.78},
    )


def regression_result() -> SimulateResult:
    """R^2, from below any scale, and nothing that needs classes."""
    return replace(
        simulate_result(),
        metric="r2",
        accuracy_before=float("-inf"),
        curve=(CurvePoint(0, 0, -40.0), CurvePoint(2, 200, 0.92)),
        confusion=None,
        class_names=(),
        baselines={},
    )


def report_result(verdict: Verdict = EQUAL) -> ReportResult:
    """All three."""
    return ReportResult(
        build_result(), verify_result(verdict), simulate_result(), Path("out/digits.html")
    )
