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
from tpsgd_edge.reports.confusion import heat_table
from tpsgd_edge.reports.curve import CurvePoint
from tpsgd_edge.reports.layer_cost import Budget
from tpsgd_edge.reports.markdown import render_markdown
from tpsgd_edge.reports.memory_map import (
    Part,
    arena_map,
    flash_parts,
    memory_map,
    ram_parts,
)
from tpsgd_edge.reports.plots import best_point, learning_curve_svg
from tpsgd_edge.reports.results import ReportResult
from tpsgd_edge.reports.summary import (
    Line,
    instruction_lines,
    memory_lines,
    planned_ram_line,
    summary,
)
from tpsgd_edge.reports.text import bytes_text
from tpsgd_edge.reports.view import report_view
from tpsgd_edge.toolchain.board import load_board


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
        Line(
            "Energy of a step",
            "about 3.0 inferences",
            "an estimate by instructions: 0.785 ms of a core at 64 MHz",
        ),
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
    assert "| Verdict | **mismatch** |" in text
    assert "equal" not in text


def test_markdown_cells_cannot_be_broken():
    build = replace(build_result(), formats={"fc1": "a|b\n<script>", "out": ""})
    row = next(
        line
        for line in render_markdown(replace(report_result(), build=build)).splitlines()
        if line.startswith("| fc1")
    )
    assert "a\\|b &lt;script>" in row


def test_a_curve_of_one_point_and_a_metric_that_is_not_a_number():
    from tpsgd_edge.reports.plots import learning_curve_svg

    point = replace(simulate_result().curve[0], accuracy=float("nan"), loss=None)
    svg = learning_curve_svg(replace(simulate_result(), curve=(point,), baselines={}))
    assert svg.startswith("<svg viewBox=")


def around(result: ReportResult, step: int, inference: int) -> ReportResult:
    """The result with more instructions than its layers have."""
    verify = replace(
        result.verify, instructions_per_step=step, instructions_per_inference=inference
    )
    return replace(result, verify=verify)


class TestView:
    def test_the_table_comes_to_what_the_headline_says(self):
        view = report_view(around(report_result(), 51_000, 16_600))
        totals = {cell.head: cell.text for cell in view.cost_totals}
        rest = {cell.head: cell.text for cell in view.cost_rest}
        assert totals["instructions, training step"] == "51,000"
        assert rest["instructions, training step"] == f"{51_000 - 41_022 - 9_200:,}"
        assert rest["instructions, inference"] == f"{16_600 - 14_120 - 2_400:,}"
        assert (rest["weights"], rest["RAM"], rest["flash"]) == ("", "", "")
        assert totals["weights"] == "3,267"

    def test_where_the_layers_are_all_there_is_no_more(self):
        assert report_view(report_result()).cost_rest == ()

    def test_no_digest_stands_there_twice(self):
        result = report_result()
        digests = {"spec": result.spec.digest, **result.build.digests}
        view = report_view(replace(result, build=replace(result.build, digests=digests)))
        assert [fact.name for fact in view.digests] == ["spec", "project"]

    def test_the_best_epoch_is_named_where_it_is_not_the_last(self):
        result = report_result()
        assert best_point(result.simulate) is None
        curve = tuple(CurvePoint(i, i * 100, y) for i, y in enumerate((0.3, 0.9, 0.9, 0.8)))
        simulate = replace(result.simulate, curve=curve)
        assert best_point(simulate) == curve[1]
        note = report_view(replace(result, simulate=simulate)).curve_note
        assert note.endswith("It was best after epoch 1: 90.0 %.")
        assert "best 90.0 %" in learning_curve_svg(simulate)
        assert "best" not in learning_curve_svg(result.simulate)

    def test_a_curve_without_numbers_has_no_best(self):
        curve = (CurvePoint(0, 0, float("nan")), CurvePoint(1, 100, float("nan")))
        assert best_point(replace(simulate_result(), curve=curve)) is None

    def test_shapes_are_those_of_people(self):
        result = report_result()
        conv = replace(result.build.layers[0], shape="28x28x1 -> 14x14x8")
        layers = (conv, replace(result.build.layers[1], shape="1568 -> 3"))
        view = report_view(replace(result, build=replace(result.build, layers=layers)))
        assert view.chips[0] == "28×28×1 → 14×14×8 → 3"
        assert view.layers[0].shape == "28×28×1 → 14×14×8"


