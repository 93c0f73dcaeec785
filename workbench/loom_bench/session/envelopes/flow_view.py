"""What the inbox needs to know of the flow that it is about."""

from __future__ import annotations

from pathlib import Path
from typing import Final, NamedTuple

from loom_bench.protocol.frames import Load
from loom_bench.protocol.security import NO_SECURITY, ClientSecurity
from loom_runtime.compiler.document_parts import PlanDocument

_USUAL_SUFFIXES: Final = (".DLT", "-dlt", ".dlt", "-dlq", ".dlq", ".DLQ")
"""Where Spring, and many who follow it, put what they could not read of a topic."""


class InboxFlow(NamedTuple):
    """A flow that runs, or could.

    Attributes:
        target: Path of its module, with ``:ATTRIBUTE`` when that has several flows.
        config_path: Its configuration file; ``None`` looks for one beside the module.
        module: Name that the module is imported under.
        plan: Its plan.
        bootstrap: Addresses of its broker.
        owned: Whether the bench started that broker.
        lasting: What the broker's topics are known by in every session; ``None`` when they end
            with this one.
        revision: Number of the revision of its code.
        revision_name: What that revision is called in envelopes.
        security: How to log in where it does.
        store: Folder of the recovery store that it runs on; ``None`` when it keeps no state.
    """

    target: str
    config_path: str | None
    module: str
    plan: PlanDocument
    bootstrap: str
    owned: bool
    lasting: str | None = None
    revision: int = 1
    revision_name: str = ""
    security: ClientSecurity = NO_SECURITY
    store: Path | None = None

    @property
    def topics(self) -> tuple[str, ...]:
        """Its error and dead-letter topics."""
        plan = self.plan
        routed = set(plan.error_routes.values())
        names = [sink.topic for sink in plan.sinks if sink.id in routed]
        names += [sink.dlq_topic for sink in plan.sinks if sink.dlq_topic is not None]
        return tuple(dict.fromkeys(names))

    @property
    def usual_topics(self) -> tuple[str, ...]:
        """Topics that others put dead letters of its source in, should they be there."""
        return tuple(
            topic + suffix for topic in self.plan.source.topics for suffix in _USUAL_SUFFIXES
        )

    def sink_of_dead_letters(self, topic: str) -> str | None:
        """Return the topic that records in the dead-letter *topic* were to be written to."""
        found = {sink.topic for sink in self.plan.sinks if sink.dlq_topic == topic}
        return found.pop() if len(found) == 1 else None


def load_of(flow: InboxFlow, time_limit_ms: int) -> Load:
    """Return how a host that runs nothing loads a flow."""
    return Load(
        target=flow.target,
        config_path=flow.config_path,
        bootstrap=flow.bootstrap,
        plaintext=flow.owned,
        to_run=True,
        time_limit_ms=time_limit_ms,
    )
