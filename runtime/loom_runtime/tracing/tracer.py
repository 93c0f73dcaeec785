"""Runs one record through a plan, node by node, with nothing written: the engine's own stages."""

from __future__ import annotations

from collections.abc import Iterable
from time import perf_counter
from typing import Any

import msgspec

from loom_runtime.compiler.edges import source_id
from loom_runtime.compiler.plan import CompiledPlan
from loom_runtime.config.runtime import BytewaxRuntimeConfig
from loom_runtime.errors import ErrorEnvelope, ErrorKind
from loom_runtime.execution.payload_types import payload_type
from loom_runtime.execution.process_bridge import BridgeOfProcess
from loom_runtime.execution.reasons import problem_of
from loom_runtime.execution.travel import DecodedBatch, Parcel, SourceBatch
from loom_runtime.failures import RunError
from loom_runtime.ledger import Fate, LedgerRow, PartitionLedger
from loom_runtime.message import Message, MessageMeta
from loom_runtime.tracing.entering import plan_from
from loom_runtime.tracing.failures import FailureNotes
from loom_runtime.tracing.line import UNROUTED_PORT, Line, Passage, StateOf
from loom_runtime.tracing.masking import Masking
from loom_runtime.tracing.outputs import traced_outputs
from loom_runtime.tracing.recorder import FailuresOnly, OnStop, Recorder
from loom_runtime.tracing.shown import EditedMessage
from loom_runtime.tracing.trace import SourceRecord, Trace, TraceOutcome


class TraceRefusedError(ValueError):
    """A trace cannot begin as it was asked for."""


def no_state(step_id: str, key: str) -> bytes | None:  # noqa: ARG001
    """Return that no key has a state."""
    return None


class Tracer:
    """Traces records through one plan. Everything on one thread.

    Steps are built once and dependencies opened once, as a worker of a run does, and stay for the
    next trace.

    Args:
        plan: The plan.
        runtime: How the flow runs: its event loop.
        revision: Revision of the flow's code.
        masking: Says which local variables are secret.
        registered: Error kinds that a registered sink takes.
    """

    def __init__(
        self,
        plan: CompiledPlan,
        *,
        runtime: BytewaxRuntimeConfig | None = None,
        revision: str | None = None,
        masking: Masking | None = None,
        registered: Iterable[ErrorKind] = (),
    ) -> None:
        self._plan = plan
        self._bridge = BridgeOfProcess(runtime or BytewaxRuntimeConfig())
        self._revision = revision
        self._failures = FailureNotes(masking or Masking())
        self._registered = frozenset(registered)
        self._whole: Line | None = None

    def trace(
        self,
        record: SourceRecord,
        *,
        start: str | None = None,
        message: EditedMessage | None = None,
        state_of: StateOf = no_state,
        flush: bool = True,
        on_stop: OnStop | None = None,
    ) -> Trace:
        """Run *record* through the nodes and return what happened.

        Args:
            record: The source record.
            start: Id of the node to begin at; ``None`` for the source.
            message: What that node, or the one behind the source, takes.
            state_of: Returns the state of a key; nothing is ever written back.
            flush: Whether batches and windows that hold the record are handed on at the end.
            on_stop: Told whenever a node begins or ends.

        Raises:
            TraceRefusedError: When there is no such node, or *message* cannot be made.
        """
        started_s = perf_counter()
        recorder = Recorder(self._failures, on_stop)
        item = self._item(record, start, message)
        passage: Passage | None = None
        problem: RunError | Exception | None = None
        line: Line | None = None
        try:
            line = self._line(start)
            if isinstance(item, SourceBatch):
                recorder.begin_at_source(line.labels[()], record)
            passage = line.run(item, recorder, state_of, flush=flush)
        except Exception as error:  # noqa: BLE001 - steps are built: user code may raise anything
            problem = error
        finally:
            if line is not None and line is not self._whole:
                line.close()
        stops = tuple(stop.done() for stop in recorder.stops)
        trace = Trace(
            flow=self._plan.name,
            revision=self._revision,
            record=record,
            start=start or source_id(self._plan),
            stops=stops,
            failures=tuple(failure for stop in stops for failure in stop.failures),
            outcome=TraceOutcome.RUN_FAILED,
            duration_ms=(perf_counter() - started_s) * 1000,
        )
        if passage is None or line is None:
            return _run_failed(trace, problem)
        trace = msgspec.structs.replace(
            trace,
            outputs=traced_outputs(line.layout, passage.parcels, recorder.notebook),
            states=tuple(line.state_changes(passage)),
        )
        return _with_fate(trace, line, item, passage.parcels)

    def prove(
        self, record: SourceRecord, *, state_of: StateOf = no_state
    ) -> ErrorEnvelope[Any] | None:
        """Run *record* through and return its first failure; ``None`` when it has none.

        Raises:
            RunError: When a run would fail for another reason.
        """
        line, failures = self._line(None), FailuresOnly()
        line.run(self._item(record, None, None), failures, state_of, flush=True)
        return failures.first

    def close(self) -> None:
        """Close dependencies and the event loop."""
        if self._whole is not None:
            self._whole.close()
            self._whole = None
        self._bridge.shutdown()

    def _line(self, start: str | None) -> Line:
        if start is not None and start != source_id(self._plan):
            node = next(each for each in self._plan.nodes if each.name == start)
            plan = plan_from(self._plan, node.path)
            return Line(plan, self._registered, self._bridge, self._revision)
        if self._whole is None:
            self._whole = Line(self._plan, self._registered, self._bridge, self._revision)
        return self._whole

    def _item(
        self, record: SourceRecord, start: str | None, message: EditedMessage | None
    ) -> SourceBatch | DecodedBatch:
        names = {source_id(self._plan), *(node.name for node in self._plan.nodes)}
        if start is not None and start not in names:
            raise TraceRefusedError(f"the flow has no node {start!r}")
        if message is not None:
            made = made_message(message, record)
            return DecodedBatch(record.topic, record.partition, [record.offset], [made])
        if start is not None and start != source_id(self._plan):
            raise TraceRefusedError(f"there is no message to begin with at {start!r}")
        raw = (record.offset, record.key, record.value, list(record.headers), record.timestamp_ms)
        return SourceBatch(record.topic, record.partition, [raw])


