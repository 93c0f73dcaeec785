"""What a trace's record would have been written as, and where."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from loom_runtime.compiler.edges import sink_id
from loom_runtime.config.kafka import WireFormat
from loom_runtime.errors import ErrorEnvelope
from loom_runtime.execution.layout import Layout, Port
from loom_runtime.execution.travel import Parcel
from loom_runtime.tracing.putting_down import Notebook, shown_key
from loom_runtime.tracing.shown import ShownValue
from loom_runtime.tracing.trace import OutputKind, TracedOutput

MAX_OUTPUTS = 200


def traced_outputs(
    layout: Layout, parcels: Iterable[Parcel], notebook: Notebook
) -> tuple[TracedOutput, ...]:
    """Return the writes of *parcels*, at most ``MAX_OUTPUTS``."""
    found: list[TracedOutput] = []
    for parcel in parcels:
        for port, _, outputs in parcel.writes:
            for output in outputs:
                if len(found) == MAX_OUTPUTS:
                    return tuple(found)
                found += _traced(layout.ports[port] if port >= 0 else None, output, notebook)
    return tuple(found)


def _traced(port: Port | None, output: Any, notebook: Notebook) -> Iterator[TracedOutput]:
    if port is None or port.sink is None:
        envelope: ErrorEnvelope[Any] = output
        meta = envelope.transport
        if envelope.original_message is not None:
            meta = envelope.original_message.meta
        yield TracedOutput(
            kind=OutputKind.UNROUTED if port is None else OutputKind.ENVELOPE,
            sink="",
            topic="",
            key=None if meta is None else shown_key(meta.key),
            value=notebook.payload(envelope),
            error_kind=envelope.kind,
        )
        return
    key, value, headers = output
    yield TracedOutput(
        kind=OutputKind.RECORD if port.error_kind is None else OutputKind.ENVELOPE,
        sink=sink_id(port.sink),
        topic=port.sink.topic,
        key=shown_key(key),
        value=_value(port, value, notebook),
        headers=tuple(headers or ()),
        error_kind=port.error_kind,
    )


def _value(port: Port, value: bytes | None, notebook: Notebook) -> ShownValue:
    kind = "ErrorEnvelope"
    if port.error_kind is None and port.sink is not None:
        kind = getattr(port.sink.payload_type, "__qualname__", "") or "bytes"
    if port.sink is not None and port.sink.settings.format is WireFormat.JSON:
        return notebook.json(value, kind)
    return notebook.raw(value, kind)
