"""Written records whose delivery is open, and which of them a failed delivery was about."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from loom_runtime.failures import DeliveryError
from loom_runtime.wire.records import OutputRecord

Failure = tuple[str, bytes | None, bytes | None, str]
"""A failed delivery as the client tells it, without headers: topic, key, value, reason."""

_Outputs = Sequence[OutputRecord]
_Place = tuple[str, bytes | None, bytes | None]


@dataclass(slots=True)
class Written:
    """Records of one write.

    Attributes:
        topic: Their topic.
        outputs: The records.
        complete: Whether the client has taken all of them.
    """

    topic: str
    outputs: _Outputs
    complete: bool = False


class Unsettled:
    """What a writer has taken and not settled.

    A callback of its own for each record would name the record that failed, and cost a sixth of
    what writing it costs. So failures are looked up among what is open, when there are any.

    Attributes:
        failed: Failures that were told and not looked up yet; the client's callback appends.
    """

    def __init__(self) -> None:
        self.failed: list[Failure] = []
        self._open: list[Written] = []
        self._undelivered: dict[int, list[tuple[OutputRecord, str]]] = {}

    def take(self, topic: str, outputs: _Outputs) -> Written:
        """Note that *outputs* are written from now on."""
        written = Written(topic, outputs)
        self._open.append(written)
        return written

    def reject(self, outputs: _Outputs, output: OutputRecord, reason: str) -> None:
        """Note that the client did not take one of *outputs*."""
        self._undelivered.setdefault(id(outputs), []).append((output, reason))

    def complete(self) -> list[Written]:
        """Return what is open and was handed to the client whole."""
        return [written for written in self._open if written.complete]

    def settle(self, told: Iterable[Written]) -> None:
        """Close what the client has told every failure of.

        Raises:
            DeliveryError: When a failure is about none of the open records.
        """
        if self.failed:
            self._look_up()
        closed = set(map(id, told))
        self._open = [written for written in self._open if id(written) not in closed]

    def claim(self, outputs: _Outputs) -> list[tuple[OutputRecord, str]]:
        """Return, once, which of *outputs* were not delivered, each with the reason."""
        return self._undelivered.pop(id(outputs), [])

    def _look_up(self) -> None:
        # Not replaced: the callback may be about to append.
        count = len(self.failed)
        failed = self.failed[:count]
        del self.failed[:count]
        reasons: dict[_Place, list[str]] = {}
        for topic, key, value, reason in failed:
            reasons.setdefault((topic, key, value), []).append(reason)
        candidates: dict[_Place, list[tuple[_Outputs, OutputRecord]]] = {}
        for written in self._open:
            for output in written.outputs:
                place = (written.topic, output[0], output[1])
                if place in reasons:
                    candidates.setdefault(place, []).append((written.outputs, output))
        for place, told in reasons.items():
            found = candidates.get(place, [])
            if len(found) < len(told):
                raise DeliveryError(
                    f"{len(told)} record(s) could not be delivered to {place[0]}: {told[0]}",
                    where=f"topic {place[0]}",
                    what_next="nothing was committed past these records; start the flow again",
                )
            if all(output[2] == found[0][1][2] for _, output in found):
                found = found[: len(told)]
            # Else any of several records that differ in their headers may have failed: rather one
            # dead letter too many.
            for index, (outputs, output) in enumerate(found):
                self.reject(outputs, output, told[min(index, len(told) - 1)])
