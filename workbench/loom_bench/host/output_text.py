"""What a written record is, as text."""

from __future__ import annotations

import time
from typing import Any, Final

import msgspec

from loom_bench.protocol.measurements import SeenOutput
from loom_runtime.config.kafka import WireFormat
from loom_runtime.execution.layout import Port
from loom_runtime.execution.sampling import bytes_text, key_text, payload_text

_MAX_UNPACKED_BYTES: Final = 64 * 1024
"""Larger binary values are not unpacked to be looked at."""


def seen_output(port: Port, output: Any) -> SeenOutput:
    """Return one output of *port* as it is shown; never raises."""
    sink = port.sink
    if sink is None:
        key, text, topic = "", payload_text(output), "a registered sink"
    else:
        key, topic = key_text(output[0]), sink.topic
        text = value_text(output[1], sink.settings.format)
    return SeenOutput(
        at_ms=time.time_ns() // 1_000_000,
        topic=topic,
        key=key,
        text=text,
        kind="record" if port.error_kind is None else "envelope",
    )


def value_text(value: bytes | None, wire_format: WireFormat) -> str:
    """Return a record's value as text of bounded length; never raises."""
    if value is None or wire_format is WireFormat.JSON:
        return bytes_text(value)
    if len(value) > _MAX_UNPACKED_BYTES:
        return f"<{len(value)} bytes of {wire_format.value}>"
    try:
        return payload_text(msgspec.msgpack.decode(value))
    except (msgspec.MsgspecError, ValueError, TypeError, RecursionError):
        return bytes_text(value)