@pytest.mark.parametrize(
    ("budget", "detail"),
    [
        (None, "weights and arena; stack and flash: tpsgd-edge build"),
        ("8K", "5,220 B of 8 KiB (63.7 %): weights and arena; stack and flash: tpsgd-edge build"),
        ("5K", "over the budget of 5 KiB, which a build will not exceed"),
    ],
)
def test_a_simulation_says_what_the_budget_will_say(budget, detail):
    result = simulate_result()
    platform = result.spec.platform.model_copy(update={"ram": budget})
    spec = result.spec.model_copy(update={"platform": platform})
    (line,) = planned_ram_line(replace(result, spec=spec, planned_ram=5220))
    assert line == Line("RAM", "5,220 B", detail)
    assert planned_ram_line(result) == ()


def test_a_number_on_a_pale_ground_has_the_pages_ink():
    table = heat_table(np.array([[3, 7], [0, 10]]), ("a", "b"))
    kinds = [[cell.kind for cell in row.cells] for row in table.rows]
    assert kinds == [["right pale", "wrong"], ["none", "right"]]


def test_the_arena_has_one_number():
    build = build_result()
    planned = max(buffer.end for buffer in build.arena)
    for kind, arena in (("dense", SIZES.ram.arena), ("gru", planned)):
        layers = (replace(build.layers[0], kind=kind), *build.layers[1:])
        parts = {part.name: part.size for part in ram_parts(SIZES, layers, build.arena)}
        assert parts["arena"] == arena
        assert parts.get("states", 0) == SIZES.ram.arena - arena
        assert sum(parts.values()) == SIZES.ram.total
        assert arena_map(build.arena, layers, SIZES).size == bytes_text(arena)


class TestTimeOfAStep:
    """Milliseconds are estimated where the spec names a board with a clock."""

    @staticmethod
    def on(board: str, cycles: int | None):
        result = verify_result()
        own = {"board": board, "name": load_board(board).platform.name}
        platform = result.spec.platform.model_copy(update=own)
        spec = result.spec.model_copy(update={"platform": platform})
        return replace(
            result, spec=spec, cycles_per_step=cycles, cycles_per_inference=cycles and cycles // 3
        )

    def test_from_cycles(self):
        line = instruction_lines(self.on("pico", 66_500))[-1]
        assert (line.name, line.value) == ("Time a step", "about 0.5 ms")
        assert line.detail == "an estimate for pico at 133 MHz, memory without wait states"
        assert self.on("pico", 66_500).to_json()["milliseconds_per_step_estimate"] == 0.5

    def test_from_instructions_where_cycles_are_not_known(self):
        line = instruction_lines(self.on("esp32-c3", None))[-1]
        # 50,222 instructions at 160 MHz.
        assert line.value == "about 0.314 ms"
        assert line.detail.endswith("memory without wait states, an instruction a cycle")

    def test_energy_is_told_in_inferences(self):
        line = instruction_lines(self.on("pico", 66_500))[-2]
        assert line == Line(
            "Energy of a step",
            "about 3.0 inferences",
            "an estimate by cycles: 1.04 ms of a core at 64 MHz",
        )
        line = instruction_lines(verify_result())[-1]
        assert line.detail == "an estimate by instructions: 0.785 ms of a core at 64 MHz"

    def test_without_a_board_or_its_clock_there_is_none(self):
        assert verify_result().to_json()["milliseconds_per_step_estimate"] is None
        for result in (verify_result(), self.on("riscv-virt", None)):
            assert "Time a step" not in [line.name for line in instruction_lines(result)]
