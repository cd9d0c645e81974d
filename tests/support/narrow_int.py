"""Finds C that means something else where int has 16 bits: an interval for each expression.

clang's syntax tree for AVR says in which type each operation is done. From the types of variables,
and from constants, follows what its result may be; where that is more than 16 bits hold, a core of
32 bits would have gone on to compute with the true value.
"""

import json
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

Node = dict[str, Any]
Interval = tuple[int, int]

_BITS = {"char": 8, "short": 16, "int": 16, "long": 32, "long long": 64, "_Bool": 1}
_EVERYTHING = (-(2**64), 2**64)


def findings(folder: Path, source: str, *flags: str) -> list[str]:
    """Expressions of a C file, and of the headers that it includes from its folder."""
    command = ["clang-14", "--target=avr", "-mmcu=atmega2560", "-ffreestanding", "-std=c11", *flags]
    done = subprocess.run(
        [*command, "-fsyntax-only", "-Xclang", "-ast-dump=json", source],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    reader = _Reader(folder, source)
    for node in json.loads(done.stdout)["inner"]:
        reader.visit(node)
    return list(dict.fromkeys(reader.found))


def type_range(text: str) -> Interval:
    """The numbers of an integer type as clang writes it for AVR; everything for other types.

    >>> type_range("const unsigned char"), type_range("int"), type_range("float")[0] < -(2**63)
    ((0, 255), (-32768, 32767), True)
    """
    words = [word for word in text.split() if word not in ("const", "volatile", "signed")]
    is_unsigned = "unsigned" in words or words == ["_Bool"]
    name = " ".join(word for word in words if word != "unsigned") or "int"
    if name not in _BITS:
        return _EVERYTHING
    bits = _BITS[name]
    return (0, 2**bits - 1) if is_unsigned else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)


def _type(node: Node) -> str:
    kind = node.get("type", {})
    return str(kind.get("desugaredQualType", kind.get("qualType", "")))


def _is_narrow(text: str) -> bool:
    return type_range(text) in ((-(2**15), 2**15 - 1), (0, 2**16 - 1))


def _around(values: list[int]) -> Interval:
    return min(values), max(values)


def _combine(opcode: str, a: Interval, b: Interval) -> Interval:
    """The results of an operation on numbers of two intervals."""
    if opcode == "+":
        return a[0] + b[0], a[1] + b[1]
    if opcode == "-":
        return a[0] - b[1], a[1] - b[0]
    if opcode == "*":
        return _around([x * y for x in a for y in b])
    if opcode == "<<":
        return _around([x << max(0, min(y, 64)) for x in a for y in b])
    if opcode == ">>":
        return _around([x >> max(0, min(y, 64)) for x in a for y in b])
    if opcode == "&" and min(b) >= 0:
        return 0, max(b)
    if opcode == "&" and min(a) >= 0:
        return 0, max(a)
    if opcode in ("==", "!=", "<", ">", "<=", ">=", "&&", "||"):
        return 0, 1
    if opcode in ("|", "^"):
        bits = max(max(-low - 1, high).bit_length() for low, high in (a, b))
        return (0 if min(*a, *b) >= 0 else -(2**bits)), 2**bits - 1
    return _around([*a, 0])  # a share or a rest


@dataclass
class _Reader:
    """Walks through a tree, in the order in which clang tells lines: only where they change."""

    folder: Path
    source: str
    file: str = ""
    line: int = 0
    found: list[str] = field(default_factory=list)

    def visit(self, node: Node) -> Interval:
        """What the value of the node may be; remembers what is wrong with it."""
        self._follow(node)
        inner = [self.visit(child) for child in node.get("inner", []) if child]
        kind, own = node.get("kind", ""), type_range(_type(node))
        if kind == "IntegerLiteral":
            return int(node["value"]), int(node["value"])
        if kind in ("ParenExpr", "ConstantExpr") and inner:
            return inner[0]
        if kind in ("ImplicitCastExpr", "CStyleCastExpr") and inner:
            return self._cast(node, inner[0], own)
        if kind == "ConditionalOperator":
            return min(inner[1][0], inner[2][0]), max(inner[1][1], inner[2][1])
        if kind in ("BinaryOperator", "CompoundAssignOperator"):
            return self._binary(node, inner, own)
        if kind == "UnaryOperator" and node["opcode"] == "-":
            return self._checked(node, _type(node), (-inner[0][1], -inner[0][0]), own)
        return own

    def _cast(self, node: Node, inner: Interval, own: Interval) -> Interval:
        if node.get("castKind") == "IntegralCast":
            fits = own[0] <= inner[0] and inner[1] <= own[1]
            turns_round = node["kind"] == "ImplicitCastExpr" and inner[0] < 0 == own[0]
            if turns_round and _is_narrow(_type(node)):
                self._remember(node, "a negative number becomes unsigned")
            return inner if fits else own
        return (max(inner[0], own[0]), min(inner[1], own[1])) if _overlap(inner, own) else own

    def _binary(self, node: Node, inner: list[Interval], own: Interval) -> Interval:
        opcode = node["opcode"].removesuffix("=") if len(node["opcode"]) > 1 else node["opcode"]
        if node["kind"] == "BinaryOperator":
            opcode = node["opcode"]
        if opcode in (",", "="):
            return own
        where = node.get("computeResultType", {})
        type_ = str(where.get("desugaredQualType", where.get("qualType", ""))) or _type(node)
        if _EVERYTHING in inner:
            return own  # of pointers or real numbers
        return self._checked(node, type_, _combine(opcode, inner[0], inner[1]), own)

    def _checked(self, node: Node, type_: str, result: Interval, own: Interval) -> Interval:
        low, high = type_range(type_)
        if low <= result[0] and result[1] <= high:
            return result
        if _is_narrow(type_):
            self._remember(node, f"{type_} cannot hold {result[0]}..{result[1]}")
        return own

    def _follow(self, node: Node) -> None:
        for place in self._places(node):
            self.file = place.get("file", self.file)
            self.line = place.get("line", self.line)

    def _places(self, node: Node) -> Iterator[Node]:
        for place in (node.get("loc"), *node.get("range", {}).values()):
            if place:
                yield from (place[k] for k in ("spellingLoc", "expansionLoc") if k in place)
                yield place

    def _remember(self, node: Node, what: str) -> None:
        path = self.folder / (self.file or self.source)
        if not path.is_file():
            return
        text = path.read_text().splitlines()[self.line - 1].strip()
        self.found.append(f"{path.name}:{self.line}: {text}: {what}")


def _overlap(a: Interval, b: Interval) -> bool:
    return a[0] <= b[1] and b[0] <= a[1]
