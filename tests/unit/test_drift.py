"""The detector of drift: the reference against the published test, the C against the reference."""

import re
import shutil
import subprocess

import numpy as np
import pytest

from tests.support.kinds import net
from tpsgd_edge.errors import SpecError
from tpsgd_edge.reference.drift import ONE, Detector, Limits
from tpsgd_edge.stages import prepare, render_project
from tpsgd_edge.toolchain.compilers import find_compiler
from tpsgd_edge.toolchain.platforms import load_platform

LIMITS = Limits(tolerance=round(0.05 * ONE), threshold=10 * ONE, after=30)


def answers(seed: int, changes: int = 3, length: int = 700) -> np.ndarray:
    """0 for right and 1 for wrong, with another share of wrong ones after each change."""
    rng = np.random.default_rng(seed)
    shares = rng.random(changes + 1) * 0.6
    return np.concatenate([rng.random(length) < share for share in shares]).astype(int)


def noticed(values: np.ndarray, limits: Limits) -> list[int]:
    detector, found = Detector(), []
    for i, value in enumerate(values.tolist()):
        detector, has_risen = detector.after(value, limits)
        if has_risen:
            found.append(i)
    return found


def page_hinkley(values: np.ndarray, limits: Limits) -> list[int]:
    """The test in real numbers, upwards, as E. S. Page (1954) and streams' toolkits have it."""
    found: list[int] = []
    n, mean, excess, lowest = 0, 0.0, 0.0, np.inf
    for i, value in enumerate(values):
        n += 1
        mean += (value - mean) / n
        excess = excess + value - mean - limits.tolerance / ONE
        lowest = min(lowest, excess)
        if n >= limits.after and excess - lowest > limits.threshold / ONE:
            found.append(i)
            n, mean, excess, lowest = 0, 0.0, 0.0, np.inf
    return found


@pytest.mark.parametrize("seed", range(12))
def test_it_notices_what_the_published_test_notices_at_the_same_answer(seed):
    values = answers(seed)
    assert noticed(values * ONE, LIMITS) == page_hinkley(values, LIMITS)


def test_a_rise_is_noticed_and_a_fall_is_not():
    rng = np.random.default_rng(1)
    low, high = (rng.random((2, 1000)) < np.array([[0.1], [0.5]])).astype(int) * ONE
    (at,) = noticed(np.concatenate([low, high]), LIMITS)
    assert 1000 <= at < 1050
    assert noticed(np.concatenate([high, low]), LIMITS) == []
    steady = (rng.random(5000) < 0.1).astype(int) * ONE
    assert noticed(steady, LIMITS) == []


# river 0.26.1: PageHinkley(30, 0.05, 10, 1, mode="up") on the answers of seeds 0 to 7.
RIVER = {
    0: [],
    1: [771, 2135],
    2: [1443],
    3: [887, 1415],
    4: [1469],
    5: [],
    6: [],
    7: [749],
}


@pytest.mark.parametrize("seed", sorted(RIVER))
def test_it_notices_what_river_notices(seed):
    assert noticed(answers(seed) * ONE, LIMITS) == RIVER[seed]


def test_numbers_that_a_device_can_hold_are_enough():
    """The largest values for long, at both ends: no u32 and no s32 overflows."""
    limits = Limits(tolerance=0, threshold=10_000 * ONE, after=65_535)
    detector, most = Detector(), 0
    for value in [0] * 30_000 + [ONE] * 35_534 + [0] * 6_000:
        detector, has_risen = detector.after(value, limits)
        most = max(most, detector.sum, detector.excess)
        assert has_risen == (detector == Detector())
    assert 2**29 < most < 2**31


MAIN = """
#include <stdio.h>
#include "small_drift.h"

int main(void)
{
    struct tps_drift drift = {0};
    const struct tps_drift_limits limits = {%d, %d, %d};
    unsigned value;

    while (scanf("%%u", &value) == 1) {
        const int risen = tps_drift_update(&drift, &limits, value);
        printf("%%u %%u %%u %%d\\n", (unsigned)drift.n, (unsigned)drift.sum,
               (unsigned)drift.excess, risen);
    }
    /* After the fourth number the excess is three quarters: above one threshold, at the other. */
    const struct tps_drift_limits above = {0, 24575, 4};
    const struct tps_drift_limits met = {0, 24576, 4};
    struct tps_drift first = {0}, second = {0};
    int risen = 0, not_risen = 0;

    for (int i = 0; i < 4; i++) {
        risen += tps_drift_update(&first, &above, i == 3 ? 32768 : 0);
        not_risen += tps_drift_update(&second, &met, i == 3 ? 32768 : 0);
    }
    return small_drift(&drift, 1, 2) + small_drift(&drift, 1, 1) + (risen != 1) + not_risen;
}
"""


