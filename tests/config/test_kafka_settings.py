"""Kafka settings: what a person sees of them, and what the client gets."""

from __future__ import annotations

from loom_runtime.config.kafka import ConsumerSettings, KafkaSecuritySettings


def test_passwords_reach_the_client_and_no_log() -> None:
    security = KafkaSecuritySettings(
        protocol="SASL_SSL",
        sasl_username="user",
        sasl_password="hunter2",
        ssl_key_password="hunter3",
    )
    consumer = ConsumerSettings(brokers=("b:1",), group_id="g", security=security)
    assert repr(security) == (
        "KafkaSecuritySettings(protocol='SASL_SSL', sasl_username='user', sasl_password=***, "
        "ssl_key_password=***)"
    )
    assert "hunter" not in repr(consumer)
    assert consumer.librdkafka()["sasl.password"] == "hunter2"
    assert consumer.librdkafka()["ssl.key.password"] == "hunter3"
