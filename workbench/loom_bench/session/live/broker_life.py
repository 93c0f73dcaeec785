"""The broker of a live session: opened in the background, exchanged, missed when it dies."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import partial

from loom_bench.broker.contract import Broker, BrokerError
from loom_bench.broker.external import ExternalBroker
from loom_bench.broker.opening import Opening, OpeningCancelledError, OpeningStep
from loom_bench.protocol.diagnosis import Diagnosis
from loom_bench.protocol.frames import Loaded
from loom_bench.protocol.security import ClientSettings
from loom_bench.session.broker_side import OpenBroker, broker_death, broker_failure
from loom_bench.session.live.board import Board
from loom_bench.session.live.hosts import Post
from loom_bench.session.topics import topics_of
from loom_bench.session.value import BrokerView


class BrokerLife:
    """Owns the broker.

    Attributes:
        choice: What was chosen last.
        current: The broker that serves the flow.

    Args:
        choice: What the user chose.
        open_broker: Opens it; raises BrokerError.
        post: Has something done on the session's thread.
        board: Where it is shown.
    """

    def __init__(self, choice: str, open_broker: OpenBroker, post: Post, board: Board) -> None:
        self.choice = choice
        self.current: Broker | None = None
        self._open_broker = open_broker
        self._post = post
        self._board = board
        self._opening: Opening | None = None
        self._created: dict[str, int] = {}
        self._threads: list[threading.Thread] = []
        self._unclaimed: list[Broker] = []
        self._claiming = threading.Lock()

    @property
    def state(self) -> str:
        """``starting``, ``ready``, ``failed`` or ``dead``."""
        return self._board.broker.state

    def open(self, choice: str, then: Callable[[Broker | Diagnosis], None]) -> None:
        """Open a broker in the background; *then* is called on the session's thread.

        One that is still being opened is given up.
        """
        self.call_off()
        if self.current is None:
            self._board.broker = BrokerView(kind=choice, state="starting")
        opening = Opening(lambda step: self._post(partial(self._show, opening, step)))
        self._opening = opening
        self._in_background("open-broker", partial(self._open, choice, opening, then))

    def call_off(self) -> None:
        """Give up what is being opened; the broker that is used stays."""
        if self._opening is not None:
            self._opening.cancel()
            self._opening = None
            self._board.change_broker(opening="", progress=None)
            if self.current is None:
                self._board.change_broker(state="failed")

    def adopt(self, broker: Broker, choice: str) -> None:
        """Use *broker* from now on; the one before is stopped."""
        with self._claiming:
            if broker in self._unclaimed:
                self._unclaimed.remove(broker)
        self.leave()
        self.current, self.choice = broker, choice
        self._board.broker = BrokerView(
            kind=broker.kind,
            bootstrap=broker.bootstrap,
            reason=broker.reason,
            state="ready",
            owned=broker.owned,
            writable=broker.writable,
            limits=broker.limits,
            memory_bytes=broker.memory_bytes(),
        )

    def failed(self, problem: Diagnosis) -> None:
        """Show that no broker could be had."""
        self._board.change_broker(state="failed", problem=problem)

    def leave(self) -> None:
        """Stop the broker that is used now."""
        broker, self.current, self._created = self.current, None, {}
        if broker is not None:
            self._in_background("stop-broker", broker.stop)

    def check(self) -> Diagnosis | None:
        """Look after the broker; once a second. Return why it is gone when it has died."""
        broker = self.current
        if broker is None:
            return None
        if broker.alive():
            self._board.change_broker(memory_bytes=broker.memory_bytes())
            return None
        problem = broker_death(broker)
        self.leave()
        self._board.change_broker(state="dead", problem=problem, memory_bytes=None)
        return problem

    def allow_writes(self, address: str) -> bool:
        """Let the bench create topics and feed on the user's broker; return whether it may.

        Args:
            address: The broker's address, as the user typed it.
        """
        broker = self.current
        if not isinstance(broker, ExternalBroker):
            return False
        try:
            broker.allow_writes(address)
        except BrokerError as error:
            self._board.notice(f"{error.what}. {error.what_next}", "error")
            return False
        self._board.change_broker(writable=True, limits=broker.limits)
        return True

    def make_topics(self, loaded: Loaded, then: Callable[[Diagnosis | None], None]) -> None:
        """Create what *loaded* needs where that is allowed; at once when all is there.

        *then* is called on the session's thread with what went wrong.
        """
        broker = self.current
        needed = {} if broker is None or not broker.writable else topics_of(loaded.plan)
        missing = {topic: count for topic, count in needed.items() if topic not in self._created}
        if broker is None or not missing:
            then(None)
            return
        self._in_background(
            "make-topics",
            partial(self._make_topics, broker, missing, loaded.security.writing, then),
        )

    def close(self) -> None:
        """Stop every broker that was opened; returns when they have ended."""
        self.call_off()
        self.leave()
        for thread in self._threads:
            thread.join()
        with self._claiming:
            for broker in self._unclaimed:
                broker.stop()
            self._unclaimed = []

    def _open(
        self, choice: str, opening: Opening, then: Callable[[Broker | Diagnosis], None]
    ) -> None:
        try:
            broker = self._open_broker(choice, opening)
        except OpeningCancelledError:
            return
        except BrokerError as error:
            self._post(partial(self._opened, opening, broker_failure(error), then))
        else:
            with self._claiming:
                self._unclaimed.append(broker)
            self._post(partial(self._opened, opening, broker, then))

    def _opened(
        self,
        opening: Opening,
        result: Broker | Diagnosis,
        then: Callable[[Broker | Diagnosis], None],
    ) -> None:
        if opening is self._opening:
            self._opening = None
            self._board.change_broker(opening="", progress=None)
            then(result)
        elif not isinstance(result, Diagnosis):  # called off when it was there already
            with self._claiming:
                self._unclaimed.remove(result)
            self._in_background("stop-broker", result.stop)

    def _show(self, opening: Opening, step: OpeningStep) -> None:
        if opening is not self._opening:
            return
        self._board.change_broker(opening=step.text, progress=step.share)
        if self.current is None:
            self._board.change_broker(kind=step.kind)

    def _make_topics(
        self,
        broker: Broker,
        missing: dict[str, int],
        security: ClientSettings,
        then: Callable[[Diagnosis | None], None],
    ) -> None:
        problem: Diagnosis | None = None
        try:
            broker.create_topics(missing, security)
        except BrokerError as error:
            problem = broker_failure(error)
        self._post(partial(self._made_topics, broker, missing, problem, then))

    def _made_topics(
        self,
        broker: Broker,
        missing: dict[str, int],
        problem: Diagnosis | None,
        then: Callable[[Diagnosis | None], None],
    ) -> None:
        if problem is None and broker is self.current:
            self._created.update(missing)
        then(problem)

    def _in_background(self, name: str, work: Callable[[], None]) -> None:
        self._threads = [thread for thread in self._threads if thread.is_alive()]
        thread = threading.Thread(target=work, name=name, daemon=True)
        self._threads.append(thread)
        thread.start()