def made_message(edited: EditedMessage, record: SourceRecord) -> Message[Any]:
    """Return *edited* as a message of *record*.

    Raises:
        TraceRefusedError: When it cannot be made: its type is gone, or the value does not fit it.
    """
    try:
        payload = msgspec.json.decode(edited.value, type=payload_type(edited.payload_type))
    except (LookupError, ValueError, TypeError) as error:
        raise TraceRefusedError(f"the value cannot be taken: {error}") from error
    except (Exception, SystemExit) as error:
        raise TraceRefusedError(f"the value cannot be taken: {problem_of(error)}") from error
    meta = {name: getattr(edited.meta, name) for name in edited.meta.__struct_fields__}
    meta |= {"topic": record.topic, "partition": record.partition, "offset": record.offset}
    return Message(payload=payload, meta=MessageMeta(**meta))


def _run_failed(trace: Trace, problem: Exception | None) -> Trace:
    if isinstance(problem, RunError):
        return msgspec.structs.replace(
            trace, problem=f"{problem.what} ({problem.where})", hint=problem.what_next
        )
    text = "" if problem is None else problem_of(problem)
    return msgspec.structs.replace(trace, problem=f"the flow could not be made ready: {text}")


def _with_fate(
    trace: Trace, line: Line, item: SourceBatch | DecodedBatch, parcels: list[Parcel]
) -> Trace:
    """Return *trace* with the fate that a run's ledger would give the record."""
    ledger = PartitionLedger(item.topic, item.partition, tracked=line.layout.fans_out)
    unrouted: ErrorEnvelope[Any] | None = None
    for parcel in parcels:
        ledger.apply(parcel.receipt)
        for port, offsets, outputs in parcel.writes:
            is_error = port == UNROUTED_PORT or line.layout.ports[port].error_kind is not None
            ledger.delivered(offsets, Fate.ERRORED if is_error else Fate.WRITTEN)
            if port == UNROUTED_PORT and unrouted is None:
                unrouted = outputs[0]
    if unrouted is not None:
        return msgspec.structs.replace(
            trace,
            problem=f"the flow has no topic for {unrouted.kind.value} errors, so a run would end "
            f"here: {unrouted.reason}",
            hint="Declare one with StreamFlow(..., errors=...).",
        )
    ledger.close_epoch()
    row = ledger.row(position=None, committed=None, end_offset=None)
    return msgspec.structs.replace(trace, outcome=_fate(row))


def _fate(row: LedgerRow) -> TraceOutcome:
    if row.errored:
        return TraceOutcome.ERRORED
    if row.held:
        return TraceOutcome.HELD
    return TraceOutcome.WRITTEN if row.written else TraceOutcome.FILTERED
