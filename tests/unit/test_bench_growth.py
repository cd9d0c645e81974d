"""tools/bench_growth.py: instructions against weights."""

import json
from itertools import takewhile
from pathlib import Path

import pytest

from tests.support.documents import results_pages
from tools import bench_growth

ROOT = Path(__file__).parents[2]
COUNTS = json.loads((ROOT / "docs" / "results" / "growth.json").read_text())


def test_the_table_in_the_documentation_is_that_of_the_results() -> None:
    lines = takewhile(lambda line: line.startswith("|"), bench_growth.table(COUNTS))
    assert "\n".join(lines) in results_pages()


def test_a_straight_line_is_found() -> None:
    rows = [{"weights": w, "step": 3 * w + 500} for w in (1_000, 20_000, 1_000_000)]
    slope, offset, far = bench_growth.line(rows, "step")
    assert (slope, offset, far) == (pytest.approx(3), pytest.approx(500), pytest.approx(0))
    rows[1]["step"] *= 2
    assert bench_growth.line(rows, "step")[2] > 0.2


def test_the_plot_is_drawn(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    bench_growth.draw(COUNTS, tmp_path / "plot.png")
    assert (tmp_path / "plot.png").read_bytes()[:4] == b"\x89PNG"


@pytest.mark.slow
def test_the_smallest_net_is_counted() -> None:
    pytest.importorskip("unicorn")
    assert bench_growth.counted(bench_growth.SHAPES[0], "s8")["weights"] == 32 * 24 + 24 * 10
