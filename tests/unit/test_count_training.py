"""The counts of whole trainings in docs/results are those of the code as it is."""

from pathlib import Path

import numpy as np
import pytest

from tools import count_training
from tpsgd_edge.errors import TpsgdError
from tpsgd_edge.stages import render_project

FILE = Path(__file__).parent.parent.parent / "docs" / "results" / "training.json"


@pytest.mark.slow
@pytest.mark.parametrize("weights", ["s16", "s8"])
def test_the_counted_code_is_todays(weights):
    rows = {
        name: row
        for name, row in count_training.read(FILE).items()
        if name.endswith((f" {weights} zig", f" {weights} gcc"))
    }
    try:
        today = count_training.code_of(
            render_project(count_training.prepared_for("cortex-m4f", weights))
        )
    except TpsgdError as error:
        pytest.skip(f"no Fashion-MNIST here: {error}")
    old = [name for name, row in rows.items() if row.code != today]
    assert rows, "no row of this format"
    assert not old, f"counted before the kernels changed; python tools/count_training.py {FILE} ..."


def test_what_computers_with_vector_units_compile_is_not_of_the_counted_code():
    text = """one
#ifdef TPS_VECTORS
wide
#if other
wide too
#else
wide as well
#endif
#else
two
#endif
#ifndef TPS_VECTORS
three
#endif
#ifdef other
four
#else
five
#endif
"""
    kept = [line for line in count_training.on_cores(text) if not line.startswith("#")]
    assert "".join(kept).split() == ["one", "two", "three", "four", "five"]


def test_a_table_has_a_line_for_each_row():
    row = count_training.Row(100, 150, 2, (150,) * 6, 300, 400, 4600, "0")
    lines = list(count_training.table({"core s8 zig": row}))
    assert lines[-1] == "| core s8 zig | 100 | 150 ± 2 | 1.50 | 300 | 400 | 4,600 |"


def test_counts_are_read_in_order(tmp_path):
    path = tmp_path / "steps.bin"
    path.write_bytes(np.array([3, 1, 2], "<u4").tobytes())
    assert count_training.read_counts(path).tolist() == [3, 1, 2]
