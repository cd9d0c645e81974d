"""The counts of docs/results/counts.json still hold, and the guard notices when they do not."""

import pytest

from tools import check_counts
from tpsgd_edge.errors import ToolError
from tpsgd_edge.toolchain.compilers import find_compiler
from tpsgd_edge.toolchain.open_device import find_emulator
from tpsgd_edge.toolchain.platforms import load_platform
from tpsgd_edge.toolchain.qemu_counter import check_plugins

pytestmark = pytest.mark.emulator


@pytest.mark.slow
@pytest.mark.parametrize("core", check_counts.PLATFORMS)
def test_no_count_grew(core, capsys):
    platform = load_platform(core)
    try:
        if find_emulator(platform) == "qemu":
            check_plugins(platform)
            find_compiler(load_platform("host"))
        title = find_compiler(platform).title
    except ToolError as error:
        pytest.skip(str(error))
    if title != check_counts.read(check_counts.COUNTS)[0]:
        pytest.skip(f"the counts are of another compiler than {title}")
    status = check_counts.check(check_counts.COUNTS, [core])
    assert status == 0, capsys.readouterr().err


def test_the_guard_fires_at_three_percent(tmp_path, monkeypatch, capsys):
    path = tmp_path / "counts.json"
    check_counts.write(path, "zig 1", {"cortex-m3 s8": {"inference": 1000, "step": 5000}})
    monkeypatch.setattr(check_counts, "compiler_title", lambda: "zig 1")
    monkeypatch.setattr(check_counts, "FORMATS", ("s8",))

    monkeypatch.setattr(check_counts, "measured", lambda *_: {"inference": 1030, "step": 100})
    assert check_counts.check(path, ["cortex-m3"]) == 0
    assert "| cortex-m3 s8 | inference | 1,000 | 1,030 | +3.0 % |" in capsys.readouterr().out

    monkeypatch.setattr(check_counts, "measured", lambda *_: {"inference": 1031, "step": 100})
    assert check_counts.check(path, ["cortex-m3"]) == 1
    said = capsys.readouterr().err
    assert "digits on cortex-m3 s8: inference grew by 3.1 %, from 1,000 to 1,031" in said
    assert "check_counts.py --update" in said


def test_counts_of_another_compiler_are_not_compared(tmp_path, monkeypatch, capsys):
    path = tmp_path / "counts.json"
    check_counts.write(path, "zig 1", {})
    monkeypatch.setattr(check_counts, "compiler_title", lambda: "zig 2")
    assert check_counts.check(path, ["cortex-m3"]) == 0
    assert "nothing to compare" in capsys.readouterr().out
