"""What guides say of commands, platforms, boards and warnings is what there is."""

import re
from pathlib import Path

import click
import pytest

from tests.support.documents import DOCS
from tpsgd_edge.cli.commands import cli
from tpsgd_edge.codegen.packages import TARGETS
from tpsgd_edge.stages.doubts import CHECKS
from tpsgd_edge.toolchain.board import all_boards
from tpsgd_edge.toolchain.platforms import all_platforms

ROOT = DOCS.parent
PAGES = [ROOT / "README.md", ROOT / "examples/README.md", *sorted(DOCS.rglob("*.md"))]
# A command in a code block or between backticks, up to a comment, another column or the end.
COMMAND = re.compile(r"(?:^ {4}|`)tpsgd-edge ([^`\n|>]+?)(?= {2,}|`| #|[|>\\]|$)", re.MULTILINE)


def commands(path: Path) -> list[str]:
    """The arguments of each call of the command on a page."""
    return COMMAND.findall(path.read_text(encoding="utf-8"))


def unknown(arguments: str) -> list[str]:
    """Words of a call that name no command and no option of it."""
    known: set[str] = {"--help", "--version"}
    group: click.Command = cli
    for word in arguments.split():
        if isinstance(group, click.Group) and word in group.commands:
            group = group.commands[word]
        known |= {name for parameter in group.params for name in parameter.opts}
    if group is cli:
        return arguments.split()[:1]
    words = [word.partition("=")[0] for word in arguments.split()]
    return [word for word in words if word.startswith("--") and word not in known]


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_commands_that_a_page_shows_are_there(path):
    assert {call: words for call in commands(path) if (words := unknown(call))} == {}


def test_pages_show_commands():
    assert sum(len(commands(path)) for path in PAGES) > 100
    assert unknown("build digits.toml --costs") == []
    assert unknown("build digits.toml --cost") == ["--cost"]
    assert unknown("link PORT digits.toml feed --train") == []
    assert unknown("quantise digits.toml") == ["quantise"]


def test_each_warning_has_its_row():
    text = (DOCS / "FAQ.md").read_text(encoding="utf-8")
    assert re.findall(r"^\| `([a-z-]+)` \|", text, re.MULTILINE) == list(CHECKS)


def test_the_matrix_has_each_platform_board_and_package():
    text = (DOCS / "ecosystems/README.md").read_text(encoding="utf-8")
    matrix = text.partition("## The same net, the same bits")[2]
    platforms = {platform.name for platform in all_platforms()}
    assert set(re.findall(r"--platform ([\w-]+)", matrix)) == platforms
    booting = [board.name for board in all_boards() if board.boots]
    assert len(booting) >= 4
    assert not [name for name in booting if name not in matrix]
    named = set(re.findall(r"--for ([\w-]+)", matrix))
    said = {"PlatformIO": "platformio", "ESP-IDF": "esp-idf", "CMSIS-Pack": "cmsis-pack"}
    assert named | {name for title, name in said.items() if title in matrix} == set(TARGETS)


ROW = re.compile(r"^\| .* \| ([\w+ -]+) \| (\d+) \|.* about ([\d.]+)[ ¹²]*\|$", re.MULTILINE)
CYCLES = re.compile(r"^\| (Cortex-M[\w+]+) \|(?: [\d,]+ \|){3} ([\d,]+) \|$", re.MULTILINE)
COUNTS = re.compile(
    r"^\| ([\w+ -]+) \|.* ([\d,]+) \| [\d,]+ \| equal, 1,000 steps \|$", re.MULTILINE
)


def number(text: str) -> int:
    return int(text.replace(",", ""))


def test_times_of_the_list_of_boards_follow_from_the_tables_of_costs():
    text = (DOCS / "results/costs.md").read_text(encoding="utf-8")
    expected = {core: number(found) for core, found in COUNTS.findall(text)}
    expected |= {core: number(found) for core, found in CYCLES.findall(text)}
    expected |= {"Cortex-M0": expected["Cortex-M0+"], "RV32IMAC": expected["RV32IMC"]}
    rows = ROW.findall((DOCS / "BOARD_LIST.md").read_text(encoding="utf-8"))
    assert len(rows) > 12
    for core, clock, told in rows:
        assert told == f"{expected[core] / int(clock) / 1000:#.2g}", (core, clock)


def test_the_list_has_each_board_that_the_tool_has_the_clock_of():
    text = (DOCS / "BOARD_LIST.md").read_text(encoding="utf-8")
    told = dict(re.findall(r"^\| [^|]+ \| `([\w-]+)` \| [^|]+ \| [\w+ -]+ \| (\d+) \|", text, re.M))
    # The MPS2 is a board for prototypes of chips, and no chip of its own.
    boards = [board for board in all_boards() if board.clock and board.name != "mps2-an386"]
    assert told == {board.name: str(board.clock // 1_000_000) for board in boards}
