"""Raw samples: numbers by hand, the type that a file has, windows, and a program around them."""

import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tpsgd_edge import build, verify
from tpsgd_edge.errors import DataError, SpecError
from tpsgd_edge.quantize import quantize_inputs
from tpsgd_edge.quantize.raw import RAW_DTYPES, IntegerConversion, RealConversion, conversion
from tpsgd_edge.spec import spec_from_dict
from tpsgd_edge.stages import prepare, render_project
from tpsgd_edge.toolchain.compilers import find_compiler
from tpsgd_edge.toolchain.folder import write_project
from tpsgd_edge.toolchain.platforms import load_platform

WHOLE = ["uint8", "int8", "uint16", "int16"]
DENSE = [{"name": "a", "units": 4}, {"name": "out", "units": 3}]
CONV = [{"name": "a", "kind": "conv1d", "filters": 2, "kernel": 3}, {"name": "out", "units": 3}]
GRU = [{"name": "a", "kind": "gru", "units": 4}, {"name": "out", "units": 3}]


def one(value: float) -> np.ndarray[Any, np.dtype[np.float64]]:
    return np.array([value])


def make_spec(folder: Path, x: Any, layers: Any = DENSE, y: Any = None, **sections: Any) -> Any:
    np.savez(folder / "own.npz", x=x, y=np.arange(len(x)) % 3 if y is None else y)
    content = {
        "name": "net",
        "model": {"layers": layers},
        "platform": {"name": "host"},
        **sections,
        "data": {"file": "own.npz", **sections.get("data", {})},
    }
    return spec_from_dict(content, folder=folder, source="net.toml")


# ------------------------------------------------------------------ numbers


def test_whole_numbers_by_hand():
    # mean 100.25, one unit is worth 0.8: reach 155, gain 1.25.
    convert = conversion(one(100.25), one(0.8), "s8", "uint8")
    assert isinstance(convert, IntegerConversion)
    assert (convert.centre[0], convert.shift[0]) == (100, 23)
    assert convert.factor[0] == round(1.25 * 2**23)
    assert convert.offset[0] == round((-0.25 * 1.25 + 0.5) * 2**23)
    raw = np.array([[0], [100], [101], [202], [255]], np.uint8)
    # (raw - 100.25) / 0.8 = -125.3, -0.3, 0.9, 127.2, 193.4
    assert convert(raw).ravel().tolist() == [-125, 0, 1, 127, 127]


@pytest.mark.parametrize(
    ("mean", "centre"), [(100.5, 101), (100.75, 101), (-3.0, 0), (255.4, 255), (300.0, 255)]
)
def test_the_centre_is_the_whole_number_of_the_type_next_to_the_mean(mean, centre):
    convert = conversion(one(mean), one(0.8), "s8", "uint8")
    assert isinstance(convert, IntegerConversion)
    assert convert.centre[0] == centre


def test_whole_numbers_are_rounded_half_up():
    convert = conversion(one(0), one(2.0), "s8", "int8")
    raw = np.array([[-3], [-1], [1], [3]], np.int8)
    assert convert(raw).ravel().tolist() == [-1, 0, 1, 2]


def test_real_values_by_hand():
    convert = conversion(one(1.5), one(0.25), "s8")
    assert isinstance(convert, RealConversion)
    raw = np.array([[1.5], [1.625], [1.375], [1.370], [40.0], [-40.0]], np.float32)
    # (raw - 1.5) * 4 = 0, 0.5, -0.5, -0.52, ...
    assert convert(raw).ravel().tolist() == [0, 1, 0, -1, 127, -128]
    to_real = conversion(one(1.5), one(0.25), "f32")
    assert to_real(raw[:2]).ravel().tolist() == [0.0, 0.5]
    assert to_real(np.array([[1e7]], np.float32)).item() == 2.0**20


