"""Children: their errors, and their end."""

import signal
import subprocess
import sys
import time

import pytest

from tpsgd_edge.errors import ToolError
from tpsgd_edge.toolchain.doctor import survey
from tpsgd_edge.toolchain.process import run_tool


def python(code: str) -> list[str]:
    return [sys.executable, "-c", code]


def test_what_a_tool_says_comes_back():
    assert run_tool(python("print('hello')"), purpose="greeting", timeout=60) == "hello\n"


def test_a_failure_shows_command_exit_code_and_last_words():
    with pytest.raises(ToolError) as caught:
        run_tool(python("import sys; sys.exit('it is broken')"), purpose="working", timeout=60)
    message = str(caught.value)
    assert "working failed" in message
    assert sys.executable in message
    assert "exit code 1" in message
    assert "it is broken" in message


def test_a_missing_tool_is_named():
    with pytest.raises(ToolError, match="working could not start") as caught:
        run_tool(["no-such-tool"], purpose="working", timeout=60)
    assert caught.value.where == "no-such-tool"


def test_a_tool_that_hangs_is_ended():
    """For ever: if it were not, this test would not end either."""
    with pytest.raises(ToolError, match=r"working took longer than 0\.3 s"):
        run_tool(python("import signal; signal.pause()"), purpose="working", timeout=0.3)


def test_an_interrupt_ends_the_child(tmp_path):
    note = tmp_path / "pid"
    child = f"import os, time; open({str(note)!r}, 'w').write(str(os.getpid())); time.sleep(60)"
    # Where the tests themselves run in the background, children ignore interrupts.
    parent = (
        "import signal, sys; from tpsgd_edge.toolchain.process import run_tool\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        f"run_tool([sys.executable, '-c', {child!r}], purpose='waiting', timeout=60)"
    )
    process = subprocess.Popen(python(parent), stderr=subprocess.DEVNULL)
    try:
        while not (note.exists() and note.read_text()):
            assert process.poll() is None
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=30) != 0
    finally:
        process.kill()
    assert not _runs(int(note.read_text()))


def _runs(pid: int) -> bool:
    command = ["ps", "-o", "stat=", "-p", str(pid)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout.strip() not in ("", "Z")


def test_the_survey_says_of_every_tool_what_it_is_for_and_how_to_get_it():
    tools = survey()
    names = [tool.name for tool in tools]
    assert names[0] == "zig"
    assert {"gcc", "arm-none-eabi-gcc", "qemu-system-arm", "unicorn", "torch"} <= set(names)
    assert all(tool.purpose and tool.help for tool in tools)


def test_the_survey_notices_what_is_missing(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    found = {tool.name: tool.version for tool in survey()}
    assert found["gcc"] is None
    assert found["qemu-system-arm"] is None
