"""Records for tracers, and what an engine makes of the same ones."""

from __future__ import annotations

from collections import Counter
from typing import Any

import msgspec

from loom_runtime import ErrorKind, Message, StreamFlow, StreamingTestRunner, compile_flow
from loom_runtime.compiler.plan import CompiledPlan
from loom_runtime.config.context import ConfigContext
from loom_runtime.errors import ErrorEnvelope
from loom_runtime.tracing.fingerprint import envelope_fingerprint
from loom_runtime.tracing.trace import OutputKind, SourceRecord, Trace
from loom_runtime.tracing.tracer import Tracer
from loom_runtime.wire.encoding import build_encoder

Written = Counter[tuple[bytes | None, str]]
"""Outputs: key and JSON text of each."""


def plan_of(flow: StreamFlow[Any, Any], config: dict[str, Any]) -> CompiledPlan:
    return compile_flow(flow, config=ConfigContext.from_dict(config))


FIRST_MS = 1_700_000_000_000


def record_of(plan: CompiledPlan, given: Message[Any] | bytes, offset: int = 0) -> SourceRecord:
    """Return *given* as it would lie on the plan's source topic, a millisecond after the one
    before."""
    topic, at_ms = plan.source.topics[0], FIRST_MS + offset
    if isinstance(given, bytes):
        return SourceRecord(
            topic=topic, partition=0, offset=offset, value=given, timestamp_ms=at_ms
        )
    key, value, headers = build_encoder(plan.source.settings.format).encode_one(given)
    return SourceRecord(
        topic=topic,
        partition=0,
        offset=offset,
        key=key,
        value=value,
        headers=tuple(headers or ()),
        timestamp_ms=at_ms,
    )


def raw_input(record: SourceRecord) -> Any:
    """Return *record* as the test runner takes it."""
    return record.key, record.value, list(record.headers), record.timestamp_ms


def engine_written(runner: StreamingTestRunner) -> Written:
    return Counter(
        (m.meta.key if not isinstance(m.meta.key, str) else m.meta.key.encode(), _json(m.payload))
        for m in runner.output
    )


def traced_written(*traces: Trace) -> Written:
    return Counter(
        (output.key, output.value.text)
        for trace in traces
        for output in trace.outputs
        if output.kind is OutputKind.RECORD
    )


Failure = tuple[str, str, str, str, str]
"""Kind, node, exception type, reason, fingerprint."""


def engine_failures(runner: StreamingTestRunner) -> Counter[Failure]:
    return Counter(_failure(e) for envelopes in runner.errors.values() for e in envelopes)


def traced_failures(*traces: Trace) -> Counter[Failure]:
    return Counter(
        (each.kind.value, each.node, each.exception_type, each.reason, each.fingerprint)
        for trace in traces
        for each in trace.failures
    )


def engine_fates(runner: StreamingTestRunner) -> Counter[str]:
    assert runner.ledger is not None
    totals = runner.ledger.totals()
    return Counter({name: totals[name] for name in ("written", "errored", "filtered")})


def traced_fates(*traces: Trace) -> Counter[str]:
    return Counter(
        {"written": 0, "errored": 0, "filtered": 0} | Counter(t.outcome.value for t in traces)
    )


def tracer_of(plan: CompiledPlan) -> Tracer:
    """Return a tracer that takes envelopes of every kind, as the test runner does."""
    return Tracer(plan, registered=ErrorKind)


def _failure(envelope: ErrorEnvelope[Any]) -> Failure:
    return (
        envelope.kind.value,
        envelope.node or "",
        envelope.exception_type or "",
        envelope.reason,
        envelope_fingerprint(envelope),
    )


def _json(payload: Any) -> str:
    return msgspec.json.encode(payload).decode()


class States:
    """States of keys that live on from one trace to the next, as in a run."""

    def __init__(self) -> None:
        self.blobs: dict[tuple[str, str], bytes] = {}

    def of(self, step_id: str, key: str) -> bytes | None:
        return self.blobs.get((step_id, key))

    def take(self, trace: Trace) -> None:
        for change in trace.states:
            if change.after is None:
                self.blobs.pop((change.state_id, change.key), None)
            else:
                self.blobs[change.state_id, change.key] = change.after
