"""A flow that a standby loads and never runs."""

from __future__ import annotations

from loom_runtime import FromTopic, IntoTopic, LoomStruct, Message, Process, RecordStep, StreamFlow


class Line(LoomStruct):
    """A payload."""

    text: str


class Echo(RecordStep[Line, Line]):
    """Gives what it takes."""

    def execute(self, message: Message[Line]) -> Line:
        """Return the payload."""
        return message.payload


flow = StreamFlow("rehearsal", FromTopic("lines", Line), Process(Echo), IntoTopic("echoes", Line))


def bench_feed() -> list[Line]:
    """Return nothing."""
    return []
