"""The expression language of routes: ``payload.amount > 100``, ``msg.meta.key == b"x"``."""

from __future__ import annotations

import operator
from collections.abc import Callable, Collection
from typing import Any, Final

from loom_runtime.message import Message

Evaluate = Callable[[Message[Any]], Any]
"""A compiled expression: one message in, its value out."""

_COMPARISONS: Final[dict[str, Callable[[Any, Any], bool]]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


class ExpressionNode:
    """A condition over one message. Combine with ``&``, ``|`` and ``~``."""

    __slots__ = ("_evaluate", "_text")

    def __init__(self, text: str, evaluate: Evaluate) -> None:
        self._text = text
        self._evaluate = evaluate

    def compiled(self) -> Evaluate:
        """Return the function that evaluates this expression for one message."""
        return self._evaluate

    def __and__(self, other: ExpressionNode) -> ExpressionNode:
        left, right = self._evaluate, _condition(other, "&").compiled()
        return ExpressionNode(
            f"({self} & {other})", lambda message: bool(left(message)) and bool(right(message))
        )

    def __or__(self, other: ExpressionNode) -> ExpressionNode:
        left, right = self._evaluate, _condition(other, "|").compiled()
        return ExpressionNode(
            f"({self} | {other})", lambda message: bool(left(message)) or bool(right(message))
        )

    def __invert__(self) -> ExpressionNode:
        inner = self._evaluate
        return ExpressionNode(f"~({self})", lambda message: not inner(message))

    def __bool__(self) -> bool:
        raise TypeError(
            f"the expression {self} has no truth value before a record is there: "
            "combine expressions with &, | and ~ instead of and, or and not"
        )

    def __repr__(self) -> str:
        return self._text


class PathReference(ExpressionNode):
    """A value inside a message, named by attribute and item access."""

    __slots__ = ()

    def __getattr__(self, name: str) -> PathReference:
        if name.startswith("__"):
            raise AttributeError(name)
        inner = self._evaluate
        return PathReference(f"{self._text}.{name}", lambda message: getattr(inner(message), name))

    def __getitem__(self, item: Any) -> PathReference:
        inner = self._evaluate
        return PathReference(f"{self._text}[{item!r}]", lambda message: inner(message)[item])

    def in_(self, values: Collection[object]) -> ExpressionNode:
        """True when the value is one of *values*."""
        inner = self._evaluate
        members = values if isinstance(values, frozenset | set | dict) else tuple(values)
        return ExpressionNode(
            f"{self._text}.in_({values!r})", lambda message: inner(message) in members
        )

    def between(self, low: Any, high: Any) -> ExpressionNode:
        """True when ``low <= value <= high``."""
        inner = self._evaluate
        return ExpressionNode(
            f"{self._text}.between({low!r}, {high!r})",
            lambda message: bool(low <= inner(message) <= high),
        )

    def __eq__(self, other: object) -> ExpressionNode:  # type: ignore[override]
        return self._compare("==", other)

    def __ne__(self, other: object) -> ExpressionNode:  # type: ignore[override]
        return self._compare("!=", other)

    def __lt__(self, other: object) -> ExpressionNode:
        return self._compare("<", other)

    def __le__(self, other: object) -> ExpressionNode:
        return self._compare("<=", other)

    def __gt__(self, other: object) -> ExpressionNode:
        return self._compare(">", other)

    def __ge__(self, other: object) -> ExpressionNode:
        return self._compare(">=", other)

    def __hash__(self) -> int:
        return id(self)

    def _compare(self, symbol: str, other: object) -> ExpressionNode:
        inner, compare = self._evaluate, _COMPARISONS[symbol]
        if isinstance(other, PathReference):
            right = other.compiled()
            return ExpressionNode(
                f"{self._text} {symbol} {other!r}",
                lambda message: compare(inner(message), right(message)),
            )
        return ExpressionNode(
            f"{self._text} {symbol} {other!r}", lambda message: compare(inner(message), other)
        )


def _condition(value: object, symbol: str) -> ExpressionNode:
    if not isinstance(value, ExpressionNode):
        raise TypeError(
            f"{symbol} combines expressions, and {value!r} is none: "
            "put parentheses round each comparison, as in (payload.a > 1) & (payload.b < 2)"
        )
    return value


msg: Final = PathReference("msg", lambda message: message)
"""Root of expressions over the whole message: ``msg.meta.key``, ``msg.payload.amount``."""

payload: Final = PathReference("payload", lambda message: message.payload)
"""Root of expressions over the payload: ``payload.amount > 100``."""
