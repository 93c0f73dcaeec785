"""Runs jobs at once, each under a deadline; one that does not heed its cancellation is left behind.

A job that ignores its cancellation, or shields itself from it, cannot be stopped. Nobody waits for
it any longer than a second: its place is taken by the next job and its result is nobody's.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterator
from typing import Any, Final, Generic, TypeVar

import anyio
from anyio.abc import TaskGroup

from loom_runtime.async_bridge import AsyncBridge

ResultT = TypeVar("ResultT")

Job = Callable[[int], Coroutine[Any, Any, ResultT]]
"""Does the work of one index."""

_HEEDING_S: Final = 1.0
"""How long past its deadline a job may take to heed its cancellation and clean up."""

_LAST_CHANCE_S: Final = 0.01
"""A loop that was blocked wakes everybody at once: those that can end do so before they are left
behind."""


class Deadlines(Generic[ResultT]):
    """One batch of jobs. Made and run on the event loop.

    Args:
        job: Does the work of one index.
        late: Makes the result of a job that did not end in time; told whether it is left behind.
        deadline_s: Time of each job, seconds.
    """

    def __init__(
        self, job: Job[ResultT], late: Callable[[int, bool], ResultT], deadline_s: float
    ) -> None:
        self._job = job
        self._late = late
        self._deadline_s = deadline_s
        self._results: dict[int, ResultT] = {}
        self._started_s: dict[int, float] = {}
        self._waiting: Iterator[int] = iter(())
        self._count = 0
        self._all_settled = anyio.Event()

    async def run(self, count: int, at_once: int, bridge: AsyncBridge) -> list[ResultT]:
        """Return the results of jobs 0 to *count* - 1, *at_once* of them running at a time.

        Raises:
            RuntimeError: When what runs the jobs was cancelled.
        """
        self._waiting, self._count = iter(range(count)), count
        cancel = bridge.start(self._run_all(min(at_once, count)))
        try:
            await self._all_settled.wait()
        finally:
            if not self._all_settled.is_set():
                cancel()
        if len(self._results) < count:
            raise RuntimeError("the tasks of a batch ended before its records")
        return [self._results[index] for index in range(count)]

    async def _run_all(self, at_once: int) -> None:
        try:
            async with anyio.create_task_group() as tasks:
                for _ in range(at_once):
                    tasks.start_soon(self._work)
                tasks.start_soon(self._watch, tasks)
        finally:
            self._all_settled.set()

    async def _work(self) -> None:
        for index in self._waiting:
            self._started_s[index] = anyio.current_time()
            result = None
            with anyio.move_on_after(self._deadline_s) as deadline:
                result = await self._job(index)
            if self._started_s.pop(index, None) is None:
                return  # it was left behind, and another worker took this one's place
            late = deadline.cancelled_caught or result is None
            self._settle(index, self._late(index, False) if late else result)

    async def _watch(self, tasks: TaskGroup) -> None:
        """Leave behind what outlives its deadline and its cancellation."""
        patience_s = self._deadline_s + _HEEDING_S
        while not self._all_settled.is_set():
            now_s = anyio.current_time()
            oldest_s = next(iter(self._started_s.values()), now_s)
            with anyio.move_on_after(oldest_s + patience_s - now_s):
                await self._all_settled.wait()
            overdue_s = anyio.current_time() - patience_s
            overdue = [index for index, at_s in self._started_s.items() if at_s <= overdue_s]
            if overdue:
                await anyio.sleep(_LAST_CHANCE_S)
            for index in overdue:
                if self._started_s.pop(index, None) is not None:
                    self._settle(index, self._late(index, True))
                    tasks.start_soon(self._work)

    def _settle(self, index: int, result: Any) -> None:
        self._results[index] = result
        if len(self._results) == self._count:
            self._all_settled.set()
