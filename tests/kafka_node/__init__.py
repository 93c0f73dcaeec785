"""A real Apache Kafka node for tests: one KRaft process, run from its jars, without Docker."""

from tests.kafka_node.jars import (
    KafkaJars,
    KafkaUnavailableError,
    KafkaUnresolvedError,
    find_kafka,
)
from tests.kafka_node.node import KafkaNode, KafkaNodeError
from tests.kafka_node.secured import PASSWORD, USER, SecuredListeners

__all__ = [
    "PASSWORD",
    "USER",
    "KafkaJars",
    "KafkaNode",
    "KafkaNodeError",
    "KafkaUnavailableError",
    "KafkaUnresolvedError",
    "SecuredListeners",
    "find_kafka",
]
