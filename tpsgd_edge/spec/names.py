"""Names that C, compilers, file systems and the generated code leave free."""

import re

_C_NAME = re.compile(r"[a-z][a-z0-9_]{0,30}")
_KEYWORDS = """
    auto break case char const continue default do double else enum extern float for goto if inline
    int long register restrict return short signed sizeof static struct switch typedef union
    unsigned void volatile while
"""
# Members, parameters and functions of every generated project, and names that compilers predefine.
_TAKEN = "rng step model x label labels output outputs arena main bool linux unix"
# NAME.h would hide a header of the C library or of the port; Windows has no file con, aux, ..
_FILES_TAKEN = """
    assert complex ctype errno fenv inttypes iso646 limits locale math setjmp signal stdalign
    stdarg stdatomic stdbool stddef stdint stdio stdlib stdnoreturn string tgmath threads time uchar
    unistd wchar wctype model_port con aux nul prn
"""

# NAME_raw.h of one model is not to be the header of a model NAME_raw.
_ENDINGS = ("_train", "_store", "_raw", "_log", "_wire")


def check_c_name(name: str) -> str:
    """Return the name if it can name a member of a struct in a generated project.

    Raises:
        ValueError: C does not allow the name, or the generated code uses it itself.
    """
    if not _C_NAME.fullmatch(name):
        raise ValueError(
            f"{name[:40]!r} is not a lower-case C name: a letter, "
            f"then up to 30 letters, digits or underscores{_such_as(name)}"
        )
    if name in _KEYWORDS.split():
        raise ValueError(f"{name!r} is a word of the C language")
    if name in _TAKEN.split() or name.startswith("tps_") or name.endswith("_t"):
        raise ValueError(f"{name!r} is taken by the generated code")
    return name


def _such_as(name: str) -> str:
    """A name like the one given that C allows; nothing where there is none."""
    near = re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_0123456789")[:31].rstrip("_")
    return f", such as {near!r}" if _C_NAME.fullmatch(near) else ""


def check_model_name(name: str) -> str:
    """Return the name if it can name C functions and files.

    Raises:
        ValueError: it cannot, or it would meet names of other models in one firmware.
    """
    if check_c_name(name) in _FILES_TAKEN.split():
        raise ValueError(f"{name!r} is taken: {name}.h would hide another file")
    if "tps" in name.split("_") or name.endswith(_ENDINGS):
        raise ValueError(
            f"{name!r} would share names with other models in one firmware: "
            f"leave out the word 'tps', and {', '.join(_ENDINGS)} at the end"
        )
    return name


def check_class_names(value: object) -> tuple[str, ...]:
    """Return the names of classes as text, whatever they were written as.

    Raises:
        ValueError: fewer than two names, one name twice, or other things than names.

    >>> check_class_names([3, 5.0, "seven"])
    ('3', '5', 'seven')
    """
    names = list(value) if isinstance(value, list | tuple) else []
    if len(names) < 2 or not all(isinstance(name, str | int | float) for name in names):
        raise ValueError('\'classes\' looks like ["up", "down"]: names in the order of outputs')
    written = tuple(_written(name) for name in names)
    twice = sorted({name for name in written if written.count(name) > 1})
    if twice:
        raise ValueError(f"'classes' holds {twice[0]!r:.40} twice")
    return written


def _written(name: object) -> str:
    return str(int(name)) if isinstance(name, float) and name.is_integer() else str(name).strip()
