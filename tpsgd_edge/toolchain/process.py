"""Children: started with a list and a timeout, their last words kept for the error."""

import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from tpsgd_edge.errors import ToolError

_LAST_LINES = 12


def run_tool(
    command: Sequence[str | Path],
    *,
    purpose: str,
    timeout: float,
    cwd: Path | None = None,
    environment: Mapping[str, str] | None = None,
) -> str:
    """Run a tool to its end and return what it wrote, stdout then stderr.

    A child does not outlive an interrupt (Ctrl-C) or the timeout.

    Args:
        environment: added to that of this process.

    Raises:
        ToolError: it is missing, failed, or took longer than `timeout` seconds.
    """
    words = [str(word) for word in command]
    try:
        done = subprocess.run(
            words,
            cwd=cwd,
            env=tool_environment() | dict(environment or {}),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=timeout,
            check=False,
        )
    except OSError as error:
        raise ToolError(f"{purpose} could not start", where=words[0], found=str(error)) from error
    except subprocess.TimeoutExpired as error:
        raise ToolError(f"{purpose} took longer than {timeout:g} s", where=shown(words)) from error
    said = (done.stdout + done.stderr).decode("utf-8", "replace")
    if done.returncode != 0:
        raise failure(purpose, words, done.returncode, said)
    return said


def failure(purpose: str, words: Sequence[str], code: int, said: str) -> ToolError:
    """The error of a tool that ended badly, with its last words."""
    ending = f"killed by signal {-code}" if code < 0 else f"exit code {code}"
    lines = said.strip().splitlines()
    last = "\n".join(["", *(f"    {line}" for line in lines[-_LAST_LINES:])]) if lines else ""
    return ToolError(f"{purpose} failed", where=shown(words), found=ending + last)


def tool_environment() -> dict[str, str]:
    """This process's environment, with messages in English."""
    return os.environ | {"LC_ALL": "C"}


def shown(words: Sequence[str], limit: int = 200) -> str:
    """A command for a message, cut where it gets long."""
    text = " ".join(words)
    return text if len(text) <= limit else text[:limit] + " ..."
