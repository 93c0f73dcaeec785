"""The encoders of a layout's ports, as their topics' settings say."""

from __future__ import annotations

from typing import Any

from loom_runtime.errors import ErrorEnvelope, ErrorKind
from loom_runtime.execution.layout import Layout
from loom_runtime.execution.terminal import EnvelopeWriterEncoder, RecordEncoder
from loom_runtime.wire.encoding import build_encoder
from loom_runtime.wire.envelopes import EnvelopeEncoder


class PassEnvelope:
    """Hands envelopes to a sink as they are."""

    def encode(self, envelope: ErrorEnvelope[Any]) -> ErrorEnvelope[Any]:
        """Return the envelope."""
        return envelope


def topic_encoder(layout: Layout, port: int) -> RecordEncoder:
    """Return the encoder of a topic's records."""
    sink = layout.ports[port].sink
    if sink is None:
        raise LookupError(f"port {port} has no topic")
    says_type = sink.settings.message_type_header
    if says_type is None:
        says_type = not isinstance(sink.payload_type, type) or bool(
            getattr(sink.payload_type, "__loom_message_type__", "")
        )
    return build_encoder(sink.settings.format, sink.payload_type, message_type_header=says_type)


def envelope_encoder(layout: Layout, kind: ErrorKind) -> tuple[int, EnvelopeWriterEncoder] | None:
    """Return the port of a kind's envelopes and their encoder; ``None`` without a port."""
    port = layout.error_ports.get(kind)
    if port is None:
        return None
    sink = layout.ports[port].sink
    return port, PassEnvelope() if sink is None else EnvelopeEncoder(sink.settings.format)
