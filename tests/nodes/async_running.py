"""What tests of WithAsync share: event loops, a step that awaits what it is told to."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from loom_runtime import Message, Process, RecordStep, StreamingTestRunner, WithAsync
from tests.nodes.running import config_of, runner_of

BACKENDS: dict[str, dict[str, Any]] = {
    "asyncio": {"async_backend": "asyncio"},
    "uvloop": {"async_backend": "asyncio", "use_uvloop": True},
    "trio": {"async_backend": "trio"},
}


def async_runner(
    runtime: dict[str, Any], *nodes: Any, after: tuple[Any, ...] = (), **options: Any
) -> StreamingTestRunner:
    scope: WithAsync[Any, Any] = WithAsync(process=Process(*nodes), **options)
    return runner_of(scope, *after, config=config_of(streaming={"runtime": runtime}))


class Do(RecordStep[Any, Any]):
    """Awaits what it was told to."""

    def __init__(self, action: Callable[[Message[Any]], Awaitable[Any]]) -> None:
        self.action = action

    async def execute(self, message: Message[Any]) -> Any:
        return await self.action(message)
