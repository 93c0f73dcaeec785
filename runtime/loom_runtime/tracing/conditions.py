"""Conditions that a user types: the words of routes, read as text and never run as code."""

from __future__ import annotations

import ast
from typing import Any, Final

from loom_runtime.expressions import ExpressionNode, PathReference, msg, payload

MAX_CHARS: Final = 1_000

_ROOTS: Final = {"payload": payload, "msg": msg}
_COMPARISONS: Final[dict[type[ast.cmpop], str]] = {
    ast.Eq: "__eq__",
    ast.NotEq: "__ne__",
    ast.Lt: "__lt__",
    ast.LtE: "__le__",
    ast.Gt: "__gt__",
    ast.GtE: "__ge__",
    ast.Is: "__eq__",
    ast.IsNot: "__ne__",
}


class ConditionError(ValueError):
    """A text is no condition."""


def condition(text: str) -> ExpressionNode:
    """Return the condition that *text* says: ``payload.amount > 100``, ``msg.meta.key == b"x"``,
    ``&``, ``|``, ``~``, ``and``, ``or``, ``not``, ``.in_(…)``, ``.between(…)``, item access.

    Raises:
        ConditionError: When it says anything else.
    """
    if len(text) > MAX_CHARS:
        raise ConditionError(f"a condition has at most {MAX_CHARS} characters")
    try:
        tree = ast.parse(text.strip(), mode="eval")
        found = _expression(tree.body)
    except SyntaxError as error:
        raise ConditionError(f"it is no expression: {error.msg}") from error
    except (RecursionError, MemoryError, ValueError, TypeError) as error:
        if isinstance(error, ConditionError):
            raise
        raise ConditionError(f"it is no condition: {error}") from error
    if isinstance(found, ExpressionNode):
        return found
    raise ConditionError("it does not depend on the record: begin with payload or msg")


def _expression(node: ast.expr) -> Any:
    found: Any
    match node:
        case ast.Name() if node.id in _ROOTS:
            found = _ROOTS[node.id]
        case ast.Attribute():
            if node.attr.startswith("_"):
                raise ConditionError(f"{node.attr} is not reached from here")
            found = getattr(_path(node.value), node.attr)
        case ast.Subscript():
            found = _path(node.value)[_constant(node.slice)]
        case ast.Compare(ops=[operator], comparators=[right]):
            found = _comparison(node.left, operator, right)
        case ast.BinOp(op=ast.BitAnd()):
            found = _expression(node.left) & _expression(node.right)
        case ast.BinOp(op=ast.BitOr()):
            found = _expression(node.left) | _expression(node.right)
        case ast.UnaryOp(op=ast.Invert() | ast.Not()):
            found = ~_expression(node.operand)
        case ast.BoolOp():
            found = _all(node)
        case ast.Call(func=ast.Attribute(value=of, attr="in_" | "between" as name), keywords=[]):
            found = _call(of, name, node.args)
        case _:
            found = _constant(node)
    return found


def _all(node: ast.BoolOp) -> Any:
    first, *others = map(_expression, node.values)
    for each in others:
        first = first & each if isinstance(node.op, ast.And) else first | each
    return first


def _comparison(left: ast.expr, operator: ast.cmpop, right: ast.expr) -> ExpressionNode:
    path = _path(left)
    if isinstance(operator, ast.In):
        return path.in_(_constant(right))
    if isinstance(operator, ast.NotIn):
        return ~path.in_(_constant(right))
    compared: ExpressionNode = getattr(path, _COMPARISONS[type(operator)])(_expression(right))
    return compared


def _call(target: ast.expr, name: str, arguments: list[ast.expr]) -> ExpressionNode:
    path, values = _path(target), [_constant(each) for each in arguments]
    return path.in_(*values) if name == "in_" else path.between(*values)


def _path(node: ast.expr) -> PathReference:
    found = _expression(node)
    if not isinstance(found, PathReference):
        raise ConditionError(f"{ast.unparse(node)} is no value of the record")
    return found


def _constant(node: ast.expr) -> Any:
    try:
        return ast.literal_eval(node)
    except ValueError as error:
        raise ConditionError(f"{ast.unparse(node)} is not known here") from error