def test_the_device_computes_the_same_bits(tmp_path):
    project = render_project(prepare(net(drift={"watch": "accuracy", "after": 2})))
    for name, text in project.files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    limits = Limits(200, 9 * ONE, 30)
    main = MAIN % (limits.tolerance, limits.threshold, limits.after)
    (tmp_path / "main.c").write_text(main)
    compiler = find_compiler(load_platform("host"))
    flags = ["-std=c11", "-O1", "-Wall", "-Wextra", "-Wconversion", "-Wpedantic", "-Werror"]
    sources = [tmp_path / path for path in project.sources]
    command = [*compiler.command, *flags, "-ffp-contract=off", tmp_path / "main.c", *sources]
    subprocess.run([*command, "-o", tmp_path / "demo"], check=True, timeout=300)
    rng = np.random.default_rng(3)
    changing = rng.integers(0, ONE + 1, 3000) * (rng.random(3000) < np.repeat(rng.random(6), 500))
    values = np.concatenate([changing, np.tile([9, 7], 33_000)]).astype(int)
    text = "\n".join(map(str, values.tolist()))
    done = subprocess.run(
        [tmp_path / "demo"], input=text, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0
    detector, found = Detector(), 0
    for value, line in zip(values.tolist(), done.stdout.splitlines(), strict=True):
        detector, risen = detector.after(value, limits)
        found += risen
        own = (detector.n, detector.sum, detector.excess, int(risen))
        assert tuple(map(int, line.split())) == own
    assert found >= 2
    assert detector.n == 65535


@pytest.mark.parametrize("formats", [("s16", "s8"), ("f32", "s8")])
def test_confidence_needs_no_label(formats):
    project = render_project(prepare(net(formats=formats, drift={"watch": "confidence"})))
    header = project.files["small_drift.h"]
    assert "int small_drift(struct tps_drift *drift)" in header
    assert "    1638, /* tolerance: 0.05, Q15 */" in header
    assert "    327680, /* threshold: 10 answers, Q15 */" in header
    assert re.search(r"32768u - .*small_confidence_with\(work\)", header)
    assert "small_tps_drift.h" not in project.files
    assert "tps_drift.h" in project.files


@pytest.mark.parametrize("watch", ["accuracy", "confidence"])
def test_the_header_is_c_plus_plus_too(tmp_path, watch):
    compiler = shutil.which("g++") or shutil.which("clang++-14")
    if compiler is None:
        pytest.skip("no C++ compiler")
    for name, text in render_project(prepare(net(drift={"watch": watch}))).files.items():
        if name.endswith(".h") and "/" not in name:
            (tmp_path / name).write_text(text, encoding="utf-8")
    (tmp_path / "main.cpp").write_text('#include "small_drift.h"\n')
    flags = ["-std=c++11", "-Wall", "-Wextra", "-pedantic", "-Werror", "-fsyntax-only"]
    subprocess.run([compiler, *flags, tmp_path / "main.cpp"], check=True, timeout=60)


def test_without_the_key_there_is_no_detector():
    assert not [name for name in render_project(prepare(net())).files if "drift" in name]


@pytest.mark.parametrize(
    ("drift", "is_class", "output", "words"),
    [
        ({"watch": "accuracy"}, False, {}, "only answers that name one class for a sample"),
        ({"watch": "confidence"}, False, {}, "it has no confidence"),
        ({"watch": "confidence"}, True, {"loss": "l2"}, 'the output loss "l2"'),
        ({"after": 9}, True, {}, "'after' says nothing without watch"),
    ],
)
def test_what_cannot_be_is_refused_in_words(drift, is_class, output, words):
    with pytest.raises(SpecError) as caught:
        render_project(prepare(net(is_class=is_class, output=output, drift=drift)))
    assert words in caught.value.message()
