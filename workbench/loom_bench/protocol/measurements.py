"""What a host measures of a running flow. Counters are absolute; single things are sampled."""

from __future__ import annotations

import msgspec


class NodeCounters(msgspec.Struct, frozen=True, kw_only=True):
    """What one node has done since the run began.

    Attributes:
        id: Its id in the plan document; a source's or sink's too.
        records_in: Records that came in.
        records_out: Records that went out.
        errors: Failures.
        held: Records held now.
        late: Records that came too late for a window.
        p50_ms: Median time a record, milliseconds; ``None`` before the first.
        p99_ms: 99th percentile of it.
        busy_s: Seconds spent in it, over all workers.
    """

    id: str
    records_in: int
    records_out: int
    errors: int
    held: int
    late: int
    p50_ms: float | None
    p99_ms: float | None
    busy_s: float


class Nodes(msgspec.Struct, frozen=True, tag="nodes"):
    """Every node's counters.

    Attributes:
        counters: One entry a node that has run.
        workers: Worker threads of the run.
    """

    counters: tuple[NodeCounters, ...]
    workers: int = 1


class SeenSample(msgspec.Struct, frozen=True, kw_only=True):
    """One record as a node took it and what it gave for it.

    Attributes:
        at_ms: When, milliseconds since the Unix epoch.
        key: Record key as text.
        taken: The payload that came in, as JSON text.
        given: The payloads that went out, as JSON text.
    """

    at_ms: int
    key: str
    taken: str
    given: tuple[str, ...]


class Samples(msgspec.Struct, frozen=True, tag="samples"):
    """The newest samples of the watched node.

    Attributes:
        node: Id of the node.
        samples: Those since the last frame, oldest first.
    """

    node: str
    samples: tuple[SeenSample, ...]


class SeenCommit(msgspec.Struct, frozen=True, kw_only=True):
    """One commit.

    Attributes:
        at_ms: When, milliseconds since the Unix epoch.
        topic: Source topic.
        partition: Source partition.
        offset: The offset.
        problem: Why it failed; ``None`` when it did not.
    """

    at_ms: int
    topic: str
    partition: int
    offset: int
    problem: str | None = None


class CommitCount(msgspec.Struct, frozen=True, kw_only=True):
    """Commits of one partition since the run began.

    Attributes:
        topic: Source topic.
        partition: Source partition.
        done: Commits.
        failed: Commits that failed.
    """

    topic: str
    partition: int
    done: int
    failed: int


class Commits(msgspec.Struct, frozen=True, kw_only=True, tag="commits"):
    """Commits since the last frame.

    Attributes:
        newest: The newest of them, oldest first.
        counts: One entry a partition.
    """

    newest: tuple[SeenCommit, ...]
    counts: tuple[CommitCount, ...]


class SeenOutput(msgspec.Struct, frozen=True, kw_only=True):
    """One record that the flow wrote.

    Attributes:
        at_ms: When, milliseconds since the Unix epoch.
        topic: Where.
        key: Record key as text.
        text: Its value as text.
        kind: ``record`` or ``envelope``.
    """

    at_ms: int
    topic: str
    key: str
    text: str
    kind: str


class Outputs(msgspec.Struct, frozen=True, kw_only=True, tag="outputs"):
    """Records that the flow wrote, sampled.

    Attributes:
        newest: The newest of each topic, oldest first.
        seen: How many there were since the run began.
    """

    newest: tuple[SeenOutput, ...]
    seen: int
