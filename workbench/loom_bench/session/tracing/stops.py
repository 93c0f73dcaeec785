"""Breakpoints, pause on error, and the stop that the flow waits at: kept over all runs."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from loom_bench.protocol.frames import BenchFrame
from loom_bench.protocol.tracing import (
    AnswerStop,
    BreakpointSet,
    ClearBreakpoint,
    LiveStop,
    SetBreakpoint,
    SetPauseOnError,
    StopAction,
    StopEnded,
)
from loom_bench.session.tracing.value import BreakpointView, LiveStopView
from loom_runtime.tracing.shown import EditedMessage

Send = Callable[[BenchFrame], None]
"""Sends a command to the host that runs; does nothing when none does."""


class Stops:
    """Where the flow is to stop, and where it has.

    Attributes:
        pause_on_error: Whether it stops at a record that fails.
        stop: Where it has stopped; ``None`` while it has not.
        met: Stops since the session began.

    Args:
        send: Sends a command to the host that runs.
    """

    def __init__(self, send: Send) -> None:
        self.pause_on_error = False
        self.stop: LiveStopView | None = None
        self.met = 0
        self._send = send
        self._breakpoints: dict[int, BreakpointView] = {}
        self._revision = 0

    @property
    def breakpoints(self) -> tuple[BreakpointView, ...]:
        """Breakpoints, the oldest first."""
        return tuple(self._breakpoints.values())

    def begin(self, revision: int) -> tuple[BenchFrame, ...]:
        """Take in that another run begins; return what its host is to be told before."""
        self.stop, self._revision = None, revision
        asked: list[BenchFrame] = [SetPauseOnError(True)] if self.pause_on_error else []
        asked += [
            SetBreakpoint(id=each.number, node=each.node, condition=each.condition)
            for each in self.breakpoints
        ]
        return tuple(asked)

    def end(self) -> None:
        """Take in that the run has ended."""
        self.stop = None

    def set_pause_on_error(self, on: bool) -> None:
        """Choose whether the flow stops at a record that fails."""
        self.pause_on_error = on
        self._send(SetPauseOnError(on))

    def set_breakpoint(self, number: int, node: str, condition: str | None) -> None:
        """Stop before *node* takes a record that fits *condition*."""
        self._breakpoints[number] = BreakpointView(number=number, node=node, condition=condition)
        self._send(SetBreakpoint(id=number, node=node, condition=condition))

    def clear_breakpoint(self, number: int) -> None:
        """Forget a breakpoint."""
        if self._breakpoints.pop(number, None) is not None:
            self._send(ClearBreakpoint(number))

    def answer(self, stop: int, action: StopAction, message: EditedMessage | None) -> None:
        """Have the flow go on from *stop*."""
        view = self.stop
        if view is not None and view.stop.id == stop and view.answer is None:
            self.stop = msgspec.structs.replace(view, answer=action, problem=None)
            self._send(AnswerStop(id=stop, action=action, message=message))

    def take(self, news: object) -> bool:
        """Take in what the host that runs tells; return whether it was about stops."""
        match news:
            case BreakpointSet():
                self._change(news.id, problem=news.problem)
            case LiveStop():
                self.met += 1
                self.stop = LiveStopView(stop=news, revision=self._revision)
                if news.breakpoint is not None and news.breakpoint in self._breakpoints:
                    hits = self._breakpoints[news.breakpoint].hits
                    self._change(news.breakpoint, hits=hits + 1)
            case StopEnded():
                self._stop_ended(news)
            case _:
                return False
        return True

    def _stop_ended(self, news: StopEnded) -> None:
        if self.stop is None or self.stop.stop.id != news.id:
            return
        if news.problem is None:
            self.stop = None
        else:
            self.stop = msgspec.structs.replace(self.stop, answer=None, problem=news.problem)

    def _change(self, number: int, **changes: object) -> None:
        known = self._breakpoints.get(number)
        if known is not None:
            self._breakpoints[number] = msgspec.structs.replace(known, **changes)
