"""Error sinks that are not topics: registered ones, and those given to a run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from threading import Lock
from typing import Any

from loom_runtime.execution.layout import Port
from loom_runtime.failures import DeliveryError
from loom_runtime.sinks import ErrorSink
from loom_runtime.transport import OutputWriter, Undelivered
from loom_runtime.wire.error_text import problem_text


class RoutingWriter:
    """Writes envelopes to registered sinks and everything else to the topics' writer.

    A sink gets its envelopes before the epoch's offsets are committed; it has delivered them when
    its ``write_batch`` returns.

    Args:
        topics: Writer of the topics.
        ports: Every sink of the flow.
        sinks: Sink of each port that is no topic.
        step_id: Passed to the sinks' ``build``.
        worker_index: Passed to the sinks' ``build``: the index of this process.
        worker_count: Passed to the sinks' ``build``: the number of processes.
    """

    def __init__(
        self,
        topics: OutputWriter,
        ports: Sequence[Port],
        sinks: Mapping[int, ErrorSink],
        *,
        step_id: str,
        worker_index: int,
        worker_count: int,
    ) -> None:
        self._topics = topics
        self._ports = ports
        self._lock = Lock()
        self._parts: dict[int, Any] = {
            port: sink.build(step_id, worker_index, worker_count) for port, sink in sinks.items()
        }

    def write(self, port: int, outputs: Sequence[Any]) -> None:
        """Take outputs.

        Raises:
            DeliveryError: When a registered sink raises.
        """
        part = self._parts.get(port)
        if part is None:
            self._topics.write(port, outputs)
            return
        try:
            with self._lock:
                part.write_batch(list(outputs))
        except Exception as error:
            raise DeliveryError(
                f"a registered error sink failed: {problem_text(error)}",
                where=f"{type(part).__qualname__} for {self._ports[port].error_kind} errors",
                what_next="mend the sink; nothing was committed past these records",
            ) from error

    def flush(self) -> None:
        """Wait until everything taken is delivered or known not to be."""
        self._topics.flush()

    def claim(self, port: int, outputs: Sequence[Any]) -> list[Undelivered]:
        """Return, once, which of *outputs* were not delivered."""
        return [] if port in self._parts else self._topics.claim(port, outputs)

    def dead_letter(self, undelivered: Sequence[Undelivered]) -> list[Undelivered]:
        """Write to the ports' dead-letter topics."""
        return self._topics.dead_letter(undelivered)

    def close(self) -> None:
        """Close the registered sinks, then the topics' writer."""
        for part in self._parts.values():
            part.close()
        self._topics.close()
