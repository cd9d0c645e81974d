"""Commands that are killed at any moment: the next run works, and nobody stays behind."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tpsgd_edge.starter import create_project

# Everything is loaded before the clock runs, so that kills fall into the work itself.
CODE = """
import sys
from tpsgd_edge import pipeline
from tpsgd_edge.cli import run
if sys.argv[1] == "compare":
    import tpsgd_edge.comparison.compare
print("ready", flush=True)
sys.exit(run(sys.argv[1:]))
"""
QUICK = ("--set", "rule.epochs=2", "--set", "platform.name=host")
COMMANDS = {
    "render": ["build", "net.toml", *QUICK, "--out", "out", "--no-compile"],
    "build": ["build", "net.toml", *QUICK, "--out", "out"],
    "simulate": ["simulate", "net.toml", *QUICK, "--weights-out", "w.bin"],
    "report": ["report", "net.toml", *QUICK, "--steps", "20", "--out", "r.html"],
    "export": ["export", "net.toml", *QUICK, "--weights", "first.bin", "--onnx", "n.onnx"],
    "compare": [
        *["compare", "net.toml", "--rules", "dfa", "--rates", "0.1", "--seeds", "1"],
        *["--epochs", "1", "--jobs", "2", "--out", "r.sqlite"],
    ],
}
MARK = "TPSGD_EDGE_TEST_OF"


def start(folder: Path, arguments: list[str]) -> "subprocess.Popen[str]":
    (folder / "tmp").mkdir(exist_ok=True)
    return subprocess.Popen(
        [sys.executable, "-c", CODE, *arguments],
        cwd=folder,
        env={**os.environ, "TMPDIR": str(folder / "tmp"), MARK: str(folder)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def kill_after(folder: Path, arguments: list[str], seconds: float) -> None:
    """Start a command and kill it, and only it, some time after everything was loaded."""
    with start(folder, arguments) as child:
        assert child.stdout.readline() == "ready\n"
        time.sleep(seconds)
        child.kill()


def run_to_the_end(folder: Path, arguments: list[str]) -> float:
    """How long a command works; it must be good."""
    with start(folder, arguments) as child:
        assert child.stdout.readline() == "ready\n"
        begin = time.perf_counter()
        said = child.stdout.read()
        assert child.wait() == 0, said
        return time.perf_counter() - begin


def alive(folder: Path) -> list[int]:
    """Processes that were started for a folder and still run."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            is_ours = f"{MARK}={folder}\0".encode() in (entry / "environ").read_bytes()
            # A process that nobody has waited for yet is dead all the same.
            if is_ours and ") Z " not in (entry / "stat").read_text():
                found.append(int(entry.name))
        except (OSError, ValueError):
            continue
    return found


def nobody_stays(folder: Path) -> bool:
    """Whether all have ended, soon: a compiler may finish what it has begun."""
    for _ in range(600):
        if not alive(folder):
            return True
        time.sleep(0.05)
    return False


def content_of(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.suffix != ".sqlite" and path.parts[len(folder.parts)] != "tmp"
    }


def killed_often(folder: Path, command: str, times: int) -> None:
    arguments = COMMANDS[command]
    for name in ("calm", "rough"):
        create_project("net", folder / name)
        if command == "export":
            run_to_the_end(folder / name, [*COMMANDS["simulate"][:-1], "first.bin"])
    seconds = run_to_the_end(folder / "calm", arguments)
    draw = random.Random(f"{command} {times}")
    for _ in range(times):
        kill_after(folder / "rough", arguments, draw.uniform(0, 1.1) * seconds)
        assert nobody_stays(folder / "rough"), alive(folder / "rough")
    run_to_the_end(folder / "rough", arguments)
    assert nobody_stays(folder / "rough")
    # Scratch folders and half-written files of those that were killed are gone too.
    assert content_of(folder / "rough") == content_of(folder / "calm")
    assert not [*(folder / "rough" / "tmp").glob("tpsgd-edge*")]


needs_proc = pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="no /proc here")


@needs_proc
def test_a_command_that_was_killed_works_the_next_time(tmp_path):
    killed_often(tmp_path, "render", 1)


@needs_proc
@pytest.mark.slow
@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_may_be_killed_at_any_moment(tmp_path, command):
    pytest.importorskip({"compare": "torch", "export": "onnx"}.get(command, "numpy"))
    killed_often(tmp_path, command, 20)


@needs_proc
@pytest.mark.slow
def test_workers_end_with_the_one_that_asked_for_them(tmp_path):
    pytest.importorskip("torch")
    create_project("net", tmp_path / "net")
    arguments = [*COMMANDS["compare"], "--epochs", "100000"]
    with start(tmp_path / "net", arguments) as child:
        assert child.stdout.readline() == "ready\n"
        while len(alive(tmp_path / "net")) < 3:
            time.sleep(0.05)
        time.sleep(4)
        os.kill(child.pid, signal.SIGKILL)
    assert nobody_stays(tmp_path / "net"), alive(tmp_path / "net")
