"""Errors that a user can meet, in words that help.

Every error that a user can meet says what happened, where, what was found and what to do next, and
carries the exit code of the command line: 2 when the spec or the data are at fault, 3 when a tool
is missing or failed, or a device on a line. A mismatch between reference and device is no error but
a verdict; where nobody asked for one, what would be made from code that is wrong is refused
instead, with exit code 1.
"""

import unicodedata

# Controls, formats such as a change of direction, what has no character, ends of lines.
_UNSEEN = frozenset(("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"))


def visible(text: str, *, keep: str = "") -> str:
    r"""Text in which each character that a terminal would obey is written as an escape.

    Args:
        keep: characters that stay as they are.

    >>> visible("a\x1b[2Jb")
    'a\\x1b[2Jb'
    """
    return "".join(
        c
        if c in keep or unicodedata.category(c) not in _UNSEEN
        else c.encode("unicode_escape", "surrogatepass").decode("ascii")
        for c in text
    )


class TpsgdError(Exception):
    """Base of everything that a user can meet.

    Args:
        what: one sentence that says what is wrong, without a full stop.
        where: file, section, layer or command it concerns.
        found: what was there instead of what was expected.
        help: what to do next.
    """

    exit_code = 2

    def __init__(
        self,
        what: str,
        *,
        where: str | None = None,
        found: str | None = None,
        help: str | None = None,  # noqa: A002 - the word that the message prints
    ) -> None:
        self.what = what
        self.where = where
        self.found = found
        self.help = help
        super().__init__(self.message())

    def message(self) -> str:
        """The whole message, one labelled line for each part that is known."""
        lines = [self.what]
        for label, text in (("where", self.where), ("found", self.found), ("help", self.help)):
            if text:
                lines.append(f"  {label + ':':<6} {text}")
        return "\n".join(lines)

    def __reduce__(self) -> tuple[object, ...]:
        # Keyword-only arguments do not survive the default pickling between worker processes.
        return (_rebuild, (type(self), self.what, self.where, self.found, self.help))


def _rebuild(
    cls: type[TpsgdError], what: str, where: str | None, found: str | None, help_: str | None
) -> TpsgdError:
    return cls(what, where=where, found=found, help=help_)


class TrainingWarning(UserWarning):
    """A training whose result is doubtful; Python code that trains warns with it."""


class SpecError(TpsgdError):
    """The spec asks for something unknown, impossible or contradictory."""


class DataError(TpsgdError):
    """Samples, labels or weights are missing, malformed or do not fit the model."""


class BudgetError(TpsgdError):
    """The firmware needs more RAM or flash than the spec allows."""


class OutputError(TpsgdError):
    """The output folder cannot be written, or holds files that are not ours."""


class MismatchError(TpsgdError):
    """The compiled code does not compute what the reference does."""

    exit_code = 1


class ToolError(TpsgdError):
    """A compiler, emulator or optional package is missing or failed."""

    exit_code = 3


class LinkError(TpsgdError):
    """A device at the other end of a line does not answer, or is not what was expected there."""

    exit_code = 3


def how_to_install(*extras: str) -> str:
    """The command that brings optional packages: for a release, and in a checkout.

    >>> how_to_install("onnx")
    "pip install 'tpsgd-edge[onnx]' (in a checkout: pip install -c constraints.txt '.[onnx]')"
    """
    names = ",".join(extras)
    checkout = f"pip install -c constraints.txt '.[{names}]'"
    return f"pip install 'tpsgd-edge[{names}]' (in a checkout: {checkout})"
