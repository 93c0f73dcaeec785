"""The ``kafka`` section: consumers, producers and their security."""

from __future__ import annotations

from enum import StrEnum
from typing import Literal

import msgspec

from loom_runtime.model import LoomFrozenStruct

KafkaValue = str | int | float | bool
"""A librdkafka setting's value."""


class WireFormat(StrEnum):
    """How payload and metadata lie in a record.

    ``json``: payload as the value, metadata as headers. ``msgpack``: the same, binary. ``loom``:
    the MessagePack envelope of the loom-kernel library.
    """

    JSON = "json"
    MSGPACK = "msgpack"
    LOOM = "loom"


class KafkaSecuritySettings(
    LoomFrozenStruct, frozen=True, kw_only=True, forbid_unknown_fields=True
):
    """How to authenticate and encrypt.

    Attributes:
        protocol: Kafka security protocol.
        sasl_mechanism: SASL mechanism.
        sasl_username: SASL user.
        sasl_password: SASL password.
        ssl_ca_location: Path of the certificate authority's file.
        ssl_certificate_location: Path of the client certificate.
        ssl_key_location: Path of the client key.
        ssl_key_password: Password of the client key.
    """

    protocol: Literal["PLAINTEXT", "SSL", "SASL_SSL", "SASL_PLAINTEXT"]
    sasl_mechanism: str | None = None
    sasl_username: str | None = None
    sasl_password: str | None = None
    ssl_ca_location: str | None = None
    ssl_certificate_location: str | None = None
    ssl_key_location: str | None = None
    ssl_key_password: str | None = None

    def __repr__(self) -> str:
        """Show what is set, passwords as asterisks: settings end up in logs and errors."""
        shown = (
            f"{name}={'***' if name.endswith('password') else repr(value)}"
            for name in self.__struct_fields__
            if (value := getattr(self, name)) is not None
        )
        return f"KafkaSecuritySettings({', '.join(shown)})"

    def librdkafka(self) -> dict[str, KafkaValue]:
        """Return the settings under librdkafka's names."""
        return {
            "security.protocol": self.protocol,
            **{
                name.replace("_", "."): value
                for name in self.__struct_fields__
                if name != "protocol" and (value := getattr(self, name)) is not None
            },
        }


