"""Kernels for computers with vector units beside the plain ones: s8 updates, f32 sums."""

import ctypes
from pathlib import Path

import numpy as np
import pytest

from tpsgd_edge.codegen import CProject
from tpsgd_edge.errors import ToolError
from tpsgd_edge.spec import load_spec
from tpsgd_edge.stages import prepare, render_project, scratch_project
from tpsgd_edge.toolchain.compilers import find_compiler
from tpsgd_edge.toolchain.platforms import load_platform
from tpsgd_edge.toolchain.process import run_tool

DIGITS = Path(__file__).parents[2] / "examples" / "digits.toml"
DRIVER = """
#include "digits_tps_dense.c"

void drive(int8_t *w, int32_t *b, const {x} *x, const int16_t *d, uint32_t draw, uint32_t n_in,
           uint32_t n_out);

void drive(int8_t *w, int32_t *b, const {x} *x, const int16_t *d, uint32_t draw, uint32_t n_in,
           uint32_t n_out)
{{
    struct tps_dense layer = {{0}};
    layer.n_in = (uint16_t)n_in;
    layer.n_out = (uint16_t)n_out;
    layer.bias_one = 12345;
    tps_dense_update_s8_{type}(&layer, w, b, x, d, draw);
}}
"""
# The last step that keeps sums within 16 bits, the first one that does not, and the ends.
STEPS = [0, 1, -1, 63, 64, -64, 192, -192, 193, -193, 2000, 32767, -32768]
MOST = 64


SUMS = """
#include "digits_tps_f32.h"

void vectors(const float *w, const float *x, uint32_t n, uint32_t rows, float *sums);
void plain(const float *w, const float *x, uint32_t n, uint32_t rows, float *sums);

void vectors(const float *w, const float *x, uint32_t n, uint32_t rows, float *sums)
{
#ifdef TPS_EIGHTS
    uint32_t eights[64];
    const uint32_t count = tps_eights_f32(x, n, rows, eights);
    for (uint32_t j = 0; j < rows; j += 4) {
        tps_dot_four_f32(w + j * n, x, n, eights, count, sums + j);
    }
#else
    plain(w, x, n, rows, sums);
#endif
}

void plain(const float *w, const float *x, uint32_t n, uint32_t rows, float *sums)
{
    for (uint32_t j = 0; j < rows; j++) {
        sums[j] = tps_dot_f32(w + j * n, x, n);
    }
}
"""


def built(folder: Path, text: str, *options: str) -> ctypes.CDLL:
    """A file of the project as a library, by gcc."""
    try:
        compiler = find_compiler(load_platform("host"), "gcc")
    except ToolError as error:
        pytest.skip(f"{error.what}: {error.found}")
    name = "-".join(("driver", *options))
    (folder / f"{name}.c").write_text(text)
    flags = ["-std=c11", "-O2", "-ffp-contract=off", "-shared", "-fPIC", *options, "-I."]
    run_tool(
        [*compiler.command, *flags, f"{name}.c", "-o", f"{name}.so"],
        purpose="compiling",
        timeout=60,
        cwd=folder,
    )
    return ctypes.CDLL(str(folder / f"{name}.so"))


def digits(**numbers: str) -> CProject:
    """The example's project with other numbers."""
    keys = [f"numbers.{key}={value}" for key, value in numbers.items()]
    return render_project(prepare(load_spec(DIGITS, ["platform.name=host", *keys])))


@pytest.mark.parametrize(("type_", "x_type"), [("s8", np.int8), ("s16", np.int16)])
def test_rows_that_wait_for_no_weight_end_like_those_that_do(type_, x_type):
    text = DRIVER.format(x="int8_t" if type_ == "s8" else "int16_t", type=type_)
    with scratch_project(digits(weights="s8", activations=type_)) as folder:
        plain = ("-U__SSE2__", "-U__ARM_NEON")
        drives = [built(folder, text).drive, built(folder, text, *plain).drive]
    rng = np.random.default_rng(1)
    info = np.iinfo(x_type)
    # Rows of this project are whole groups of four; random nets have others.
    for n_in in range(4, MOST + 1, 4):
        d = np.array([*STEPS * 30, *rng.integers(-300, 300, 8)], np.int16)
        x = rng.choice([info.min, info.max, 0, 1, *rng.integers(info.min, info.max, 8)], n_in)
        x = x.astype(x_type)
        first = rng.choice([-128, 127, *range(-9, 9)], (len(d), n_in)).astype(np.int8)
        ends = []
        for drive in drives:
            w, b = first.copy(), np.zeros(len(d), np.int32)
            arrays = (ctypes.c_void_p(array.ctypes.data) for array in (w, b, x, d))
            drive(*arrays, 17 * n_in, n_in, len(d))
            ends.append((w, b))
        assert (ends[0][0] != first).any()
        np.testing.assert_array_equal(ends[0][0], ends[1][0])
        np.testing.assert_array_equal(ends[0][1], ends[1][1])


@pytest.fixture(scope="module")
def sums():
    with scratch_project(digits(weights="f32")) as folder:
        yield built(folder, SUMS)


@pytest.mark.parametrize("rows", [4, 32])
@pytest.mark.parametrize("n", [1, 7, 8, 64, 255, 256, 263, 300])
def test_sums_of_four_rows_pass_by_zeros_and_keep_every_bit(n, rows, sums):
    rng = np.random.default_rng(n)
    w = rng.normal(size=(rows, n)).astype(np.float32)
    w[rng.random((rows, n)) < 0.1] = -0.0
    x = rng.normal(size=n).astype(np.float32)
    x[np.repeat(rng.random(n // 8 + 1) < 0.5, 8)[:n]] = 0.0
    x[rng.random(n) < 0.2] = -0.0
    found = np.full((2, rows), np.nan, np.float32)
    for own, function in zip(found, (sums.vectors, sums.plain), strict=True):
        arrays = [ctypes.c_void_p(array.ctypes.data) for array in (w, x, own)]
        function(*arrays[:2], n, rows, arrays[2])
    assert found[0].tobytes() == found[1].tobytes()
