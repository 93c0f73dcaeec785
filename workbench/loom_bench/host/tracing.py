"""Traces records through the loaded flow, on the main thread, and tells the bench."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from queue import SimpleQueue

from loom_bench.host.dumping import dumped_after
from loom_bench.host.outbox import Outbox
from loom_bench.protocol.frames import BenchFrame
from loom_bench.protocol.tracing import (
    KnownState,
    ProofCase,
    ProofResult,
    Proved,
    ProveRecords,
    StateGiven,
    StateWanted,
    Traced,
    TraceProgress,
    TraceRecord,
    Verdict,
    printed_end,
)
from loom_runtime.execution.reasons import problem_of
from loom_runtime.failures import RunError
from loom_runtime.tracing.fingerprint import envelope_fingerprint
from loom_runtime.tracing.trace import Trace, TraceOutcome, TraceStop
from loom_runtime.tracing.tracer import Tracer, TraceRefusedError

_REASON_CHARS = 500

MakeTracer = Callable[[], Tracer]


class TraceJob:
    """One trace.

    Args:
        tracer: Returns the tracer of the loaded flow.
        command: What to trace.
        dump_fd: File that stack dumps go to.
    """

    def __init__(self, tracer: MakeTracer, command: TraceRecord, dump_fd: int) -> None:
        self._tracer = tracer
        self._command = command
        self._dump_fd = dump_fd
        self._given: SimpleQueue[KnownState] = SimpleQueue()
        self._known = {(each.state_id, each.key): each.blob for each in command.states}
        self._outbox: Outbox | None = None

    def run(self, outbox: Outbox) -> None:
        """Trace; tells TraceProgress, StateWanted and Traced."""
        self._outbox = outbox
        command = self._command
        with dumped_after(command.time_limit_ms, self._dump_fd):
            trace = self._trace(outbox)
        _end_printing(command.id)
        outbox.answer(Traced(id=command.id, trace=trace))

    def steer(self, command: BenchFrame) -> None:
        """Take an answer of the bench; from another thread."""
        if isinstance(command, StateGiven):
            self._given.put(command.state)

    def _trace(self, outbox: Outbox) -> Trace:
        command = self._command

        def tell(stop: TraceStop) -> None:
            outbox.answer_first(TraceProgress(id=command.id, stop=stop))

        try:
            return self._tracer().trace(
                command.record,
                start=command.start,
                message=command.message,
                state_of=self._state_of,
                flush=command.flush,
                on_stop=tell,
            )
        except TraceRefusedError as error:
            return Trace(
                flow="",
                record=command.record,
                start=command.start or "",
                outcome=TraceOutcome.RUN_FAILED,
                problem=str(error),
                hint="Correct the value, or begin at the source.",
            )

    def _state_of(self, state_id: str, key: str) -> bytes | None:
        place = state_id, key
        if place not in self._known and self._command.ask_for_states and self._outbox is not None:
            self._outbox.answer(StateWanted(id=self._command.id, state_id=state_id, key=key))
            while place not in self._known:
                given = self._given.get()
                self._known[given.state_id, given.key] = given.blob
        return self._known.get(place)


class ProofJob:
    """One chunk of a proof.

    Args:
        tracer: Returns the tracer of the loaded flow.
        command: What to prove.
        dump_fd: File that stack dumps go to.
    """

    def __init__(self, tracer: MakeTracer, command: ProveRecords, dump_fd: int) -> None:
        self._tracer = tracer
        self._command = command
        self._dump_fd = dump_fd

    def run(self, outbox: Outbox) -> None:
        """Prove; tells a Proved frame for each record, so that a hang is known by its record."""
        command, tracer = self._command, self._tracer()
        last = len(command.cases) - 1
        for number, case in enumerate(command.cases):
            began_s = time.thread_time()
            with dumped_after(command.time_limit_ms, self._dump_fd):
                result = _proved(tracer, case)
            outbox.answer_first(Proved(id=command.id, results=(result,), last=number == last))
            if command.share < 1:
                time.sleep((time.thread_time() - began_s) * (1 / command.share - 1))
        if not command.cases:
            outbox.answer(Proved(id=command.id, results=(), last=True))

    def steer(self, command: BenchFrame) -> None:
        """Leave commands alone: a chunk is short."""


def _end_printing(trace: int) -> None:
    """Mark the end of what a trace's code printed."""
    for stream, descriptor in ((sys.stdout, 1), (sys.stderr, 2)):
        with suppress(Exception):  # user code may have closed it, or put anything in its place
            stream.flush()
        with suppress(OSError):
            os.write(descriptor, printed_end(trace))


def _proved(tracer: Tracer, case: ProofCase) -> ProofResult:
    states = {(each.state_id, each.key): each.blob for each in case.states}
    try:
        envelope = tracer.prove(
            case.record, state_of=lambda state_id, key: states.get((state_id, key))
        )
    except RunError as error:
        return ProofResult(id=case.id, verdict=Verdict.NOT_PROVED, reason=_cut(error.what))
    except Exception as error:  # noqa: BLE001 - steps are built: user code may raise anything
        return ProofResult(id=case.id, verdict=Verdict.NOT_PROVED, reason=_cut(problem_of(error)))
    if envelope is None:
        return ProofResult(id=case.id, verdict=Verdict.PASSES)
    fingerprint = envelope_fingerprint(envelope)
    same = fingerprint == case.fingerprint
    return ProofResult(
        id=case.id,
        verdict=Verdict.SAME_ERROR if same else Verdict.DIFFERENT_ERROR,
        fingerprint=fingerprint,
        node=envelope.node or "",
        reason=_cut(envelope.reason),
    )


def _cut(text: str) -> str:
    return text if len(text) <= _REASON_CHARS else text[:_REASON_CHARS] + "…"
