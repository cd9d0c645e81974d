"""Markdown and docstrings of this repository in the form that the site's tools want."""

import re

_SHARED = re.compile(r"(?P<indent> +)(?P<names>\w+(?:, \w+)+): (?P<words>.*)")
_ITEM = re.compile(r"(?:[-*]|\d+\.) ")


def with_gaps(lines: list[str]) -> list[str]:
    """Put an empty line before each list, which Python's Markdown asks for."""
    spaced: list[str] = []
    in_code = False
    for line in lines:
        in_code ^= line.startswith("```")
        before = spaced[-1] if spaced else ""
        begins = _ITEM.match(line) and before and not _ITEM.match(before.lstrip())
        if begins and not in_code and not before.startswith((" ", "\t")):
            spaced.append("")
        spaced.append(line)
    return spaced


def fenced(text: str) -> str:
    """Fence the examples of a docstring.

    >>> fenced("One.\\n\\n>>> 1 + 1\\n2\\n\\nTwo.").split("\\n")
    ['One.', '', '```pycon', '>>> 1 + 1', '2', '```', '', 'Two.']
    """
    lines: list[str] = []
    inside = ""
    for line in [*text.split("\n"), ""]:
        indent = line[: len(line) - len(line.lstrip())]
        if line.lstrip().startswith(">>> ") and not inside:
            inside = f"{indent}```"
            lines.append(f"{inside}pycon")
        if not line.strip() and inside:
            lines.append(inside)
            inside = ""
        lines.append(line)
    return "\n".join(lines[:-1])


def apart(text: str) -> str:
    """Give each of the names that share a description a line of its own.

    >>> apart("Args:\\n    x, y: samples,\\n        and labels.").split("\\n")
    ['Args:', '    x: samples,', '        and labels.', '    y: samples,', '        and labels.']
    """
    lines = text.split("\n")
    told: list[str] = []
    for at, line in enumerate(lines):
        shared = _SHARED.fullmatch(line)
        if shared is None:
            told.append(line)
            continue
        *others, _ = shared["names"].split(", ")
        more = []
        for behind in lines[at + 1 :]:
            if not behind.startswith(f"{shared['indent']}  "):
                break
            more.append(behind)
        for name in others:
            told += [f"{shared['indent']}{name}: {shared['words']}", *more]
        told.append(f"{shared['indent']}{shared['names'].rpartition(', ')[2]}: {shared['words']}")
    return "\n".join(told)
