"""What a step's ``execute`` takes and whether it is a coroutine function."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from loom_runtime.flow.steps import StatefulStep


@dataclass(frozen=True)
class ExecuteSignature:
    """The dependencies of one ``execute``.

    Attributes:
        is_coroutine: Whether it is a coroutine function.
        is_async_generator: Whether it is an async generator function.
        required: Names of the dependencies that it cannot do without.
        optional: Names of those that have a default.
        accepts_any: Whether it takes any keyword.
        problem: Why it cannot be called as the engine calls it; ``None`` when it can.
    """

    is_coroutine: bool
    is_async_generator: bool
    required: tuple[str, ...] = ()
    optional: tuple[str, ...] = ()
    accepts_any: bool = False
    problem: str | None = None


def execute_signature(cls: type) -> ExecuteSignature | None:
    """Return what ``cls.execute`` takes, or ``None`` when *cls* has none."""
    execute: Callable[..., Any] | None = getattr(cls, "execute", None)
    if not callable(execute):
        return None
    plain = inspect.unwrap(execute)
    is_coroutine = inspect.iscoroutinefunction(plain)
    is_async_generator = inspect.isasyncgenfunction(plain)
    try:
        parameters = list(inspect.signature(execute).parameters.values())
    except (TypeError, ValueError):
        return ExecuteSignature(is_coroutine, is_async_generator, accepts_any=True)
    positional = ("state", "message") if issubclass(cls, StatefulStep) else ("message",)
    if not isinstance(inspect.getattr_static(cls, "execute"), staticmethod | classmethod):
        positional = ("self", *positional)
    taken, rest = _take(parameters, len(positional))
    if taken < len(positional):
        return ExecuteSignature(
            is_coroutine,
            is_async_generator,
            problem=f"execute takes too few arguments: it is called as "
            f"execute({', '.join(name for name in positional if name != 'self')}, **deps)",
        )
    named = [each for each in rest if each.kind in (each.POSITIONAL_OR_KEYWORD, each.KEYWORD_ONLY)]
    blocked = [
        each.name
        for each in rest
        if each.kind is each.POSITIONAL_ONLY and each.default is each.empty
    ]
    return ExecuteSignature(
        is_coroutine,
        is_async_generator,
        required=tuple(each.name for each in named if each.default is each.empty),
        optional=tuple(each.name for each in named if each.default is not each.empty),
        accepts_any=any(each.kind is each.VAR_KEYWORD for each in rest),
        problem=f"dependencies arrive by name, and these take no name: {', '.join(blocked)}"
        if blocked
        else None,
    )


def _take(parameters: list[inspect.Parameter], count: int) -> tuple[int, list[inspect.Parameter]]:
    """Use up *count* positional arguments; return how many found a place, and what is left."""
    taken = 0
    while taken < count and parameters:
        first = parameters[0]
        if first.kind is first.VAR_POSITIONAL:
            return count, parameters[1:]
        if first.kind not in (first.POSITIONAL_ONLY, first.POSITIONAL_OR_KEYWORD):
            break
        taken += 1
        parameters = parameters[1:]
    return taken, parameters
