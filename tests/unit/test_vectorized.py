"""The host's library is made of loops that gcc vectorizes: where sums and updates are."""

import re
from pathlib import Path

import pytest

from tpsgd_edge.errors import ToolError
from tpsgd_edge.spec import load_spec
from tpsgd_edge.stages import prepare, render_project, scratch_project
from tpsgd_edge.toolchain.build import LANGUAGE, LIBRARY
from tpsgd_edge.toolchain.compilers import find_compiler
from tpsgd_edge.toolchain.platforms import load_platform
from tpsgd_edge.toolchain.process import run_tool

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.mark.slow
@pytest.mark.parametrize("weights", ["s16", "s8", "f32"])
def test_sums_and_updates_are_vectorized(weights: str) -> None:
    try:
        compiler = find_compiler(load_platform("host"), "gcc")
    except ToolError as error:
        pytest.skip(f"{error.what}: {error.found}")
    prepared = prepare(
        load_spec(EXAMPLES / "digits.toml", ["platform.name=host", f"numbers.weights={weights}"])
    )
    project = render_project(prepared)
    name = "digits_tps_dense_f32.c" if weights == "f32" else "digits_tps_dense.c"
    with scratch_project(project) as folder:
        report = folder / "vectorized.txt"
        flags = [
            *LANGUAGE,
            *LIBRARY,
            "-O3",
            *prepared.platform.flags["gcc"],
            f"-fopt-info-vec={report}",
        ]
        run_tool(
            [*compiler.command, *flags, "-I.", "-c", name, "-o", "dense.o"],
            purpose="compiling",
            timeout=60,
            cwd=folder,
        )
        code = (folder / name).read_text().splitlines()
        found = re.findall(rf"{name}:(\d+):\d+: optimized: loop vec", report.read_text())
    # The functions that these loops are in.
    starts = {n: line for n, line in enumerate(code, 1) if re.match(r"[A-Za-z].*\(", line)}
    inside = {starts[max(n for n in starts if n <= int(line))] for line in found}
    assert any("dot" in line or "forward" in line for line in inside), inside
    assert any("update" in line or "add" in line for line in inside), inside
