"""The derivative of a custom loss: an expression in `r`, parsed and never executed as Python."""

import ast
import operator
from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from tpsgd_edge.errors import SpecError

Values = NDArray[np.float64]

FUNCTIONS: Mapping[str, tuple[Callable[..., Values], int]] = {
    "abs": (np.abs, 1),
    "sign": (np.sign, 1),
    "tanh": (np.tanh, 1),
    "exp": (np.exp, 1),
    "log": (np.log, 1),
    "sqrt": (np.sqrt, 1),
    "minimum": (np.minimum, 2),
    "maximum": (np.maximum, 2),
    "clip": (np.clip, 3),
    "where": (np.where, 3),
}
_BINARY: Mapping[type[ast.operator], Callable[[Values, Values], Values]] = {
    ast.Add: np.add,
    ast.Sub: np.subtract,
    ast.Mult: np.multiply,
    ast.Div: np.divide,
    ast.Pow: np.power,
}
_UNARY: Mapping[type[ast.unaryop], Callable[[Values], Values]] = {
    ast.UAdd: np.positive,
    ast.USub: np.negative,
}
_COMPARE: Mapping[type[ast.cmpop], Callable[[Values, Values], NDArray[np.bool_]]] = {
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
}
_LONGEST = 1000
_HELP = (
    "write -dJ/dy as an expression in r = t - y with + - * / **, comparisons, numbers and "
    + ", ".join(FUNCTIONS)
)


def compile_expression(text: str, *, where: str = "[rule], loss") -> Callable[[Values], Values]:
    """A function of r, an array of any shape, that gives -dJ/dy in the same shape.

    >>> compile_expression("where(abs(r) < 1, r, sign(r))")(np.array([-3.0, 0.5]))
    array([-1. ,  0.5])

    Args:
        text: the expression; it may use r, numbers, + - * / **, comparisons and `FUNCTIONS`.
        where: the place in the spec that messages name.

    Raises:
        SpecError: the text is no such expression; the function itself raises it where a value is
            not finite.
    """
    try:
        if len(text) > _LONGEST:
            raise _refuse(text, where, f"{len(text)} characters; {_LONGEST} are allowed")
        tree = ast.parse(text.strip(), mode="eval").body
        _check(tree, text, where)
    except (SyntaxError, ValueError, OverflowError) as error:
        reason = error.msg if isinstance(error, SyntaxError) else str(error)
        raise _refuse(text, where, reason) from None
    except (RecursionError, MemoryError):
        raise _refuse(text, where, "nested too deeply") from None

    def expression(r: Values) -> Values:
        r = np.asarray(r, np.float64)
        with np.errstate(all="ignore"):
            values = np.broadcast_to(np.asarray(_evaluate(tree, r), np.float64), r.shape)
        finite = np.isfinite(values)
        if not finite.all():
            at = np.argmin(finite.ravel())
            raise SpecError(
                "the custom loss is not finite everywhere",
                where=where,
                found=f"{text.strip()} = {values.ravel()[at]} at r = {r.ravel()[at]:g}",
                help="it is tabulated over r = t - y; guard it with where(), clip() or maximum()",
            )
        return values.copy()

    return expression


def _refuse(text: str, where: str, reason: str) -> SpecError:
    shown = text if len(text) <= 60 else text[:57] + "..."
    return SpecError(
        "the expression of a custom loss cannot be read",
        where=where,
        found=f"{shown!r}: {reason}",
        help=_HELP,
    )


def _check(node: ast.expr, text: str, where: str) -> None:
    """Raise for whatever `_evaluate` does not know."""
    match node:
        case ast.Constant(value=int() | float() as value) if not isinstance(value, bool):
            float(value)  # an OverflowError where an integer is too large
        case ast.Name(id="r"):
            pass
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _BINARY:
            _check(left, text, where)
            _check(right, text, where)
        case ast.UnaryOp(op=op, operand=operand) if type(op) in _UNARY:
            _check(operand, text, where)
        case ast.Compare(left=left, ops=[op], comparators=[right]) if type(op) in _COMPARE:
            _check(left, text, where)
            _check(right, text, where)
        case ast.Call(func=ast.Name(id=name), args=args, keywords=[]) if name in FUNCTIONS:
            count = FUNCTIONS[name][1]
            if len(args) != count:
                raise _refuse(text, where, f"{name} takes {count} arguments, not {len(args)}")
            for argument in args:
                _check(argument, text, where)
        case _:
            raise _refuse(text, where, f"{ast.unparse(node)!r} is not allowed")


def _evaluate(node: ast.expr, r: Values) -> Values:
    match node:
        case ast.Constant(value=int() | float() as value):
            return np.full(r.shape, float(value))
        case ast.BinOp(left=left, op=op, right=right):
            return _BINARY[type(op)](_evaluate(left, r), _evaluate(right, r))
        case ast.UnaryOp(op=sign, operand=operand):
            return _UNARY[type(sign)](_evaluate(operand, r))
        case ast.Compare(left=left, ops=[comparison], comparators=[right]):
            truth = _COMPARE[type(comparison)](_evaluate(left, r), _evaluate(right, r))
            return truth.astype(np.float64)
        case ast.Call(func=ast.Name(id=name), args=args):
            values = [_evaluate(argument, r) for argument in args]
            if name == "where":
                values[0] = values[0] != 0
            return FUNCTIONS[name][0](*values)
        case _:
            return r
