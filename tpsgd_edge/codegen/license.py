"""The licence of generated code, as each of its files names it."""

# Ours, or none to speak of: who ships a product owes no notice for code that was made for it.
LICENSE = "Apache-2.0 OR 0BSD"
_LINE = f"SPDX-License-Identifier: {LICENSE}"


def with_license(path: str, text: str) -> str:
    """The text of a file with the licence in its first line, or as it is where it names that.

    >>> with_license("net.h", "#ifndef NET_H").splitlines()[0]
    '/* SPDX-License-Identifier: Apache-2.0 OR 0BSD */'
    >>> with_license("Makefile", "# Makefile").splitlines()[0]
    '# SPDX-License-Identifier: Apache-2.0 OR 0BSD'
    """
    if _LINE in text:
        return text
    line = f"/* {_LINE} */" if path.endswith((".c", ".h", ".ld")) else f"# {_LINE}"
    return f"{line}\n{text}"
