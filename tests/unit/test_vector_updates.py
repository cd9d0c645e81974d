"""Updates of s8 rows on computers with vector units: the sums of the plain kernel, in any step."""

import ctypes
from pathlib import Path

import numpy as np
import pytest

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


@pytest.mark.parametrize(("type_", "x_type"), [("s8", np.int8), ("s16", np.int16)])
def test_rows_that_wait_for_no_weight_end_like_those_that_do(type_, x_type, tmp_path):
    try:
        compiler = find_compiler(load_platform("host"), "gcc")
    except ToolError as error:
        pytest.skip(f"{error.what}: {error.found}")
    keys = ["platform.name=host", "numbers.weights=s8", f"numbers.activations={type_}"]
    project = render_project(prepare(load_spec(DIGITS, keys)))
    drives = []
    with scratch_project(project) as folder:
        text = DRIVER.format(x="int8_t" if type_ == "s8" else "int16_t", type=type_)
        (folder / "driver.c").write_text(text)
        for name, options in (("vectors", ()), ("plain", ("-U__SSE2__", "-U__ARM_NEON"))):
            built = tmp_path / f"{name}.so"
            flags = ["-std=c11", "-O2", "-shared", "-fPIC", *options, "-I."]
            run_tool(
                [*compiler.command, *flags, "driver.c", "-o", str(built)],
                purpose="compiling",
                timeout=60,
                cwd=folder,
            )
            drives.append(ctypes.CDLL(str(built)).drive)
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
