"""A griffe extension of mkdocs.yml: docstrings in the form that its parser wants.

Examples become blocks of code, and names that share a description get it each.
"""

from typing import Any

import griffe
from docs_text import apart, fenced


class Docstrings(griffe.Extension):  # type: ignore[misc]
    """Put each docstring of the package into that form."""

    def on_object(self, *, obj: Any, **_: Any) -> None:
        """Change the text of a docstring before it is parsed."""
        if obj.docstring is not None:
            obj.docstring.value = fenced(apart(obj.docstring.value))
