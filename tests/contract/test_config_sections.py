"""Contract, configuration rows: files, merging, interpolation and the sections."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from loom_runtime import (
    BytewaxRecoverySettings,
    BytewaxRuntimeConfig,
    ConfigContext,
    ConfigError,
    KafkaSettings,
    LoomFrozenStruct,
    ObservabilityConfig,
    RuntimeSinkBinding,
    SinkRegistry,
    WireFormat,
)

YAML = """\
kafka:
  consumer:
    brokers: [one:9092, two:9092]
    group_id: orders
    topics: [orders.v1]
    delivery: at_most_once
    auto_offset_reset: latest
    batch_size: 500
    security:
      protocol: SASL_SSL
      sasl_mechanism: PLAIN
      sasl_username: user
      sasl_password: ${oc.env:LOOM_CONTRACT_PASSWORD}
    extra:
      fetch.min.bytes: 100000
  producer:
    brokers: [one:9092]
    extra:
      linger.ms: 5
  consumers:
    payments:
      brokers: [three:9092]
      group_id: payments
  producers:
    ledger:
      brokers: [four:9092]
      topic: ledger.v2
      format: loom
streaming:
  runtime:
    workers_per_process: 2
    process_id: 1
    addresses: [a:2101, b:2101]
    epoch_interval_ms: 250
    recovery:
      db_dir: state
      backup_interval_ms: 60000
    async_backend: trio
    use_uvloop: false
    force_shutdown_timeout_ms: 500
  sinks:
    failures:
      type: files
      folder: out
observability:
  log:
    enabled: false
  prometheus:
    enabled: true
    port: 0
"""


@pytest.fixture
def context(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ConfigContext:
    monkeypatch.setenv("LOOM_CONTRACT_PASSWORD", "from the environment")
    path = tmp_path / "flow.yaml"
    path.write_text(YAML)
    return ConfigContext.from_yaml(path)


@pytest.fixture
def kafka(context: ConfigContext) -> KafkaSettings:
    return context.section("kafka", KafkaSettings)


def test_config_several_yaml_files_merge_left_to_right(tmp_path: Path) -> None:
    for name, text in (("a", "x: {one: 1, two: 1}"), ("b", "x: {two: 2}"), ("c", "x: {two: 3}")):
        (tmp_path / f"{name}.yaml").write_text(text)
    paths = [tmp_path / f"{name}.yaml" for name in "abc"]
    assert ConfigContext.from_yaml(*paths).raw("x") == {"one": 1, "two": 3}


def test_config_environment_interpolation(kafka: KafkaSettings) -> None:
    assert kafka.consumer is not None
    assert kafka.consumer.security is not None
    assert kafka.consumer.security.sasl_password == "from the environment"


def test_config_kafka_consumer(kafka: KafkaSettings) -> None:
    consumer = kafka.consumer_for("orders")
    assert consumer is kafka.consumer
    assert consumer.brokers == ("one:9092", "two:9092")
    assert consumer.group_id == "orders"
    assert consumer.topics == ("orders.v1",)
    assert consumer.delivery == "at_most_once"
    assert consumer.auto_offset_reset == "latest"
    assert consumer.batch_size == 500


def test_config_kafka_producer(kafka: KafkaSettings) -> None:
    producer = kafka.producer_for("priced")
    assert producer is kafka.producer
    assert producer.librdkafka() == {"bootstrap.servers": "one:9092", "linger.ms": 5}


def test_config_kafka_consumers_by_reference(kafka: KafkaSettings) -> None:
    assert kafka.consumer_for("payments").brokers == ("three:9092",)
    assert kafka.consumer_for("payments").delivery == "at_least_once"


def test_config_kafka_producers_by_reference(kafka: KafkaSettings) -> None:
    producer = kafka.producer_for("ledger")
    assert producer.topic == "ledger.v2"
    assert producer.format is WireFormat.LOOM


def test_config_kafka_security_reaches_the_client(kafka: KafkaSettings) -> None:
    settings = kafka.consumer_for("orders").librdkafka()
    assert settings["security.protocol"] == "SASL_SSL"
    assert settings["sasl.mechanism"] == "PLAIN"
    assert settings["sasl.username"] == "user"


def test_config_kafka_extra_settings_reach_the_client(kafka: KafkaSettings) -> None:
    assert kafka.consumer_for("orders").librdkafka()["fetch.min.bytes"] == 100_000


@pytest.mark.parametrize(
    ("settings", "name"),
    [
        ({"group_id": "g", "extra": {"group.id": "other"}}, "group.id"),
        ({"group_id": "g", "extra": {"enable.auto.commit": True}}, "enable.auto.commit"),
        ({"group_id": "g", "extra": {"bootstrap.servers": "x:1"}}, "bootstrap.servers"),
    ],
)
def test_config_kafka_extra_settings_may_not_shadow_typed_ones(
    settings: dict[str, Any], name: str
) -> None:
    context = ConfigContext.from_dict({"consumer": {"brokers": ["b:1"], **settings}})
    consumer = context.section("", KafkaSettings).consumer_for("orders")
    with pytest.raises(ValueError, match=name):
        consumer.librdkafka()


def test_config_kafka_delivery_is_one_of_two() -> None:
    context = ConfigContext.from_dict(
        {"kafka": {"consumer": {"brokers": ["b:1"], "group_id": "g", "delivery": "exactly_once"}}}
    )
    with pytest.raises(ConfigError, match="at_least_once, at_most_once") as caught:
        context.section("kafka", KafkaSettings)
    assert caught.value.field == "kafka.consumer.delivery"


def test_config_streaming_runtime(context: ConfigContext) -> None:
    assert context.section("streaming.runtime", BytewaxRuntimeConfig) == BytewaxRuntimeConfig(
        workers_per_process=2,
        process_id=1,
        addresses=("a:2101", "b:2101"),
        epoch_interval_ms=250,
        recovery=BytewaxRecoverySettings(db_dir="state", backup_interval_ms=60_000),
        async_backend="trio",
        use_uvloop=False,
        force_shutdown_timeout_ms=500,
    )


class FilesConfig(LoomFrozenStruct, frozen=True):
    folder: str


class Files:
    sink_type = "files"
    config_type = FilesConfig

    @classmethod
    def build_binding(cls, cfg: FilesConfig, ctx: ConfigContext) -> RuntimeSinkBinding:
        return RuntimeSinkBinding(purpose="audit", sink=cfg.folder)


def test_config_streaming_sinks(context: ConfigContext) -> None:
    registry = SinkRegistry()
    registry.register(Files)
    assert registry.resolve(context) == [RuntimeSinkBinding(purpose="audit", sink="out")]


def test_config_observability(context: ConfigContext) -> None:
    section = context.section("observability", ObservabilityConfig)
    assert section.log.enabled is False
    assert section.prometheus.enabled is True
    assert section.prometheus.port == 0
    assert section.prometheus.bind_address == "127.0.0.1"
