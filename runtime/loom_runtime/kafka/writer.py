"""Writing: one producer a process and broker list, told of failures only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from threading import Lock
from time import monotonic
from typing import Any, cast

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from loom_runtime.config.kafka import KafkaValue, ProducerSettings
from loom_runtime.execution.layout import Port
from loom_runtime.failures import DeliveryError
from loom_runtime.transport import Undelivered
from loom_runtime.wire.encoding import dead_letter
from loom_runtime.wire.records import OutputRecord

_PRODUCER_DEFAULTS: dict[str, KafkaValue] = {
    "linger.ms": 20,
    "queue.buffering.max.messages": 500_000,
    "queue.buffering.max.kbytes": 1_048_576,
    "message.timeout.ms": 30_000,
    "message.max.bytes": 10_485_760,
    "enable.idempotence": True,
    "log.connection.close": False,
}

_Headers = list[tuple[str, str | bytes | None]]

_QUEUE_FULL_LIMIT_S = 60.0
"""How long a full queue may stay full before the run gives up; twice the message timeout."""


def producer_configuration(settings: ProducerSettings) -> dict[str, Any]:
    """Return the librdkafka configuration of a writer; the user's ``extra`` wins over defaults."""
    return {
        **_PRODUCER_DEFAULTS,
        **settings.librdkafka(),
        "delivery.report.only.error": True,
    }


class KafkaWriter:
    """Writes to the topics of all ports. May be used from several worker threads.

    Args:
        ports: Every sink of the flow.
    """

    def __init__(self, ports: Sequence[Port]) -> None:
        self._ports = ports
        self._lock = Lock()
        self._failed: list[tuple[str, bytes | None, bytes | None, str]] = []
        self._rejected: dict[int, str] = {}
        by_configuration: dict[str, Producer] = {}
        self._producers: dict[int, Producer] = {}
        for port in ports:
            if port.sink is None:
                continue
            configuration = producer_configuration(port.sink.settings)
            identity = repr(sorted(configuration.items()))
            producer = by_configuration.get(identity)
            if producer is None:
                configuration["on_delivery"] = self._on_failure
                producer = by_configuration[identity] = Producer(configuration)
            self._producers[port.index] = producer
        self._all = list(by_configuration.values())

    def write(self, port: int, outputs: Sequence[OutputRecord]) -> None:
        """Hand outputs to the client; a full queue waits for the broker."""
        sink = self._ports[port].sink
        if sink is None:
            raise LookupError(f"port {port} has no topic")
        self._produce(self._producers[port], sink.topic, outputs)

    def flush(self) -> None:
        """Wait until everything taken is delivered or known not to be."""
        for producer in self._all:
            while producer.flush(1.0):
                pass

    def claim(self, port: int, outputs: Sequence[OutputRecord]) -> list[Undelivered]:
        """Return, once, which of *outputs* were not delivered."""
        if not self._failed and not self._rejected:
            return []
        sink = self._ports[port].sink
        topic = sink.topic if sink else ""
        claimed = []
        with self._lock:
            waiting: Mapping[tuple[str, bytes | None, bytes | None], list[str]] = _grouped(
                self._failed
            )
            for output in outputs:
                reason = self._rejected.pop(id(output), None)
                if reason is None:
                    reasons = waiting.get((topic, output[0], output[1]))
                    reason = reasons.pop() if reasons else None
                if reason is not None:
                    claimed.append(Undelivered(port, output, reason))
            self._failed = [
                (*place, reason) for place, reasons in waiting.items() for reason in reasons
            ]
        return claimed

    def dead_letter(self, undelivered: Sequence[Undelivered]) -> list[Undelivered]:
        """Write to the ports' dead-letter topics, wait, and return what was not taken."""
        lost = []
        for item in undelivered:
            sink = self._ports[item.port].sink
            if sink is None or sink.dlq_topic is None:
                lost.append(item)
                continue
            letter = dead_letter(item.output, item.reason)
            self._produce(self._producers[item.port], sink.dlq_topic, [letter])
            lost += [
                Undelivered(item.port, item.output, f"{item.reason}; then {failed}")
                for failed in self._flush_and_take(sink.dlq_topic, letter)
            ]
        return lost

    def close(self) -> None:
        """Give the client a moment for what is still on its way."""
        for producer in self._all:
            producer.flush(1.0)

    def _flush_and_take(self, topic: str, output: OutputRecord) -> list[str]:
        self.flush()
        with self._lock:
            rejected = self._rejected.pop(id(output), None)
            if rejected is not None:
                return [rejected]
            for index, (failed_topic, key, value, reason) in enumerate(self._failed):
                if (failed_topic, key, value) == (topic, output[0], output[1]):
                    del self._failed[index]
                    return [reason]
        return []

    def _produce(self, producer: Producer, topic: str, outputs: Sequence[OutputRecord]) -> None:
        produce = producer.produce
        for output in outputs:
            key, value, headers = output
            try:
                if headers is None:
                    produce(topic, value, key)
                else:
                    produce(topic, value, key, headers=cast("_Headers", headers))
            except BufferError:
                self._wait_for_room(producer, topic, output)
            except KafkaException as error:
                with self._lock:
                    self._rejected[id(output)] = _text(error.args[0])
        producer.poll(0)

    def _wait_for_room(self, producer: Producer, topic: str, output: OutputRecord) -> None:
        key, value, headers = output
        deadline_s = monotonic() + _QUEUE_FULL_LIMIT_S
        while monotonic() < deadline_s:
            producer.poll(0.1)
            try:
                producer.produce(topic, value, key, headers=cast("_Headers", headers))
            except BufferError:
                continue
            except KafkaException as error:
                with self._lock:
                    self._rejected[id(output)] = _text(error.args[0])
            return
        raise DeliveryError(
            "the producer's queue has been full for a minute",
            where=f"topic {topic}",
            what_next="check that the broker takes records; nothing was committed past what is "
            "written",
        )

    def _on_failure(self, error: KafkaError | None, message: Message) -> None:
        if error is not None:
            with self._lock:
                self._failed.append(
                    (message.topic() or "", message.key(), message.value(), error.str())
                )


def _grouped(
    failed: Sequence[tuple[str, bytes | None, bytes | None, str]],
) -> dict[tuple[str, bytes | None, bytes | None], list[str]]:
    grouped: dict[tuple[str, bytes | None, bytes | None], list[str]] = {}
    for topic, key, value, reason in failed:
        grouped.setdefault((topic, key, value), []).append(reason)
    return grouped


def _text(problem: object) -> str:
    return problem.str() if isinstance(problem, KafkaError) else str(problem)
