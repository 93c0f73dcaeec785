"""Async context managers that a bridge holds open for sync code."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio
import anyio.lowlevel
import pytest

from loom_runtime.async_bridge import AsyncBridge
from tests.async_bridge.bridges import (
    add,
)


def test_a_held_manager_is_entered_and_left_in_one_task(bridge: AsyncBridge) -> None:
    told: list[str] = []

    @asynccontextmanager
    async def pool() -> AsyncIterator[str]:
        async with anyio.create_task_group():  # only its own task may leave it
            yield "pool"
        told.append("left")

    with bridge.hold(pool()) as held:
        assert held == "pool"
        assert bridge.run(add(1, 2)) == 3
        assert told == []
    assert told == ["left"]


class Told:
    """An async context manager that remembers what it was told."""

    def __init__(self, *, suppress: bool = False, enter: BaseException | None = None) -> None:
        self._suppress = suppress
        self._enter = enter
        self.exit: type[BaseException] | None = None

    async def __aenter__(self) -> Told:
        if self._enter is not None:
            raise self._enter
        return self

    async def __aexit__(self, exit_type: type[BaseException] | None, *_: object) -> bool:
        await anyio.lowlevel.checkpoint()
        self.exit = exit_type
        return self._suppress


def test_a_held_manager_is_told_of_the_failure(bridge: AsyncBridge) -> None:
    manager = Told()
    error = ValueError("inside")
    with pytest.raises(ValueError, match="inside") as caught, bridge.hold(manager):
        raise error
    assert caught.value is error
    assert manager.exit is ValueError


def test_a_held_manager_may_suppress_the_failure(bridge: AsyncBridge) -> None:
    manager = Told(suppress=True)
    with bridge.hold(manager):
        raise ValueError("inside")
    assert manager.exit is ValueError


def test_a_manager_that_does_not_open_raises(bridge: AsyncBridge) -> None:
    with (
        pytest.raises(ConnectionError, match="refused"),
        bridge.hold(Told(enter=ConnectionError("refused"))),
    ):
        pytest.fail("it was never entered")
