"""Writes dead letters as other systems write them: their headers, byte for byte."""

from __future__ import annotations

from loom_bench.broker.reading import Headers

TRACE = (
    "org.example.PriceMissing: no price\n"
    "\tat org.example.Prices.of(Prices.java:41)\n"
    "\tat org.example.Checkout.total(Checkout.java:107)\n"
)


def connect(topic: str, partition: int, offset: int, *, reason: str = "no price") -> Headers:
    """Headers of Kafka Connect's dead-letter queue: every value is text."""
    return _as_text(
        "__connect.errors.",
        {
            "topic": topic,
            "partition": str(partition),
            "offset": str(offset),
            "connector.name": "warehouse",
            "task.id": "0",
            "stage": "VALUE_CONVERTER",
            "class.name": "org.apache.kafka.connect.json.JsonConverter",
            "exception.class.name": "org.example.PriceMissing",
            "exception.message": reason,
            "exception.stacktrace": TRACE,
        },
    )


def streams(topic: str, partition: int, offset: int, *, reason: str = "no price") -> Headers:
    """Headers of Kafka Streams (KIP-1034): every value is text."""
    return _as_text(
        "__streams.errors.",
        {
            "exception": "org.example.PriceMissing: no price",
            "message": reason,
            "stacktrace": TRACE,
            "topic": topic,
            "partition": str(partition),
            "offset": str(offset),
        },
    )


def spring(
    topic: str, partition: int, offset: int, *, reason: str = "no price", at_ms: int = 0
) -> Headers:
    """Headers of Spring's DeadLetterPublishingRecoverer: numbers are big-endian, 4 and 8 bytes."""
    return (
        ("kafka_dlt-original-topic", topic.encode()),
        ("kafka_dlt-original-partition", partition.to_bytes(4, "big")),
        ("kafka_dlt-original-offset", offset.to_bytes(8, "big")),
        ("kafka_dlt-original-timestamp", at_ms.to_bytes(8, "big")),
        ("kafka_dlt-original-timestamp-type", b"CreateTime"),
        ("kafka_dlt-original-consumer-group", b"checkout"),
        (
            "kafka_dlt-exception-fqcn",
            b"org.springframework.kafka.listener.ListenerExecutionFailedException",
        ),
        ("kafka_dlt-exception-cause-fqcn", b"org.example.PriceMissing"),
        ("kafka_dlt-exception-message", reason.encode()),
        ("kafka_dlt-exception-stacktrace", TRACE.encode()),
    )


def _as_text(prefix: str, fields: dict[str, str]) -> Headers:
    return tuple((prefix + name, value.encode()) for name, value in fields.items())
