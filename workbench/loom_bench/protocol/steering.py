"""What the bench tells a host while a session is live, beyond what every run needs."""

from __future__ import annotations

import msgspec

from loom_bench.protocol.diagnosis import Diagnosis
from loom_bench.protocol.security import ClientSettings


class WarmUp(msgspec.Struct, frozen=True, tag="warm_up"):
    """Import everything of ours that a run needs, and wait; no answer."""


class StepBatch(msgspec.Struct, frozen=True, tag="step_batch"):
    """While paused: read one batch of every partition."""


class WatchNode(msgspec.Struct, frozen=True, tag="watch_node"):
    """Sample the inputs and outputs of one node.

    Attributes:
        node: Its id in the plan document; ``None`` for none.
    """

    node: str | None


class WriteRecord(msgspec.Struct, frozen=True, kw_only=True, tag="write_record"):
    """Write one record by hand into the flow's source topic, on a broker that the bench may
    write to; answered by RecordWritten.

    Attributes:
        target: Path of the module, with ``:ATTRIBUTE`` when it has several flows.
        bootstrap: Address of that broker.
        topic: The topic.
        format: Its wire format.
        security: How to log in there.
        key: Record key.
        value: The payload as JSON.
    """

    target: str
    bootstrap: str
    topic: str
    format: str
    key: str | None
    value: str
    security: ClientSettings = {}


class RecordWritten(msgspec.Struct, frozen=True, tag="record_written"):
    """A record was written by hand, or was not.

    Attributes:
        problem: Why it was not; ``None`` when it was.
    """

    problem: Diagnosis | None = None
