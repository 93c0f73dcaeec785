"""Writing: one producer a process and broker list, told of failures only."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from threading import Lock
from time import monotonic
from typing import cast

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from loom_runtime.execution.layout import Port
from loom_runtime.failures import DeliveryError
from loom_runtime.kafka.clients import error_text, make_producer, producer_configuration
from loom_runtime.kafka.unsettled import Unsettled
from loom_runtime.transport import Undelivered
from loom_runtime.wire.encoding import dead_letter
from loom_runtime.wire.records import OutputRecord

_Headers = list[tuple[str, str | bytes | None]]

_QUEUE_FULL_LIMIT_S = 60.0
"""How long a full queue may stay full before the run gives up; twice the message timeout."""

_FLUSH_SLICE_S = 0.001
"""The shortest wait for deliveries that the client knows."""


class KafkaWriter:
    """Writes to the topics of all ports. May be used from several worker threads.

    Args:
        ports: Every sink of the flow.
        while_waiting: Does a millisecond of other work while deliveries are waited for, on the
            thread that waits; returns whether there was any.

    Raises:
        ClientSettingsError: When librdkafka refuses the settings of a sink.
    """

    def __init__(
        self, ports: Sequence[Port], *, while_waiting: Callable[[], bool] = lambda: False
    ) -> None:
        self._ports = ports
        self._while_waiting = while_waiting
        self._unsettled = Unsettled()
        self._lock = Lock()
        by_configuration: dict[str, Producer] = {}
        self._producers: dict[int, Producer] = {}
        for port in ports:
            if port.sink is None:
                continue
            configuration = producer_configuration(port.sink.settings)
            identity = repr(sorted(configuration.items()))
            producer = by_configuration.get(identity)
            if producer is None:
                where = f"the producer of {port.sink.topic}"
                producer = by_configuration[identity] = make_producer(
                    configuration, where=where, on_failure=self._on_failure
                )
            self._producers[port.index] = producer
        self._all = list(by_configuration.values())

    def write(self, port: int, outputs: Sequence[OutputRecord]) -> None:
        """Hand outputs to the client; a full queue waits for the broker.

        Raises:
            DeliveryError: When the queue stays full for too long.
        """
        sink = self._ports[port].sink
        if sink is None:
            raise LookupError(f"port {port} has no topic")
        self._produce(self._producers[port], sink.topic, outputs)

    def flush(self) -> None:
        """Wait until everything taken is delivered or known not to be."""
        with self._lock:
            complete = self._unsettled.complete()
        busy = True
        for producer in self._all:
            while producer.flush(_FLUSH_SLICE_S if busy else 1.0):
                busy = busy and self._while_waiting()
        with self._lock:
            self._unsettled.settle(complete)

    def claim(self, port: int, outputs: Sequence[OutputRecord]) -> list[Undelivered]:
        """Return, once, which of *outputs*, the very list that was written, were not delivered."""
        with self._lock:
            undelivered = self._unsettled.claim(outputs)
        return [Undelivered(port, output, reason) for output, reason in undelivered]

    def dead_letter(self, undelivered: Sequence[Undelivered]) -> list[Undelivered]:
        """Write to the ports' dead-letter topics, wait, and return what was not taken."""
        lost = []
        sent: list[tuple[Undelivered, str, list[OutputRecord]]] = []
        for item in undelivered:
            sink = self._ports[item.port].sink
            if sink is None or sink.dlq_topic is None:
                lost.append(item)
                continue
            letter = [dead_letter(item.output, item.reason)]
            self._produce(self._producers[item.port], sink.dlq_topic, letter)
            sent.append((item, sink.dlq_topic, letter))
        self.flush()
        for item, topic, letter in sent:
            for refused in self.claim(item.port, letter):
                reason = f"{item.reason}; dead-letter topic {topic}: {refused.reason}"
                lost.append(Undelivered(item.port, item.output, reason))
        return lost

    def close(self) -> None:
        """Give the client a moment for what is still on its way."""
        for producer in self._all:
            producer.flush(1.0)

    def _produce(self, producer: Producer, topic: str, outputs: Sequence[OutputRecord]) -> None:
        with self._lock:
            written = self._unsettled.take(topic, outputs)
        produce = producer.produce
        for output in outputs:
            key, value, headers = output
            try:
                if headers is None:
                    produce(topic, value, key)
                else:
                    produce(topic, value, key, headers=cast("_Headers", headers))
            except BufferError:
                self._wait_for_room(producer, topic, output, outputs)
            except KafkaException as error:
                self._reject(outputs, output, error)
        written.complete = True
        producer.poll(0)

    def _wait_for_room(
        self,
        producer: Producer,
        topic: str,
        output: OutputRecord,
        outputs: Sequence[OutputRecord],
    ) -> None:
        key, value, headers = output
        deadline_s = monotonic() + _QUEUE_FULL_LIMIT_S
        while monotonic() < deadline_s:
            producer.poll(0.1)
            try:
                producer.produce(topic, value, key, headers=cast("_Headers", headers))
            except BufferError:
                continue
            except KafkaException as error:
                self._reject(outputs, output, error)
            return
        raise DeliveryError(
            "the producer's queue has been full for a minute",
            where=f"topic {topic}",
            what_next="check that the broker takes records; nothing was committed past what is "
            "written",
        )

    def _reject(
        self, outputs: Sequence[OutputRecord], output: OutputRecord, error: KafkaException
    ) -> None:
        with self._lock:
            self._unsettled.reject(outputs, output, error_text(error.args[0]))

    def _on_failure(self, error: KafkaError | None, message: Message) -> None:
        # Called while flush or poll run, so never with the lock held.
        if error is not None:
            self._unsettled.failed.append(
                (message.topic() or "", message.key(), message.value(), error.str())
            )
