"""The envelope that is looked at: its record, the record that failed, its traces, files of it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Final, Protocol

import msgspec

from loom_bench.broker.contract import BrokerError
from loom_bench.broker.place import RecordPlace
from loom_bench.broker.reading import TopicRecord
from loom_bench.protocol.diagnosis import Diagnosis
from loom_bench.session.envelopes.envelope import Envelope, decoded_envelope
from loom_bench.session.envelopes.flow_view import InboxFlow
from loom_bench.session.envelopes.foreign import foreign_failure
from loom_bench.session.envelopes.group import Kept, row_of
from loom_bench.session.envelopes.intake import Post
from loom_bench.session.envelopes.records import Found, Records
from loom_bench.session.envelopes.source_record import as_source, carried
from loom_bench.session.envelopes.value import OpenEnvelope, ShownBytes, ShownRecord
from loom_runtime.tracing.shown import EditedMessage
from loom_runtime.tracing.trace import SourceRecord

_SHOWN_BYTES: Final = 256 * 1024
"""Most of a value that is shown: more lines than anybody scrolls through."""


class Tracer(Protocol):
    """Traces records, as :class:`TraceCommands` do."""

    def trace_record(
        self,
        record: SourceRecord,
        *,
        start: str | None = None,
        message: EditedMessage | None = None,
    ) -> int:
        """Run a record through the newest code; return the trace's number."""
        ...

    def drop_trace(self, number: int) -> None:
        """Give a trace up, and forget it."""
        ...


class Opening:
    """Holds one envelope open. Used on the inbox's thread.

    Attributes:
        kept: The open envelope; ``None`` for none.
        record: Its record, as soon as it was fetched.
        source: The record that failed.

    Args:
        post: Has something done on that thread.
        tracer: Traces.
        changed: Called when there is something new to show.
    """

    def __init__(self, post: Post, tracer: Tracer | None, changed: Callable[[], None]) -> None:
        self.kept: Kept | None = None
        self.record: TopicRecord | None = None
        self.source: SourceRecord | None = None
        self._post = post
        self._tracer = tracer
        self._changed = changed
        self._flow: InboxFlow | None = None
        self._trace: int | None = None
        self._edited = False
        self._problem: Diagnosis | None = None
        self._shown: OpenEnvelope | None = None

    @property
    def trace(self) -> int | None:
        """Number of the newest trace."""
        return self._trace

    def open(self, kept: Kept, flow: InboxFlow, records: Records) -> None:
        """Look at an envelope that lies on a topic: fetch it and its record, then trace."""
        self.leave()
        self.kept, self._flow = kept, flow
        place = kept.envelope.place
        wanted = [each for each in (place, kept.envelope.source) if each is not None]
        records.fetch(wanted, lambda found: self._post(partial(self._fetched, kept, found)))

    def open_imported(
        self, kept: Kept, flow: InboxFlow, record: TopicRecord, source: SourceRecord | None
    ) -> None:
        """Look at an envelope that was imported."""
        self.leave()
        self.kept, self._flow = kept, flow
        self._take(record, source or carried(kept.envelope, record))

    def leave(self) -> None:
        """Look at none."""
        if self._trace is not None and self._tracer is not None:
            self._tracer.drop_trace(self._trace)
        self.kept = self.record = self.source = self._trace = self._problem = self._shown = None
        self._edited = False

    def retry(self, value: bytes | None) -> None:
        """Trace again, from the source."""
        if self.source is None:
            return
        record = self.source
        if value is not None:
            record = msgspec.structs.replace(record, value=value)
        self._begin_trace(record, edited=value is not None)

    def go_on_with(self, node: str, message: EditedMessage) -> None:
        """Trace from a node on."""
        if self.source is not None:
            self._begin_trace(self.source, edited=True, start=node, message=message)

    def view(self) -> OpenEnvelope | None:
        """Return it as it is shown."""
        kept = self.kept
        if kept is None:
            return None
        if self._shown is None:
            self._shown = _shown(kept.envelope, kept, self.record, self.source)
        return msgspec.structs.replace(
            self._shown,
            row=row_of(kept),
            trace=self._trace,
            edited=self._edited,
            problem=self._problem,
        )

    def _fetched(self, kept: Kept, found: Found | BrokerError) -> None:
        if kept is not self.kept:
            return
        if isinstance(found, BrokerError):
            self._problem = Diagnosis(
                code="envelope_unread",
                message=found.what,
                component=found.where,
                hint=found.what_next,
            )
            self._changed()
            return
        envelope = kept.envelope
        record = _found(found, envelope.place)
        failed = None if envelope.carries_record else _found(found, envelope.source)
        source = None if failed is None else as_source(failed)
        if source is None and record is not None:
            source = carried(envelope, record)
        self._take(record, source)
        self._changed()

    def _take(self, record: TopicRecord | None, source: SourceRecord | None) -> None:
        self.record, self.source, self._shown = record, source, None
        kept, flow = self.kept, self._flow
        if kept is None or flow is None:
            return
        self._problem = _why_untraceable(kept.envelope, flow, source)
        if self._problem is None and source is not None:
            self._begin_trace(source, edited=False)

    def _begin_trace(
        self,
        record: SourceRecord,
        *,
        edited: bool,
        start: str | None = None,
        message: EditedMessage | None = None,
    ) -> None:
        if self._tracer is None:
            return
        self._trace = self._tracer.trace_record(record, start=start, message=message)
        self._edited = edited
        self._changed()


