"""The progress bar: for people on stderr, and for nobody else."""

import io
import sys

from tpsgd_edge.cli.progress import progress_bar


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_without_a_terminal_there_is_none(monkeypatch):
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    with progress_bar() as progress:
        assert progress is None


def test_on_a_terminal_each_stage_has_a_bar(monkeypatch, capsys):
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "80")
    with progress_bar() as progress:
        progress("training [x]", 1, 3)
        progress("verifying", 0, 7)
        progress("training [x]", 3, 3)
    text = terminal.getvalue()
    assert "training [x]" in text
    assert "3/3" in text
    assert "0/7" in text
    assert capsys.readouterr().out == ""
