"""Writes what a module's ``bench_feed()`` gives into the flow's source topic."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from loom_bench.broker.contract import BrokerError
from loom_bench.broker.feed import Feed as TopicFeed
from loom_bench.broker.feed import FeedRecord
from loom_bench.host.import_failures import raised_diagnosis
from loom_bench.host.loading import FEED_NAME, LoadError, import_module, parse_target
from loom_bench.host.outbox import Outbox
from loom_bench.protocol.diagnosis import Diagnosis
from loom_bench.protocol.feeding import Feed, FeedFinished, SetRate
from loom_bench.protocol.frames import BenchFrame, Drain, Stop
from loom_runtime.config.kafka import WireFormat
from loom_runtime.message import Message, MessageMeta
from loom_runtime.model import LoomFrozenStruct, LoomStruct
from loom_runtime.wire.encoding import Encoder, build_encoder

_PROGRESS_INTERVAL_S = 0.1

_ACCEPTED = "payloads, messages, bytes, or (key, any of these)"


class FeedJob:
    """One feed.

    Args:
        command: What to write where.
    """

    def __init__(self, command: Feed) -> None:
        self._command = command
        self._rate_per_s = command.rate_per_s
        self._feed: TopicFeed | None = None
        self._cancelled = False

    def run(self, outbox: Outbox) -> None:
        """Write until there is nothing more; tells FeedProgress and FeedFinished."""
        failure: Diagnosis | None = None
        try:
            self._start()
            self._watch(outbox)
        except LoadError as error:
            failure = error.diagnosis
        except BrokerError as error:
            failure = _feed_failure(error)
        except Exception as error:  # noqa: BLE001 - calling bench_feed may raise anything
            failure = raised_diagnosis(error, code="feed_failed", component=FEED_NAME)
        delivered = 0 if self._feed is None else self._feed.delivered
        outbox.answer(FeedFinished(delivered=delivered, failure=failure))

    def steer(self, command: BenchFrame) -> None:
        """End the feed or change its rate; from any thread."""
        if isinstance(command, Stop | Drain):
            self._cancelled = True
            if self._feed is not None:
                self._feed.cancel()
        elif isinstance(command, SetRate):
            self._rate_per_s = command.rate_per_s
            if self._feed is not None:
                self._pace(self._feed)

    def _start(self) -> None:
        command = self._command
        module = import_module(parse_target(command.target).path)
        items = iter(getattr(module, FEED_NAME)())
        self._feed = TopicFeed(
            WritableBroker(command.bootstrap),
            command.topic,
            feed_records(items, build_encoder(WireFormat(command.format))),
            security=command.security,
        )
        self._pace(self._feed)
        self._feed.start()
        if self._cancelled:
            self._feed.cancel()

    def _pace(self, feed: TopicFeed) -> None:
        """Set the rate; 0 pauses."""
        if self._rate_per_s == 0:
            feed.pause()
        else:
            feed.rate_per_s = self._rate_per_s
            feed.resume()

    def _watch(self, outbox: Outbox) -> None:
        while self._feed is not None:
            try:
                self._feed.join(_PROGRESS_INTERVAL_S)
            except TimeoutError:
                outbox.feed_progress(self._feed.delivered)
            else:
                return


@dataclass(frozen=True)
class WritableBroker:
    """The broker that the bench started, or may write to: it asks for feeds on no other."""

    bootstrap: str
    writable: bool = True


def feed_records(items: Iterator[Any], encoder: Encoder) -> Iterator[FeedRecord]:
    """Encode what ``bench_feed()`` gives; raw bytes stay as they are, poison included.

    Raises:
        TypeError: When an item is of no such kind.
    """
    for index, item in enumerate(items):
        key, value = item if isinstance(item, tuple) and len(item) == 2 else (None, item)
        if isinstance(value, bytes | bytearray | memoryview):
            yield FeedRecord(_key(key, index), bytes(value))
            continue
        if isinstance(value, LoomStruct | LoomFrozenStruct) and not isinstance(value, Message):
            value = Message(payload=value, meta=MessageMeta(message_id=str(index)))
        if not isinstance(value, Message):
            raise TypeError(
                f"item {index} of {FEED_NAME}() is a {type(value).__qualname__}; give {_ACCEPTED}"
            )
        own_key, encoded, headers = encoder.encode_one(value)
        yield FeedRecord(
            own_key if key is None else _key(key, index),
            encoded,
            headers,
            value.meta.produced_at_ms,
        )


def _key(key: object, index: int) -> bytes | None:
    if key is None or isinstance(key, bytes):
        return key
    if isinstance(key, str):
        return key.encode()
    raise TypeError(f"the key of item {index} of {FEED_NAME}() is a {type(key).__qualname__}")


def _feed_failure(error: BrokerError) -> Diagnosis:
    if error.__cause__ is not None and error.__cause__.__traceback__ is not None:
        return raised_diagnosis(
            error.__cause__, code="feed_failed", component=FEED_NAME, hint=error.what_next
        )
    return Diagnosis(
        code="feed_failed", message=error.what, component=error.where, hint=error.what_next
    )