@given(
    st.sampled_from(WHOLE),
    st.sampled_from(["s8", "s16"]),
    st.floats(-1e5, 1e5),
    st.floats(1e-6, 1e6),
    st.booleans(),
)
def test_no_sum_leaves_32_bits_and_each_is_next_to_the_real_one(raw, to, mean, step, is_negative):
    signed = -step if is_negative else step
    convert = conversion(one(mean), one(signed), to, raw)
    assert isinstance(convert, IntegerConversion)
    ends = np.iinfo(RAW_DTYPES[raw])
    values = np.unique(np.linspace(ends.min, ends.max, 400).astype(RAW_DTYPES[raw]))
    values = np.append(values, np.array([ends.min, ends.max], values.dtype))
    wide = values.astype(object) - int(convert.centre[0])
    sums = [int(v) * int(convert.factor[0]) + int(convert.offset[0]) for v in wide]
    assert all(-(2**31) <= total < 2**31 for total in sums)
    if step * 2**14 < 1 or not ends.min <= mean <= ends.max:
        return  # limited gains, and means beyond the type, saturate
    low, high = (-128, 127) if to == "s8" else (-32768, 32767)
    real = np.clip(np.floor((values.astype(float) - mean) / signed + 0.5), low, high)
    assert np.abs(convert(values[:, None]).ravel() - real).max() <= (1 if to == "s8" else 2)


# ------------------------------------------------------------------ the type


@pytest.mark.parametrize(
    ("dtype", "raw"),
    [
        ("u1", "uint8"),
        ("?", "uint8"),
        ("i1", "int8"),
        ("<u2", "uint16"),
        ("<i2", "int16"),
        ("<i4", "float"),
        ("<i8", "float"),
        ("<f4", "float"),
        ("<f8", "float"),
    ],
)
def test_the_type_is_that_of_the_file(dtype, raw, tmp_path):
    x = (np.random.default_rng(1).random((30, 4)) * 2).astype(dtype)
    assert prepare(make_spec(tmp_path, x)).model.inputs.raw == raw
    asked = make_spec(tmp_path, x, data={"raw": "float"})
    assert prepare(asked).model.inputs.raw == "float"


def test_a_type_that_does_not_hold_the_samples_is_refused(tmp_path):
    x = np.full((30, 4), 7.0)
    x[3, 1] = 7.5
    with pytest.raises(DataError, match="not all of type int16") as refused:
        prepare(make_spec(tmp_path, x, data={"raw": "int16"}))
    assert "x[3, 1] = 7.5; 1 such values" in str(refused.value)
    with pytest.raises(DataError, match="not all of type uint8"):
        prepare(make_spec(tmp_path, np.full((30, 4), 256), data={"raw": "uint8"}))


def test_samples_of_another_type_are_refused_later_too(tmp_path):
    x = np.random.default_rng(1).integers(0, 256, (30, 4)).astype(np.uint8)
    model = prepare(make_spec(tmp_path, x)).model
    assert (quantize_inputs(model, x.astype(float)) == quantize_inputs(model, x)).all()
    for wrong in (x + 0.5, x.astype(int) + 256):
        with pytest.raises(DataError, match="not all of type uint8"):
            quantize_inputs(model, wrong)


# ------------------------------------------------------------------ windows


def test_windows_that_cannot_be_are_refused(tmp_path):
    rng = np.random.default_rng(1)
    wide = rng.standard_normal((30, 8, 2))
    with pytest.raises(SpecError, match="hop is longer than a window"):
        build(make_spec(tmp_path, wide, CONV, firmware={"hop": 9}), compile=False)
    with pytest.raises(SpecError, match="recurrent layers needs no window"):
        build(make_spec(tmp_path, wide, GRU, firmware={"hop": 4}), compile=False)
    own = {"scaling": "standard"}
    with pytest.raises(SpecError, match="scaled in its own way"):
        build(make_spec(tmp_path, wide, CONV, firmware={"hop": 4}, data=own), compile=False)


PUSH = """
#include <stdio.h>
#include "net_raw.h"

int main(void)
{
    static struct net_window window;
    bool is_full;

    for (int t = 0; t < 20; t++) {
        const float row[2] = {(float)t, (float)(100 - t)};
        if (t == 3) {
            const float bad[2] = {(float)t, 0.0f / 0.0f * row[0]};
            printf("refused %ld\\n", (long)net_push(&window, bad, &is_full));
        }
        if (net_push(&window, row, &is_full) == TPS_OK && is_full) {
            printf("%d:", t);
            for (int i = 0; i < NET_N_IN; i++) {
                printf(" %d", window.x[i]);
            }
            printf("\\n");
        }
    }
    return 0;
}
"""


