"""Makes a run a replay: bounded, paced, captured; and tells the bench how far it is."""

from __future__ import annotations

import threading
from pathlib import Path

from loom_bench.host.outbox import Outbox
from loom_bench.host.output_text import value_text
from loom_bench.protocol.replaying import (
    ReplayedOutput,
    ReplayOrder,
    ReplayProgress,
    SteerReplay,
)
from loom_runtime.config.kafka import WireFormat
from loom_runtime.engine_control import StopMode
from loom_runtime.execution.sampling import key_text
from loom_runtime.replay.capture import Captured, OutputCapture
from loom_runtime.replay.steering import ReplaySteering
from loom_runtime.replay.transport import ReplayRun
from loom_runtime.runner import StreamingRunner

INTERVAL_S = 0.1


class ReplaySide:
    """What a replay has beside a run.

    Args:
        runner: What runs.
        order: What is asked for.
        paused: Whether it begins paused.

    Raises:
        OSError: When what it gives cannot be taken down.
    """

    def __init__(self, runner: StreamingRunner, order: ReplayOrder, *, paused: bool) -> None:
        self._order = order
        self._steering = ReplaySteering(
            order.ends,
            record_by_record=order.record_by_record,
            in_turns=order.in_turns,
            pace=order.pace,
            paused=paused,
        )
        self._capture = OutputCapture(
            Path(order.capture), on_failure=runner.control.drain if order.first_error else None
        )
        runner.replay = ReplayRun(self._steering, self._capture, real_topics=order.real_topics)
        control = runner.control
        control.at_limit = StopMode.DRAIN
        control.until_idle_ms = 0
        control.max_records = order.max_records
        control.longest_wait_s = self._steering.longest_wait_s
        self._ended = threading.Event()
        self._outbox: Outbox | None = None
        self._thread = threading.Thread(target=self._watch, name="replay", daemon=True)

    def start(self, outbox: Outbox) -> None:
        """Begin to tell."""
        self._outbox = outbox
        self._thread.start()

    def stop(self) -> None:
        """End, with a last word."""
        self._ended.set()
        self._thread.join()

    def pause(self) -> None:
        """Stop reading."""
        self._steering.pause()

    def resume(self) -> None:
        """Go on reading."""
        self._steering.resume()

    def steer(self, command: SteerReplay) -> None:
        """Do what the bench asks."""
        if command.pace is not None:
            self._steering.set_pace(command.pace)
        if command.step is not None:
            self._steering.step(command.step)

    def _watch(self) -> None:
        ended = False
        while not ended:
            ended = self._ended.wait(INTERVAL_S)
            if self._outbox is not None:
                self._outbox.latest(self._progress(ended=ended))

    def _progress(self, *, ended: bool) -> ReplayProgress:
        steering, capture = self._steering, self._capture
        return ReplayProgress(
            records=steering.records,
            outputs=capture.outputs,
            failures=capture.failures,
            barriers=steering.barriers,
            paused=steering.paused,
            began=dict(steering.began),
            positions=dict(steering.positions),
            newest=tuple(_shown(number, each) for number, each in capture.newest()),
            stopped_by=self._stopped_by() if ended else "",
        )

    def _stopped_by(self) -> str:
        order, steering = self._order, self._steering
        if order.first_error and self._capture.failures:
            return "the first error"
        if order.max_records is not None and steering.records >= order.max_records:
            return f"{order.max_records:,} records"
        left = [key for key, end in order.ends.items() if steering.positions.get(key, 0) < end]
        return "asked to" if left else "the end offsets"


def _shown(number: int, captured: Captured) -> ReplayedOutput:
    return ReplayedOutput(
        number=number,
        sink=captured.sink,
        kind=captured.kind,
        key=key_text(captured.key),
        text=value_text(captured.value, WireFormat(captured.format)),
        partition=captured.partition,
        offset=captured.offset,
    )
