"""Classes by name: constants that C can say, and text."""

import re
import unicodedata
from dataclasses import dataclass

from tpsgd_edge.errors import visible
from tpsgd_edge.quantize.model import QuantizedModel

# Names of C may differ behind their first 63 characters only; this leaves room for a prefix.
_LONGEST = 31
# What would end a comment or begin another one, or make a line of two.
_NOT_IN_COMMENTS = re.compile(r"\*/|/\*|\\$")


@dataclass(frozen=True, slots=True)
class ClassView:
    """One class.

    Attributes:
        index: its place among the outputs.
        constant: what follows NAME_CLASS_ in C; all of a model differ.
        text: its name as a literal of C, with quotes.
        note: a comment where the constant does not say the name.
        shown: its name in Markdown.
    """

    index: int
    constant: str
    text: str
    note: str
    shown: str


def class_views(model: QuantizedModel) -> tuple[ClassView, ...]:
    """The classes in the order of the outputs; empty where they have no names, or are none."""
    taken: set[str] = set()
    views = []
    for index, name in enumerate(model.labels.names):
        constant = _unique(c_constant(name) or str(index), taken)
        taken.add(constant)
        said = _NOT_IN_COMMENTS.sub(lambda match: " ".join(match[0]), visible(name))
        note = "" if constant == name.upper() else said
        shown = visible(name).replace("`", "'").replace("|", "/")
        views.append(ClassView(index, constant, c_text(name), note, shown))
    return tuple(views)


def c_constant(name: str) -> str:
    """A name in capitals, digits and underscores; empty where nothing of it is left.

    >>> c_constant("T-shirt"), c_constant("-1"), c_constant("größe"), c_constant("猫")
    ('T_SHIRT', 'MINUS_1', 'GROSSE', '')
    """
    plain = re.sub(r"^\s*[-\u2212](?=\d)", "MINUS_", name)
    plain = unicodedata.normalize("NFKD", plain.replace("ß", "ss"))
    plain = re.sub(r"[^A-Z0-9]+", "_", plain.encode("ascii", "ignore").decode().upper())
    return plain.strip("_")[:_LONGEST].rstrip("_")


def c_text(name: str) -> str:
    r"""A string literal of C: text in UTF-8, what is no ASCII in octal digits.

    >>> print(c_text('a "b" ?'))
    "a \"b\" \?"
    """
    return f'"{"".join(map(_c_byte, name.encode("utf-8", "replace")))}"'


def _c_byte(byte: int) -> str:
    # A question mark may begin a trigraph.
    if byte in b'"\\?':
        return f"\\{chr(byte)}"
    return chr(byte) if 0x20 <= byte < 0x7F else f"\\{byte:03o}"


def _unique(constant: str, taken: set[str]) -> str:
    candidate, count = constant, 1
    while candidate in taken:
        count += 1
        candidate = f"{constant}_{count}"
    return candidate
