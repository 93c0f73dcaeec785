"""Traces records through the loaded flow, on the main thread, and tells the bench."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import partial
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


class _States:
    """The state of keys: what the bench told, or what it is asked for.

    Args:
        number: Number of the command that they are wanted for.
        known: What the bench told.
        ask: Whether to ask for others.
    """

    def __init__(self, number: int, known: Iterable[KnownState], *, ask: bool) -> None:
        self._number = number
        self._known = by_place(known)
        self._ask = ask
        self._given: SimpleQueue[KnownState] = SimpleQueue()

    def find(self, outbox: Outbox, state_id: str, key: str) -> bytes | None:
        """Return the state of a key; waits for the bench when it has to be asked."""
        place = state_id, key
        if place not in self._known and self._ask:
            outbox.answer(StateWanted(id=self._number, state_id=state_id, key=key))
            while place not in self._known:
                self._known |= by_place([self._given.get()])
        return self._known.get(place)

    def take(self, command: BenchFrame) -> None:
        """Take an answer of the bench; from another thread."""
        if isinstance(command, StateGiven):
            self._given.put(command.state)


def by_place(states: Iterable[KnownState]) -> dict[tuple[str, str], bytes | None]:
    """Return states by the step and the key that they are of."""
    return {(each.state_id, each.key): each.blob for each in states}


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
        self._states = _States(command.id, command.states, ask=command.ask_for_states)

    def run(self, outbox: Outbox) -> None:
        """Trace; tells TraceProgress, StateWanted and Traced."""
        command = self._command
        with dumped_after(command.time_limit_ms, self._dump_fd):
            trace = self._trace(outbox)
        _end_printing(command.id)
        outbox.answer(Traced(id=command.id, trace=trace))

    def steer(self, command: BenchFrame) -> None:
        """Take an answer of the bench; from another thread."""
        self._states.take(command)

    def _trace(self, outbox: Outbox) -> Trace:
        command = self._command

        def tell(stop: TraceStop) -> None:
            outbox.answer_first(TraceProgress(id=command.id, stop=stop))

        try:
            return self._tracer().trace(
                command.record,
                start=command.start,
                message=command.message,
                state_of=partial(self._states.find, outbox),
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
        self._states = _States(command.id, (), ask=command.ask_for_states)

    def run(self, outbox: Outbox) -> None:
        """Prove; tells StateWanted, and for each record Proved, so that a hang is known by it."""
        command, tracer = self._command, self._tracer()
        last, asked = len(command.cases) - 1, partial(self._states.find, outbox)
        for number, case in enumerate(command.cases):
            began_s = time.thread_time()
            with dumped_after(command.time_limit_ms, self._dump_fd):
                result = _proved(tracer, case, asked)
            outbox.answer_first(Proved(id=command.id, results=(result,), last=number == last))
            if command.share < 1:
                time.sleep((time.thread_time() - began_s) * (1 / command.share - 1))
        if not command.cases:
            outbox.answer(Proved(id=command.id, results=(), last=True))

    def steer(self, command: BenchFrame) -> None:
        """Take an answer of the bench; from another thread."""
        self._states.take(command)


def _end_printing(trace: int) -> None:
    """Mark the end of what a trace's code printed."""
    for stream, descriptor in ((sys.stdout, 1), (sys.stderr, 2)):
        with suppress(Exception):  # user code may have closed it, or put anything in its place
            stream.flush()
        with suppress(OSError):
            os.write(descriptor, printed_end(trace))


def _proved(
    tracer: Tracer, case: ProofCase, asked: Callable[[str, str], bytes | None]
) -> ProofResult:
    own = by_place(case.states)

    def state_of(state_id: str, key: str) -> bytes | None:
        place = state_id, key
        return own[place] if place in own else asked(state_id, key)

    try:
        envelope = tracer.prove(case.record, state_of=state_of)
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
