"""The broker of a run: opened on a thread of its own while the flow's host starts."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Final

from loom_bench.broker.contract import Broker, BrokerError
from loom_bench.broker.opening import Opening, OpeningStep
from loom_bench.protocol.diagnosis import Diagnosis
from loom_bench.session.happenings import BrokerOpening, BrokerReady
from loom_bench.session.mailbox import BrokerOpened, Mailbox

_STEP_INTERVAL_S: Final = 1.0

OpenBroker = Callable[[str, Opening], Broker]
"""Opens the broker that a word or an address chooses; raises BrokerError."""


class BrokerSide:
    """Opens a broker and stops it at the end.

    Args:
        open_broker: Opens it; raises BrokerError.
        mailbox: Where its steps and BrokerOpened go.
    """

    def __init__(self, open_broker: Callable[[Opening], Broker], mailbox: Mailbox) -> None:
        self._open_broker = open_broker
        self._mailbox = mailbox
        self._opening = Opening(self._tell)
        self._next_step_s = 0.0
        self._opened: Broker | None = None
        self._thread = threading.Thread(target=self._open, name="open-broker", daemon=True)

    def begin(self) -> None:
        """Start opening it."""
        self._thread.start()

    def close(self) -> None:
        """Stop it, also when it came too late for anybody to use, or is still being opened."""
        self._opening.cancel()
        self._thread.join()
        if self._opened is not None:
            self._opened.stop()

    def _tell(self, step: OpeningStep) -> None:
        now_s = time.monotonic()
        if now_s >= self._next_step_s:
            self._next_step_s = now_s + _STEP_INTERVAL_S
            self._mailbox.put(step)

    def _open(self) -> None:
        try:
            self._opened = self._open_broker(self._opening)
        except BrokerError as error:
            self._mailbox.put(BrokerOpened(error))
        else:
            self._mailbox.put(BrokerOpened(self._opened))


def broker_opening(step: OpeningStep) -> BrokerOpening:
    """Return what is told of a step."""
    return BrokerOpening(kind=step.kind, text=step.text, share=step.share)


def broker_ready(broker: Broker) -> BrokerReady:
    """Return what is told of *broker* when it answers."""
    return BrokerReady(
        kind=broker.kind,
        bootstrap=broker.bootstrap,
        owned=broker.owned,
        reason=broker.reason,
        limits=broker.limits,
    )


def broker_failure(error: BrokerError) -> Diagnosis:
    """Return what *error* means."""
    return Diagnosis(
        code="broker_unavailable", message=error.what, component=error.where, hint=error.what_next
    )


def broker_death(broker: Broker) -> Diagnosis:
    """Return what to tell of a broker of ours that has ended."""
    return Diagnosis(
        code="broker_died",
        message="the broker that the bench started has ended",
        component=broker.bootstrap,
        hint="Its memory may have run out; run again, or use another broker.",
    )