class ProducerSettings(LoomFrozenStruct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Settings of a producer.

    Attributes:
        brokers: Bootstrap addresses, ``host:port``.
        client_id: Name that the broker logs.
        topic: Physical topic; the logical reference when ``None``.
        format: Wire format of the topic.
        message_type_header: Whether records of ``json`` and ``msgpack`` topics say their message
            type in a header, which sources of several types need. ``None`` writes it for payload
            types that name themselves (``__loom_message_type__``) and for sinks that don't declare
            one payload type; a header costs about a quarter of the throughput.
        security: How to authenticate and encrypt.
        extra: Further librdkafka settings; they may not shadow typed ones.
    """

    brokers: tuple[str, ...]
    client_id: str | None = None
    topic: str | None = None
    format: WireFormat = WireFormat.JSON
    message_type_header: bool | None = None
    security: KafkaSecuritySettings | None = None
    extra: dict[str, KafkaValue] = msgspec.field(default_factory=dict)

    def librdkafka(self) -> dict[str, KafkaValue]:
        """Return the settings under librdkafka's names.

        Raises:
            ValueError: When ``extra`` shadows a typed setting.
        """
        typed: dict[str, KafkaValue] = {"bootstrap.servers": ",".join(self.brokers)}
        if self.client_id is not None:
            typed["client.id"] = self.client_id
        return _with_extra(typed, self.security, self.extra)


class ConsumerSettings(LoomFrozenStruct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Settings of a consumer.

    Attributes:
        brokers: Bootstrap addresses, ``host:port``.
        group_id: Consumer group whose offsets are committed.
        topics: Physical topics; the logical reference when empty.
        delivery: ``at_least_once`` commits what is written; ``at_most_once`` leaves committing to
            the client's own schedule.
        auto_offset_reset: Where to start without a snapshot or a committed offset.
        batch_size: Most records of one batch.
        commit_keepalive_ms: Longest time between commits of an idle partition, milliseconds.
            Brokers expire the offsets of a group without members after
            ``offsets.retention.minutes`` (7 days by default).
        format: Wire format of the topics.
        client_id: Name that the broker logs.
        security: How to authenticate and encrypt.
        extra: Further librdkafka settings; they may not shadow typed ones.
    """

    brokers: tuple[str, ...]
    group_id: str
    topics: tuple[str, ...] = ()
    delivery: Literal["at_least_once", "at_most_once"] = "at_least_once"
    auto_offset_reset: Literal["earliest", "latest"] = "earliest"
    batch_size: int = 2000
    commit_keepalive_ms: int = 1_800_000
    format: WireFormat = WireFormat.JSON
    client_id: str | None = None
    security: KafkaSecuritySettings | None = None
    extra: dict[str, KafkaValue] = msgspec.field(default_factory=dict)

    def __post_init__(self) -> None:
        """Refuse numbers that mean nothing."""
        if self.batch_size < 1:
            raise ValueError(f"batch_size is {self.batch_size}; the least is 1")
        if self.commit_keepalive_ms < 1:
            raise ValueError(f"commit_keepalive_ms is {self.commit_keepalive_ms}; the least is 1")

    def librdkafka(self) -> dict[str, KafkaValue]:
        """Return the settings under librdkafka's names.

        Raises:
            ValueError: When ``extra`` shadows a typed setting.
        """
        typed: dict[str, KafkaValue] = {
            "bootstrap.servers": ",".join(self.brokers),
            "group.id": self.group_id,
            "auto.offset.reset": self.auto_offset_reset,
            "enable.auto.commit": self.delivery == "at_most_once",
        }
        if self.client_id is not None:
            typed["client.id"] = self.client_id
        return _with_extra(typed, self.security, self.extra)


class KafkaSettings(LoomFrozenStruct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The whole section.

    Attributes:
        consumer: Settings of every source that has none of its own.
        producer: Settings of every sink that has none of its own.
        consumers: Settings by logical reference of the source.
        producers: Settings by logical reference of the sink.
    """

    consumer: ConsumerSettings | None = None
    producer: ProducerSettings | None = None
    consumers: dict[str, ConsumerSettings] = msgspec.field(default_factory=dict)
    producers: dict[str, ProducerSettings] = msgspec.field(default_factory=dict)

    def consumer_for(self, reference: str) -> ConsumerSettings:
        """Return the settings of the source named *reference*.

        Raises:
            KeyError: When neither its own nor common settings exist.
        """
        settings = self.consumers.get(reference, self.consumer)
        if settings is None:
            raise KeyError(f"neither kafka.consumers.{reference} nor kafka.consumer is configured")
        return settings

    def producer_for(self, reference: str) -> ProducerSettings:
        """Return the settings of the sink named *reference*.

        Raises:
            KeyError: When neither its own nor common settings exist.
        """
        settings = self.producers.get(reference, self.producer)
        if settings is None:
            raise KeyError(f"neither kafka.producers.{reference} nor kafka.producer is configured")
        return settings

    def consumer_key(self, reference: str) -> str:
        """Return the configuration key that :meth:`consumer_for` reads."""
        return f"kafka.consumers.{reference}" if reference in self.consumers else "kafka.consumer"


def _with_extra(
    typed: dict[str, KafkaValue],
    security: KafkaSecuritySettings | None,
    extra: dict[str, KafkaValue],
) -> dict[str, KafkaValue]:
    managed = {**typed, **(security.librdkafka() if security else {})}
    shadowed = sorted(managed.keys() & extra.keys())
    if shadowed:
        raise ValueError(f"extra may not set what a typed setting sets: {', '.join(shadowed)}")
    return {**managed, **extra}
