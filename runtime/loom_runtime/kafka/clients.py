"""Makes librdkafka's clients: our defaults, the user's settings, and where their log goes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, Producer, TopicPartition

from loom_runtime.config.kafka import ConsumerSettings, KafkaValue, ProducerSettings
from loom_runtime.failures import ClientSettingsError
from loom_runtime.kafka.client_log import CLIENT_LOG

METADATA_TIMEOUT_S = 15.0
"""How long a broker may take to answer before the run gives up."""

REFUSED = frozenset(
    {
        KafkaError._AUTHENTICATION,
        KafkaError._SSL,
        KafkaError.SASL_AUTHENTICATION_FAILED,
        KafkaError.UNSUPPORTED_SASL_MECHANISM,
    }
)
"""Why a broker will not talk to a client: what no patience mends."""

_CONSUMER_DEFAULTS: dict[str, KafkaValue] = {
    "enable.partition.eof": True,
    "fetch.wait.max.ms": 50,
    "queued.min.messages": 20_000,
    "fetch.queue.backoff.ms": 5,
    # A new client waits half of this between its first two connections, which every partition pays
    # when a run begins: with librdkafka's 100 ms its committed offset came after 54 ms in one case
    # of two, with 20 ms after 14 ms. The wait still doubles up to reconnect.backoff.max.ms.
    "reconnect.backoff.ms": 20,
    "log.connection.close": False,
}

_PRODUCER_DEFAULTS: dict[str, KafkaValue] = {
    "linger.ms": 20,
    "queue.buffering.max.messages": 500_000,
    "queue.buffering.max.kbytes": 1_048_576,
    "message.timeout.ms": 30_000,
    "message.max.bytes": 10_485_760,
    # Keeps the order when a request is sent again, and costs nothing that could be measured.
    # enable.idempotence would spare the copy of a request whose answer was lost, too; but with it
    # the first record leaves 0.5 to 1 s after the start instead of 0.06 s.
    "max.in.flight.requests.per.connection": 1,
    "log.connection.close": False,
}

OnCommit = Callable[[KafkaError | None, list[TopicPartition]], None]
OnError = Callable[[KafkaError], None]
OnFailure = Callable[[KafkaError | None, Message], None]


def consumer_configuration(settings: ConsumerSettings) -> dict[str, Any]:
    """Return the librdkafka configuration of a reader; the user's ``extra`` wins over defaults."""
    return {**_CONSUMER_DEFAULTS, **settings.librdkafka()}


def producer_configuration(settings: ProducerSettings) -> dict[str, Any]:
    """Return the librdkafka configuration of a writer; the user's ``extra`` wins over defaults."""
    return {
        **_PRODUCER_DEFAULTS,
        **settings.librdkafka(),
        "delivery.report.only.error": True,
    }


def make_consumer(
    settings: ConsumerSettings,
    *,
    where: str,
    on_commit: OnCommit | None = None,
    on_error: OnError | None = None,
) -> Consumer:
    """Return a consumer.

    Args:
        settings: Its settings.
        where: What refused settings are told to be the settings of.
        on_commit: Told of every commit.
        on_error: Told of what goes wrong with the client's connections, while it is polled.

    Raises:
        ClientSettingsError: When librdkafka refuses the settings.
    """
    configuration = consumer_configuration(settings)
    if on_commit is not None:
        configuration["on_commit"] = on_commit
    if on_error is not None:
        configuration["error_cb"] = on_error
    try:
        return Consumer({**configuration, "logger": CLIENT_LOG})
    except KafkaException as error:
        raise _refused(error, where) from error


def make_producer(configuration: dict[str, Any], *, where: str, on_failure: OnFailure) -> Producer:
    """Return a producer that tells of failures only; raises as :func:`make_consumer`."""
    try:
        return Producer({**configuration, "on_delivery": on_failure, "logger": CLIENT_LOG})
    except KafkaException as error:
        raise _refused(error, where) from error


def error_text(problem: object) -> str:
    """Return what librdkafka says of a problem."""
    return problem.str() if isinstance(problem, KafkaError) else str(problem)


def _refused(error: KafkaException, where: str) -> ClientSettingsError:
    return ClientSettingsError(
        f"the Kafka client refuses its settings: {error_text(error.args[0])}",
        where=where,
        what_next="correct the setting; what stands under extra goes to librdkafka as it is",
    )
