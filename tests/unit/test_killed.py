"""Commands that are killed at any moment: the next run works, and nobody stays behind."""

import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.random.counts import ELSEWHERE, NOW
from tpsgd_edge.starter import create_project

# Everything is loaded once, before any clock runs, so that kills fall into the work itself. Each
# command is then a process of its own, forked from this one, which says how it ended.
CODE = """
import json, os, sys, tempfile
from tpsgd_edge import pipeline
from tpsgd_edge.cli import run
if sys.argv[1] == "compare":
    import tpsgd_edge.comparison.compare
for line in sys.stdin:
    folder, arguments = json.loads(line)
    child = os.fork()
    if child == 0:
        os.setsid()
        os.chdir(folder)
        os.environ["TMPDIR"] = tempfile.tempdir = os.path.join(folder, "tmp")
        said = os.open("said.txt", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(said, 1)
        os.dup2(said, 2)
        code = 70
        try:
            code = run(arguments)
        finally:
            sys.stdout.flush()
            os._exit(code)
    print(child, flush=True)
    _, status = os.waitpid(child, 0)
    print(os.waitstatus_to_exitcode(status), flush=True)
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


class Commands:
    """Runs commands of one kind in folders below `root`, each as a process of its own."""

    def __init__(self, root: Path, command: str) -> None:
        self.root = root
        self._parent = subprocess.Popen(
            [sys.executable, "-c", CODE, command],
            env={**os.environ, MARK: str(root)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __enter__(self) -> "Commands":
        return self

    def __exit__(self, *_: object) -> None:
        self._parent.stdin.close()
        self._parent.wait()
        self._parent.stdout.close()

    def start(self, folder: Path, arguments: list[str]) -> int:
        """The id of a process that begins with the work."""
        (folder / "tmp").mkdir(exist_ok=True)
        self._parent.stdin.write(json.dumps([str(folder), arguments]) + "\n")
        self._parent.stdin.flush()
        return int(self._parent.stdout.readline())

    def ended(self) -> int:
        """How the last one ended, when it has."""
        return int(self._parent.stdout.readline())

    def kill_after(self, folder: Path, arguments: list[str], seconds: float) -> None:
        """Start a command and kill it, and only it, some time later."""
        child = self.start(folder, arguments)
        time.sleep(seconds)
        # Nobody else can have its number: whoever waits for it has not been asked yet.
        with contextlib.suppress(ProcessLookupError):
            os.kill(child, signal.SIGKILL)
        assert self.ended() in (0, -signal.SIGKILL)

    def run_to_the_end(self, folder: Path, arguments: list[str]) -> float:
        """How long a command works; it must be good."""
        begin = time.perf_counter()
        self.start(folder, arguments)
        assert self.ended() == 0, (folder / "said.txt").read_text()
        return time.perf_counter() - begin

    def alive(self) -> list[int]:
        """Processes of the folder that still run, but the one that starts them."""
        found = []
        for entry in Path("/proc").iterdir():
            try:
                is_ours = f"{MARK}={self.root}\0".encode() in (entry / "environ").read_bytes()
                # A process that nobody has waited for yet is dead all the same.
                if is_ours and ") Z " not in (entry / "stat").read_text():
                    found.append(int(entry.name))
            except (OSError, ValueError):
                continue
        return [number for number in found if number != self._parent.pid]


def nobody_stays(commands: Commands) -> bool:
    """Whether all have ended, soon: a compiler may finish what it has begun."""
    for _ in range(600):
        if not commands.alive():
            return True
        time.sleep(0.05)
    return False


def content_of(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
        and path.suffix != ".sqlite"
        and path.parts[len(folder.parts)] not in ("tmp", "said.txt")
    }


def killed_often(root: Path, command: str, times: int) -> None:
    arguments, calm, rough = COMMANDS[command], root / "calm", root / "rough"
    with Commands(root, command) as commands:
        for folder in (calm, rough):
            create_project("net", folder)
            if command == "export":
                commands.run_to_the_end(folder, [*COMMANDS["simulate"][:-1], "first.bin"])
        seconds = commands.run_to_the_end(calm, arguments)
        draw = random.Random(f"{command} {times}")
        for _ in range(times):
            commands.kill_after(rough, arguments, draw.uniform(0, 1.1) * seconds)
            assert nobody_stays(commands), commands.alive()
        commands.run_to_the_end(rough, arguments)
        assert nobody_stays(commands)
    # Scratch folders and half-written files of those that were killed are gone too.
    assert content_of(rough) == content_of(calm)
    assert not [*(rough / "tmp").glob("tpsgd-edge*")]


needs_proc = pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="no /proc here")


@needs_proc
def test_a_command_that_was_killed_works_the_next_time(tmp_path):
    killed_often(tmp_path, "render", 1)


@needs_proc
@pytest.mark.slow
@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_may_be_killed_at_any_moment(tmp_path, command):
    pytest.importorskip({"compare": "torch", "export": "onnx"}.get(command, "numpy"))
    # Each time `compare` starts two processes that load torch.
    times = 5 if NOW is ELSEWHERE else 12
    killed_often(tmp_path, command, times // 2 if command == "compare" else times)


@needs_proc
@pytest.mark.slow
def test_workers_end_with_the_one_that_asked_for_them(tmp_path):
    pytest.importorskip("torch")
    create_project("net", tmp_path / "net")
    arguments = [*COMMANDS["compare"], "--epochs", "100000"]
    with Commands(tmp_path, "compare") as commands:
        child = commands.start(tmp_path / "net", arguments)
        while len(commands.alive()) < 3:
            time.sleep(0.05)
        time.sleep(4)
        os.kill(child, signal.SIGKILL)
        assert commands.ended() == -signal.SIGKILL
        assert nobody_stays(commands), commands.alive()