@pytest.mark.parametrize("hop", [1, 3, 8])
def test_a_window_is_the_sample_that_the_last_timesteps_are(hop, tmp_path):
    x = np.random.default_rng(2).uniform(0, 100, (30, 8, 2)).astype(np.float32)
    spec = make_spec(tmp_path, x, CONV, firmware={"hop": hop})
    build(spec, out=tmp_path / "net", compile=False)
    *lines, _ = run_program(tmp_path, PUSH).split("\n")
    assert lines[0] == "refused 4"
    signal = np.array([(t, 100 - t) for t in range(20)], np.float32)
    ends = range(7, 20, hop)
    model = prepare(spec).model
    for end, line in zip(ends, lines[1:], strict=True):
        sample = quantize_inputs(model, signal[end - 7 : end + 1].reshape(1, -1))
        assert line == f"{end}: " + " ".join(str(v) for v in sample[0].tolist())


def run_program(folder: Path, text: str) -> str:
    (folder / "main.c").write_text(text, encoding="utf-8")
    compiler = find_compiler(load_platform("host"))
    flags = [
        "-std=c11",
        "-O1",
        "-Wall",
        "-Wextra",
        "-Wconversion",
        "-Werror",
        "-Wno-error=div-by-zero",
    ]
    sources = sorted((folder / "net").glob("*.c"))
    command = [*compiler.command, *flags, "-I", folder / "net", folder / "main.c", *sources]
    subprocess.run([*command, "-o", folder / "demo"], check=True, timeout=300)
    return subprocess.run(
        [folder / "demo"], check=True, capture_output=True, text=True, timeout=60
    ).stdout


# ------------------------------------------------------------------ reference and device


@pytest.mark.series(3)
@pytest.mark.parametrize("weights", ["s16", "f32"])
@pytest.mark.parametrize("dtype", ["u1", "i1", "<u2", "<i2", "<f4"])
def test_reference_and_c_convert_alike(dtype, weights, tmp_path):
    x = (np.random.default_rng(3).standard_normal((40, 6)) * 20 + 60).astype(dtype)
    spec = make_spec(tmp_path, x, numbers={"weights": weights}, data={"scaling": "standard"})
    assert verify(spec, steps=5).verdict.verdict == "equal"


@pytest.mark.parametrize("weights", ["s16", "f32"])
def test_reference_and_c_convert_values_alike(weights, tmp_path):
    rng = np.random.default_rng(4)
    x, y = rng.standard_normal((40, 6)), rng.standard_normal((40, 3)) * [1, 50, 3000] + 700
    spec = make_spec(tmp_path, x, y=y, numbers={"weights": weights})
    assert verify(spec, steps=5).verdict.verdict == "equal"


@pytest.mark.parametrize("answers", ["at the end", "at each step"])
@pytest.mark.parametrize("scaling", ["unit", "standard"])
def test_nothing_is_unused_in_code_that_only_predicts(scaling, answers, tmp_path):
    # Scaled column by column, a sample of these has no conversion of one timestep.
    x = np.random.default_rng(5).standard_normal((40, 4, 3))
    y = np.arange(40) % 3 if answers == "at the end" else np.arange(160).reshape(40, 4) % 3
    spec = make_spec(tmp_path, x, GRU, y=y, data={"scaling": scaling})
    folder = tmp_path / "net"
    write_project(render_project(prepare(spec)).files, folder)
    (folder / "unit.c").write_text("".join(f'#include "{p.name}"\n' for p in folder.glob("*.c")))
    flags = ["-std=c11", "-Wall", "-Wextra", "-Werror", "-DNET_INFERENCE_ONLY", "-c"]
    subprocess.run(
        [*find_compiler(load_platform("host")).command, *flags, "-o", "unit.o", "unit.c"],
        cwd=folder,
        check=True,
        timeout=300,
    )
