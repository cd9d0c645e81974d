"""What the report is put together from: memory map, confusion, summary, Markdown."""

from dataclasses import replace

import numpy as np
import pytest

from tests.support.results import (
    MISMATCH,
    SIZES,
    build_result,
    report_result,
    simulate_result,
    verify_result,
)
from tpsgd_edge.report.confusion import heat_table
from tpsgd_edge.report.markdown import render_markdown
from tpsgd_edge.report.memory_map import (
    Part,
    arena_map,
    flash_parts,
    memory_map,
    ram_parts,
)
from tpsgd_edge.report.results import Budget
from tpsgd_edge.report.summary import Line, instruction_lines, memory_lines, summary


def test_the_parts_add_up_to_the_total():
    layers = build_result().layers
    ram, flash = ram_parts(SIZES, layers), flash_parts(SIZES, layers)
    assert sum(part.size for part in ram) == SIZES.ram.total
    assert sum(part.size for part in flash) == SIZES.flash.total
    assert [part.name for part in ram] == [
        "fc1 weights",
        "out weights",
        "counters, rate",
        "arena",
        "stack",
    ]


def test_a_small_used_part_is_magnified():
    map_ = memory_map("RAM", [Part("a", "layer0", 100)], budget=1000)
    assert map_.magnified is not None
    assert map_.used_width == "10.0000%"
    assert map_.free == "900 B"
    assert [segment.name for segment in map_.whole.segments] == ["a", "free"]


@pytest.mark.parametrize("budget", [None, 100, 120])
def test_a_large_one_is_not(budget):
    assert memory_map("RAM", [Part("a", "layer0", 100)], budget).magnified is None


@pytest.mark.parametrize("whole", [1, 5, 6, 1000, 65536, 3 << 20])
def test_a_ruler_has_few_round_marks(whole):
    ticks = memory_map("RAM", [Part("a", "layer0", whole)], None).whole.ticks
    assert ticks[0].text == "0"
    assert 2 <= len(ticks) <= 6


def test_buffers_that_share_bytes_lie_in_different_rows():
    arena = arena_map(build_result().arena, build_result().layers)
    assert [[buffer.name for buffer in row] for row in arena.rows] == [
        ["fc1_y", "fc1_e"],
        ["out_e"],
    ]
    assert arena.rows[1][0].kind == "layer1"
    assert arena_map((), ()) is None


def test_a_class_without_samples_has_no_recall():
    table = heat_table(np.array([[0, 0], [1, 3]]), ["a", "b"])
    assert [row.recall for row in table.rows] == ["", "75.0 %"]
    assert table.rows[1].cells[0].kind == "wrong"
    assert table.rows[1].cells[0].heat == "0.500"
    assert table.pairs == ()


def test_the_summary_has_one_line_for_each_number():
    assert summary(report_result()) == (
        Line("Accuracy", "31.0 % → 92.0 %", "test set, 2 epochs; hidden layers at random 78.0 %"),
        Line("RAM", "5.5 KiB", "5,636 B of 20 KiB (27.5 %)"),
        Line("Stack", "416 B", "416 B measured, part of RAM"),
        Line("Flash", "5.5 KiB", "5,672 B of 64 KiB (8.7 %)"),
        Line("Instructions a step", "50,222", "training; 3.0 times an inference (16,520)"),
        Line("Verdict", "equal", "bit for bit, 500 training steps on cortex-m4f, unicorn 2.1.4"),
    )


def test_what_is_unknown_is_left_out():
    host = replace(verify_result(), instructions_per_step=None, emulator=None)
    assert instruction_lines(host) == ()
    assert memory_lines(replace(build_result(), sizes=None)) == ()
    unlimited = memory_lines(replace(build_result(), budget=Budget()))
    assert unlimited[0].detail == "5,636 B"


def test_markdown_has_both_tables():
    text = render_markdown(report_result())
    assert "| Verdict | **equal** |" in text
    assert "| fc1 | 64 -> 48 | s16 weights, s8 activations | 3,120 | 4,700 B |" in text
    assert "```" not in text


def test_markdown_shows_a_mismatch():
    text = render_markdown(report_result(MISMATCH))
    assert "```\nmismatch: step 17" in text


def test_markdown_cells_cannot_be_broken():
    build = replace(build_result(), formats={"fc1": "a|b\n<script>", "out": ""})
    row = next(
        line
        for line in render_markdown(replace(report_result(), build=build)).splitlines()
        if line.startswith("| fc1")
    )
    assert "a\\|b &lt;script>" in row


def test_a_curve_of_one_point_and_a_metric_that_is_not_a_number():
    from tpsgd_edge.report.plots import learning_curve_svg

    point = replace(simulate_result().curve[0], accuracy=float("nan"), loss=None)
    svg = learning_curve_svg(replace(simulate_result(), curve=(point,), baselines={}))
    assert svg.startswith("<svg viewBox=")
