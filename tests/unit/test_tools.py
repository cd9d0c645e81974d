"""The scripts in tools/: each starts, and does its work on something small."""

import re
import runpy
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from tools import (
    bench_formats,
    bench_host,
    bench_start,
    check_ram,
    platform_table,
    results_examples,
    results_s4,
)
from tpsgd_edge.errors import ToolError
from tpsgd_edge.spec import load_spec
from tpsgd_edge.stages import prepare
from tpsgd_edge.toolchain.compilers import find_compiler
from tpsgd_edge.toolchain.open_device import find_emulator
from tpsgd_edge.toolchain.platforms import load_platform
from tpsgd_edge.toolchain.sizes import Ram

ROOT = Path(__file__).parent.parent.parent
SCRIPTS = sorted(path.name for path in (ROOT / "tools").glob("*.py"))
# One takes no arguments, others are modules of the others.
# Others import these, or the documentation site does.
NO_HELP = (
    "conv_data.py",
    "conv_in_torch.py",
    "experiments.py",
    "fuzz_changes.py",
    "gated_runs.py",
    "line_devices.py",
    "make_digits.py",
    "of_seeds.py",
    "open_data.py",
    "docs_docstrings.py",
    "docs_hooks.py",
    "docs_text.py",
)
DIGITS = ROOT / "examples" / "digits.toml"


@pytest.mark.series(2)
@pytest.mark.parametrize("script", [name for name in SCRIPTS if name not in NO_HELP])
def test_help(
    script: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", [script, "--help"])
    with pytest.raises(SystemExit, match="0"):
        runpy.run_path(str(ROOT / "tools" / script), run_name="__main__")
    assert capsys.readouterr().out.startswith(f"usage: {script}")


def test_a_script_starts_where_only_the_package_is_known(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, str(ROOT / "tools" / "results_dense.py"), "--help"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert done.stdout.startswith("usage: results_dense.py")


def test_start_times_are_ratios_to_the_libraries() -> None:
    rows = [("libraries alone", 0.5, 0.25), ("tpsgd-edge --help", 0.1, 0.05)]
    assert bench_start.table(rows).splitlines()[2:] == [
        "| libraries alone | 0.50 | 0.25 | 1.0 |",
        "| tpsgd-edge --help | 0.10 | 0.05 | 0.2 |",
    ]


class TestHost:
    @pytest.mark.slow
    def test_a_short_contest(self, capsys: pytest.CaptureFixture[str], host_compiler: None) -> None:
        prepared = prepare(load_spec(DIGITS, ["platform.name=host"]))
        bench_host.contest(prepared, 240, 2, None)
        said = capsys.readouterr().out
        assert re.search(r"^generated code, .*: [\d,]+ samples/s \(240 samples in", said)
        assert re.search(r"^numpy reference: [\d,]+ samples/s \(2 samples in", said, re.MULTILINE)

    @pytest.mark.slow
    def test_without_torch_it_says_so(
        self,
        capsys: pytest.CaptureFixture[str],
        monkeypatch: pytest.MonkeyPatch,
        host_compiler: None,
    ) -> None:
        monkeypatch.setitem(sys.modules, "torch", None)
        prepared = prepare(load_spec(DIGITS, ["platform.name=host"]))
        bench_host.contest(prepared, 240, 2, None)
        assert "torch is not installed: no ratio" in capsys.readouterr().out


@pytest.mark.slow
def test_formats_are_timed_beside_each_other(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, host_compiler: None
) -> None:
    monkeypatch.setitem(bench_formats.NETS, "rows_memory", bench_formats.Net("digits", 60))
    monkeypatch.setattr(bench_formats, "PEAK_TIMES", 10)
    monkeypatch.setattr(sys, "argv", ["bench_formats.py", "--net", "rows_memory", "--turns", "2"])
    assert bench_formats.main() == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(" | ")[1] for line in lines[2:]] == ["s16", "s8", "f32"]
    assert lines[2].split(" | ")[3] == lines[2].split(" | ")[5] == "1.00"
    assert all(re.match(r"\| rows_memory \|( [\w,.]+ \|){7}$", line) for line in lines[2:])


class TestRam:
    def test_what_is_allowed(self) -> None:
        net = check_ram.Net((64, 32, 10))
        assert net.allowed(1000) == 4 * 32 + 64
        assert check_ram.Net(example="fashion_cnn").allowed(1000) == 100
        inference = Ram(weights=100, arena=10, stack=20)
        fits = check_ram.Cost(net, "m", inference, Ram(100, 10 + 128, 20 + 64))
        assert fits.fits
        assert not replace(fits, training=Ram(100, 10 + 128, 20 + 65)).fits

    def test_titles_tell_networks_apart(self) -> None:
        titles = [net.title for net in check_ram.NETS]
        assert len(set(titles)) == len(titles)

    @pytest.mark.slow
    @pytest.mark.emulator
    @pytest.mark.parametrize("platform", ["cortex-m0plus", "rv32imc"])
    @pytest.mark.parametrize("weights", ["s16", "s8", "f32"])
    def test_digits_train_in_the_ram_that_is_allowed(self, platform: str, weights: str) -> None:
        try:
            find_compiler(load_platform(platform))
            find_emulator(load_platform(platform))
        except ToolError as error:
            pytest.skip(str(error))
        cost = check_ram.cost_of(check_ram.Net((64, 32, 10), weights), platform)
        assert cost.inference.stack > 0
        assert 0 < cost.added <= cost.allowed

    @pytest.mark.slow
    @pytest.mark.emulator
    def test_convolutions_train_in_the_ram_of_inference_and_a_tenth(self) -> None:
        try:
            find_compiler(load_platform("cortex-m4f"))
            find_emulator(load_platform("cortex-m4f"))
        except ToolError as error:
            pytest.skip(str(error))
        cost = check_ram.cost_of(check_ram.Net(example="fashion_cnn"), "cortex-m4f")
        assert cost.training.arena == cost.inference.arena
        assert cost.fits


@pytest.mark.slow
def test_platform_table(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, host_compiler: None
) -> None:
    arguments = ["platform_table.py", str(DIGITS), "--platform", "host", "--steps", "20"]
    monkeypatch.setattr(sys, "argv", arguments)
    assert platform_table.main() == 0
    assert "| this computer |  |  |  |  |  |  |  |  |  | equal, 20 steps, in-process |" in (
        capsys.readouterr().out
    )


@pytest.mark.slow
def test_integers_cost_an_example_less_than_a_hundredth(
    tmp_path: Path, host_compiler: None
) -> None:
    pytest.importorskip("torch")
    cells = results_examples.row("diabetes", tmp_path).split("|")[2:-1]
    real, s16, _, s8, _ = cells
    assert float(real) > 0.4
    assert abs(float(s16) - float(real)) < 0.01
    assert abs(float(s8) - float(real)) < 0.01


@pytest.mark.slow
def test_weights_of_4_bits_take_half_of_8_and_cost_less_than_two_hundredths(
    tmp_path: Path, host_compiler: None
) -> None:
    pytest.importorskip("torch")
    _, s16, _, s4, *_, bytes_s8, bytes_s4, _ = results_s4.row("diabetes", tmp_path).split("|")[1:]
    assert abs(float(s4) - float(s16)) < 0.02
    assert int(bytes_s8) == 2 * int(bytes_s4) == 160
