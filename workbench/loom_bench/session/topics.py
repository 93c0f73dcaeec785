"""Which topics a plan needs, for a broker that starts empty."""

from __future__ import annotations

from loom_runtime.compiler.document_parts import PlanDocument

PARTITIONS = 4
"""Partitions of every topic on a broker of ours: enough to see keys spread, few enough to read."""


def topics_of(plan: PlanDocument) -> dict[str, int]:
    """Return every topic that *plan* reads or writes, and its number of partitions."""
    names = [*plan.source.topics]
    for sink in plan.sinks:
        names.append(sink.topic)
        if sink.dlq_topic is not None:
            names.append(sink.dlq_topic)
    return dict.fromkeys(names, PARTITIONS)
