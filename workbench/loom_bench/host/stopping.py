"""Stops of the flow that runs: what the bench asks for, and what it is told."""

from __future__ import annotations

import time

from loom_bench.host.outbox import Outbox
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
from loom_runtime.compiler.plan import CompiledPlan
from loom_runtime.execution.layout import lay_out
from loom_runtime.tracing.conditions import ConditionError
from loom_runtime.tracing.gate import Gate, GateAction, GateListener, RecordStop
from loom_runtime.tracing.masking import Masking


class LiveStops(GateListener):
    """The gate of one run.

    Attributes:
        gate: The gate.
        outbox: Where frames go; ``None`` before the run begins.

    Args:
        plan: The plan that runs.
        masking: Says which local variables are secret.
    """

    def __init__(self, plan: CompiledPlan, masking: Masking) -> None:
        self.outbox: Outbox | None = None
        self.gate = Gate(self, masking)
        self._layout = lay_out(plan)
        self._early: list[BreakpointSet] = []

    def begin(self, outbox: Outbox) -> None:
        """Tell from now on."""
        self.outbox = outbox
        for answer in self._early:
            outbox.answer(answer)

    def steer(self, command: BenchFrame) -> None:
        """Take a command of the bench; others than about stops are left alone."""
        match command:
            case SetPauseOnError():
                self.gate.set_pause_on_error(command.on)
            case SetBreakpoint():
                self._set(command)
            case ClearBreakpoint():
                self.gate.clear_breakpoint(command.id)
            case AnswerStop():
                self.gate.answer(command.id, GateAction(command.action.value), command.message)

    def stopped(self, stop: RecordStop) -> None:
        """Tell that the run has stopped."""
        record = stop.trace.record
        if self.outbox is not None:
            self.outbox.answer(
                LiveStop(
                    id=stop.number,
                    node=stop.node,
                    at_ms=time.time_ns() // 1_000_000,
                    topic=record.topic,
                    partition=record.partition,
                    offset=record.offset,
                    trace=stop.trace,
                    breakpoint=stop.breakpoint,
                    waiting=stop.waiting,
                )
            )

    def ended(self, number: int, action: GateAction | None, problem: str | None) -> None:
        """Tell that a stop is over, or why an answer could not be used."""
        told = None if action is None else StopAction(action.value)
        if self.outbox is not None:
            self.outbox.answer(StopEnded(id=number, action=told, problem=problem))

    def stand_before(self, command: SetBreakpoint) -> str | None:
        """Set a breakpoint before the run begins; return why that cannot be."""
        self._set(command)
        return self._early[-1].problem

    def _set(self, command: SetBreakpoint) -> None:
        problem = None
        try:
            self.gate.set_breakpoint(command.id, command.node, command.condition, self._layout)
        except ConditionError as error:
            problem = str(error)
        answer = BreakpointSet(id=command.id, problem=problem)
        if self.outbox is None:
            self._early.append(answer)
        else:
            self.outbox.answer(answer)
