"""The live session: commands from any thread, one thread that does them, one value to look at."""

from __future__ import annotations

import threading
import traceback
from functools import partial
from queue import SimpleQueue
from typing import Self

from loom_bench.broker.choice import open_broker
from loom_bench.broker.docker.options import DockerOptions
from loom_bench.protocol.diagnosis import Diagnosis
from loom_bench.protocol.frames import LOAD_TIME_LIMIT_MS, Drain, Finish
from loom_bench.session.envelopes.inbox import Inbox
from loom_bench.session.live.board import Board
from loom_bench.session.live.director import Director
from loom_bench.session.live.options import LiveOptions
from loom_bench.session.live.trace_desk import TraceDesk
from loom_bench.session.posted import Act, run_posted
from loom_bench.session.snapshots.desk import SnapshotDesk
from loom_bench.session.value import Phase, SessionValue


class LiveSession:
    """A flow that runs, is watched, fed, edited and reloaded. Implements SessionCommands.

    Attributes:
        snapshots: What can be asked about recovery stores.
        tracing: What can be asked about single records.
        envelopes: The inbox of error envelopes, with a value of its own.

    Args:
        options: What to open and how.
    """

    def __init__(self, options: LiveOptions) -> None:
        self._inbox: SimpleQueue[Act | None] = SimpleQueue()
        self._director = Director(options, self._inbox.put, lambda: self._value.tracing)
        self.snapshots: SnapshotDesk = self._director.snapshots
        self.tracing: TraceDesk = self._director.tracing
        self.envelopes: Inbox = self._director.envelopes
        self._value = self._director.value()
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._run, name="session", daemon=True)

    @classmethod
    def open(
        cls,
        target: str,
        *,
        broker: str = "embedded",
        docker: DockerOptions | None = None,
        allow_writes_to: str | None = None,
        config_path: str | None = None,
        feed_rate_per_s: float | None = None,
        manual_reload: bool = False,
        look_only: bool = False,
        load_time_limit_ms: int = LOAD_TIME_LIMIT_MS,
    ) -> Self:
        """Open a flow; returns at once, and everything that happens shows in the value.

        Args:
            target: Path of the module, with ``:ATTRIBUTE`` when it has several flows.
            broker: ``embedded``, ``docker``, the address of a broker, or ``auto`` for what serves
                best here.
            docker: Which Kafka a container runs.
            allow_writes_to: Address of a broker of the user's that topics may be created and fed
                on, as typed.
            config_path: Configuration file; ``None`` looks for one beside the module.
            feed_rate_per_s: Records per second of the feed; ``None`` for as fast as it goes, 0 for
                none.
            manual_reload: Whether a save waits for :meth:`reload`.
            look_only: Whether the flow is loaded and shown and never run.
            load_time_limit_ms: Longest time that importing and compiling may take.
        """
        session = cls(
            LiveOptions(
                target=target,
                open_broker=partial(open_broker, docker=docker, allow_writes_to=allow_writes_to),
                broker=broker,
                config_path=config_path,
                feed_rate_per_s=feed_rate_per_s,
                manual_reload=manual_reload,
                look_only=look_only,
                load_time_limit_ms=load_time_limit_ms,
            )
        )
        session._thread.start()
        return session

    def value(self) -> SessionValue:
        """Return the newest value."""
        return self._value

    def pause(self) -> None:
        """Stop reading; what was read is written and committed."""
        self._inbox.put(self._director.run.pause)

    def resume(self) -> None:
        """Go on reading; starts the flow again when it had stopped."""
        self._inbox.put(self._director.resume)

    def drain(self) -> None:
        """End the run at the next epoch barrier, everything committed."""
        self._inbox.put(partial(self._director.stop, Drain()))

    def finish(self) -> None:
        """As drain, but hand on open batches and windows first."""
        self._inbox.put(partial(self._director.stop, Finish()))

    def restart(self) -> None:
        """Load the code on disk, drain, and start it; opens a broker when there is none."""
        self._inbox.put(self._director.start)

    def kill(self) -> None:
        """End the flow's process now; the epoch under way is repeated at the next start."""
        self._inbox.put(self._director.kill)

    def step_batch(self) -> None:
        """While paused: read one batch of every partition, then pause again."""
        self._inbox.put(self._director.run.step)

    def reload(self) -> None:
        """Load the module as it is on disk now, and run it."""
        self._inbox.put(self._director.next.run_newest)

    def set_manual_reload(self, manual: bool) -> None:
        """Choose whether a save reloads by itself."""
        self._inbox.put(partial(setattr, self._director.board, "manual_reload", manual))

    def set_feed_rate(self, rate_per_s: float | None) -> None:
        """Change the feed's rate; ``None`` for as fast as it goes; 0 pauses it."""
        self._inbox.put(partial(self._director.set_feed_rate, rate_per_s))

    def feed_record(self, key: str | None, value: str) -> None:
        """Write one record by hand into the source topic, on a broker of our own."""
        self._inbox.put(partial(self._director.feed_record, key, value))

    def watch_samples(self, node: str | None) -> None:
        """Choose the node whose inputs and outputs are sampled; ``None`` for none."""
        self._inbox.put(partial(self._director.run.watch, node))

    def decide(self, mapping: dict[str, str], empty: tuple[str, ...], *, keep_old: bool) -> None:
        """Answer a state conflict.

        Args:
            mapping: Old state id to new state id.
            empty: State ids that start empty.
            keep_old: Keep the old revision running instead.
        """
        from loom_runtime.recovery.remapping import Remapping  # noqa: PLC0415 - brings SQLite

        remapping = Remapping(renamed=dict(mapping), emptied=tuple(empty))
        self._inbox.put(partial(self._director.next.decide, remapping, keep_old=keep_old))

    def switch_broker(self, choice: str | None) -> None:
        """Drain and go on with another broker; ``None`` keeps the one that is used and calls off
        what is being opened."""
        self._inbox.put(partial(self._director.switch_broker, choice))

    def allow_writes(self, address: str) -> None:
        """Create missing topics and feed on a broker of the user's, whose address was typed."""
        self._inbox.put(partial(self._director.allow_writes, address))

    def open_flow(self, target: str, broker: str | None = None, *, look_only: bool = False) -> None:
        """Drain and open another flow, on *broker* or the one that is used, to look at it only or
        to run it."""
        self._inbox.put(partial(self._director.open_flow, target, broker, look_only=look_only))

    def close(self) -> None:
        """End everything that was started; returns when it has ended. May be called twice."""
        self._inbox.put(None)
        self._thread.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _run(self) -> None:
        """Do what is posted, publish, look after things; on the session's own thread."""
        director = self._director

        def publish() -> None:
            self._do(director.check_deadline)
            self._publish()

        def publish_turn() -> None:
            if _turned(director.board, self._value):
                self._do(self._publish)

        try:
            self._do(director.begin)
            run_posted(
                self._inbox, self._do, tick=director.tick, publish=publish, after=publish_turn
            )
        finally:
            director.close()

    def _publish(self) -> None:
        self._value = self._director.value()

    def _do(self, act: Act) -> None:
        try:
            act()
        except Exception as error:  # noqa: BLE001 - a fault of ours must not end the session unseen
            traceback.clear_frames(error.__traceback__)
            board = self._director.board
            board.run_diagnoses = (_our_fault(error),)
            board.phase = Phase.FAILED
            board.notice("the bench itself failed; restart the flow or the bench", "error")


def _turned(board: Board, value: SessionValue) -> bool:
    """Return whether something happened that a screen should not wait for."""
    return board.phase is not value.phase or board.plan is not value.plan


def _our_fault(error: Exception) -> Diagnosis:
    last = traceback.extract_tb(error.__traceback__)[-1]
    return Diagnosis(
        code="bench_failed",
        message=f"the bench failed, and it is not your flow's fault: {type(error).__name__}: "
        f"{error}",
        component="the session",
        file=last.filename,
        line=last.lineno,
        source=last.line,
        hint="Please report it; restart goes on.",
    )
