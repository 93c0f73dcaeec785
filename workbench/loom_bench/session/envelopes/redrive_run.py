"""Writes the records of a redrive, at a rate, in order, until they end or it is cancelled."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Final, NamedTuple

from loom_bench.broker.contract import BrokerError
from loom_bench.broker.fetching import RecordFetcher
from loom_bench.broker.pace import Pace
from loom_bench.broker.place import RecordPlace
from loom_bench.broker.reading import TopicRecord
from loom_bench.broker.rewriting import RecordWriter, Rewritten
from loom_bench.protocol.diagnosis import Diagnosis
from loom_bench.protocol.frames import Load
from loom_bench.session.envelopes.envelope import read_envelope
from loom_bench.session.envelopes.flow_view import InboxFlow
from loom_bench.session.envelopes.redrive_flow import FlowPassage
from loom_bench.session.envelopes.redrive_list import Listed, RedriveList
from loom_bench.session.envelopes.source_record import as_source, carried
from loom_bench.session.envelopes.terms import RedriveGoal, RedriveTarget
from loom_runtime.tracing.trace import SourceRecord
from loom_runtime.wire.headers import ATTEMPT, DLQ_ERROR, FAILED_AS

_CHUNK_RECORDS: Final = 200
_TELL_S: Final = 0.2
_TICK_S: Final = 0.05
_NOT_REWRITTEN: Final = frozenset({ATTEMPT, FAILED_AS, DLQ_ERROR})


class RunNews(NamedTuple):
    """How far a redrive is.

    Attributes:
        written: Records that were redriven, every one of them acknowledged.
        failed: Records that were not: refused, gone, or failed in the flow again.
        done: Records whose envelopes are redriven since the last news.
        ended: ``done``, ``cancelled`` or ``failed`` with the last news; empty before.
        problem: Why it failed, or why the last record was not written.
    """

    written: int
    failed: int
    done: tuple[RecordPlace, ...]
    ended: str = ""
    problem: Diagnosis | None = None


class RedriveRun:
    """A thread that redrives.

    Args:
        flow: The flow.
        target: Where to.
        records: What; read on the thread until it ends.
        rate_per_s: Records per second; ``None`` for as fast as it goes.
        load: How the flow's code is loaded, for the goal ``flow``.
        tell: Told, on the thread, how far it is.
    """

    def __init__(
        self,
        flow: InboxFlow,
        target: RedriveTarget,
        records: RedriveList,
        rate_per_s: float | None,
        load: Load,
        tell: Callable[[RunNews], None],
    ) -> None:
        self._flow = flow
        self._target = target
        self._records = records
        self._pace = Pace(rate_per_s)
        self._load = load
        self._tell = tell
        self._passage: FlowPassage | None = None
        self._written = 0
        self._left = 0
        self._why = ""
        self._cancelled = threading.Event()
        self._thread = threading.Thread(target=self._run, name="redrive", daemon=True)
        self._thread.start()

    def cancel(self) -> None:
        """End after the records that are on their way."""
        self._cancelled.set()

    def close(self) -> None:
        """Cancel, and return when the thread has ended."""
        self.cancel()
        self._thread.join()

    def _run(self) -> None:
        problem: Diagnosis | None = None
        try:
            with ExitStack() as closing:
                writer = closing.enter_context(
                    RecordWriter(self._flow.bootstrap, self._flow.security.writing)
                )
                fetcher = closing.enter_context(
                    RecordFetcher(self._flow.bootstrap, self._flow.security.reading)
                )
                if self._target.goal is RedriveGoal.FLOW:
                    self._passage = closing.enter_context(FlowPassage(self._load))
                for chunk in self._records.chunks(_CHUNK_RECORDS):
                    self._write(writer, fetcher, chunk)
                    if self._cancelled.is_set():
                        break
            ended = "cancelled" if self._cancelled.is_set() else "done"
        except (BrokerError, sqlite3.Error, OSError) as error:
            ended, problem = "failed", _problem(error)
        if problem is None and self._why:
            problem = Diagnosis(
                code="record_left",
                message=f"some records were not written: {self._why}",
                hint="Their envelopes stay open; correct the cause and redrive them.",
            )
        self._tell(RunNews(self._written, self._left, (), ended, problem))

    def _write(self, writer: RecordWriter, fetcher: RecordFetcher, chunk: list[Listed]) -> None:
        """Write a chunk and wait for the answers, so that what is told as done is done."""
        handed: list[RecordPlace] = []
        began_s = time.monotonic()
        for listed, record in self._fetched(fetcher, chunk):
            self._wait_for_turn()
            if self._cancelled.is_set():
                break
            if record is None:
                self._leave("their source record is gone")
            elif self._hand(writer, listed, record):
                self._pace.count += 1
                handed.append(listed.source)
            if time.monotonic() - began_s > _TELL_S:
                self._settle(writer, handed)
                handed, began_s = [], time.monotonic()
        self._settle(writer, handed)

    def _hand(
        self, writer: RecordWriter, listed: Listed, record: TopicRecord | SourceRecord
    ) -> bool:
        """Hand a record, or what the flow makes of it, to the client; return whether it was."""
        if self._passage is None:
            writer.write(self._rewritten(listed, record))
            return True
        source = as_source(record) if isinstance(record, TopicRecord) else record
        outputs = self._passage.outputs(source)
        if isinstance(outputs, str):
            self._leave(outputs)
            return False
        for output in outputs:
            writer.write(output)
        return True

    def _settle(self, writer: RecordWriter, handed: list[RecordPlace]) -> None:
        """Wait for the answers and tell of them. When a record was refused, and which one is not
        known, all that were handed over with it stay open: twice is better than lost."""
        refused = writer.refused
        writer.flush()
        if writer.refused != refused:
            self._left += len(handed)
            self._why, handed = f"the broker refused some: {writer.reason}", []
        self._written += len(handed)
        self._tell(RunNews(self._written, self._left, tuple(handed)))

    def _leave(self, why: str) -> None:
        self._left += 1
        self._why = why

    def _fetched(
        self, fetcher: RecordFetcher, chunk: list[Listed]
    ) -> Iterator[tuple[Listed, TopicRecord | SourceRecord | None]]:
        places = {each.carrier or each.source for each in chunk}
        found = dict(fetcher.fetch(places))
        for listed in chunk:
            record = found[listed.carrier or listed.source]
            if record is None or listed.carrier is None:
                yield listed, record
                continue
            envelope = read_envelope(record)
            yield listed, None if envelope is None else carried(envelope, record)

    def _rewritten(self, listed: Listed, record: TopicRecord | SourceRecord) -> Rewritten:
        source = as_source(record) if isinstance(record, TopicRecord) else record
        sink = self._flow.sink_of_dead_letters(source.topic)
        headers = [each for each in source.headers if each[0] not in _NOT_REWRITTEN]
        if sink is None:
            headers += [
                (ATTEMPT, str(listed.attempt).encode()),
                (FAILED_AS, listed.fingerprint.encode()),
            ]
        to_topic = self._target.goal is RedriveGoal.TOPIC
        return Rewritten(
            topic=self._target.topic if to_topic else sink or source.topic,
            partition=None if to_topic or sink is not None else source.partition,
            key=source.key,
            value=source.value,
            headers=tuple(headers),
            timestamp_ms=source.timestamp_ms,
        )

    def _wait_for_turn(self) -> None:
        while (wait_s := self._pace.wait_s()) > 0 and not self._cancelled.is_set():
            self._cancelled.wait(min(wait_s, _TICK_S))


def _problem(error: BrokerError | sqlite3.Error | OSError) -> Diagnosis:
    if isinstance(error, BrokerError):
        return Diagnosis(
            code="redrive_failed", message=error.what, component=error.where, hint=error.what_next
        )
    return Diagnosis(
        code="redrive_failed",
        message=f"the redrive cannot go on: {error}",
        hint="Make room for temporary files and processes, and redrive the rest.",
    )