def configuration_of(flow: InboxFlow, module: Path) -> Path | None:
    """Return the configuration file of a flow whose module is the file *module*."""
    if flow.config_path is not None:
        return Path(flow.config_path).absolute()
    beside = [module.with_suffix(suffix) for suffix in (".yaml", ".yml")]
    return next((path for path in beside if path.is_file()), None)


def _found(found: Found, place: RecordPlace | None) -> TopicRecord | None:
    return None if place is None else found.get(place)


def _why_untraceable(
    envelope: Envelope, flow: InboxFlow, source: SourceRecord | None
) -> Diagnosis | None:
    topics = flow.plan.source.topics
    if envelope.source is None:
        return _untraceable(
            "the envelope does not tell where its record lay",
            "It can be looked at and exported, not traced.",
        )
    if envelope.source.topic not in topics:
        return _untraceable(
            f"its record is of {envelope.source.topic}, and the flow reads {', '.join(topics)}",
            "Open the flow that reads that topic.",
        )
    if source is None:
        return _untraceable(
            f"its record, {envelope.source}, is there no more",
            "Topics forget; the envelope itself shows what had reached the node that failed.",
        )
    return None


def _untraceable(message: str, hint: str) -> Diagnosis:
    return Diagnosis(code="untraceable", message=message, component="the envelope", hint=hint)


def _shown(
    envelope: Envelope, kept: Kept, record: TopicRecord | None, source: SourceRecord | None
) -> OpenEnvelope:
    told: tuple[tuple[str, str], ...] = ()
    if record is not None:
        failure = foreign_failure(record.headers) if envelope.carries_record else None
        decoded = None if envelope.carries_record else decoded_envelope(record)
        if failure is not None:
            told = failure.told
        elif decoded is not None:
            told = tuple(
                (name, str(value))
                for name in ("flow", "revision", "payload_type", "node_path", "attempt")
                if (value := getattr(decoded, name)) not in (None, ())
            )
    return OpenEnvelope(
        row=row_of(kept),
        record=None if record is None else _record(record, envelope.place),
        source=None if source is None else _record(source, envelope.source),
        traceback=envelope.traceback,
        headers=told,
    )


def _record(record: TopicRecord | SourceRecord, place: RecordPlace | None) -> ShownRecord:
    return ShownRecord(
        place=place,
        at_ms=record.timestamp_ms if record.timestamp_ms > 0 else None,
        key=_bytes(record.key),
        value=_bytes(record.value),
        headers=tuple((name, _bytes(value)) for name, value in record.headers),
    )


def _bytes(value: bytes | None) -> ShownBytes:
    if value is None:
        return ShownBytes()
    return ShownBytes(content=value[:_SHOWN_BYTES], size_bytes=len(value))
