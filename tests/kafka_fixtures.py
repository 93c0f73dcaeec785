"""The `kafka_node` fixture, and what becomes of tests marked `kafka` where no Kafka can run."""

import os
from collections.abc import Iterator

import pytest

from tests.kafka_node import KafkaNode, KafkaUnavailableError, KafkaUnresolvedError, find_kafka

REQUIRED = "LOOM_REQUIRE_KAFKA"
"""Set to 1, as CI does: a machine with Java and Maven must run these tests, not skip them."""

_unresolved = pytest.StashKey[str]()


def pytest_configure(config: pytest.Config) -> None:
    """Have the summary name each skipped test instead of counting them per reason."""
    config.option.fold_skipped = False


# At the end of the collection, not in the fixture: Maven's first download may take longer than
# one test is given.
def pytest_collection_finish(session: pytest.Session) -> None:
    """Skip the chosen tests that are marked `kafka` where Apache Kafka cannot run."""
    marked = [item for item in session.items if item.get_closest_marker("kafka") is not None]
    if not marked or session.config.option.collectonly:
        return
    try:
        find_kafka()
    except KafkaUnavailableError as error:
        if isinstance(error, KafkaUnresolvedError) and os.environ.get(REQUIRED) == "1":
            session.config.stash[_unresolved] = str(error)
            return
        for item in marked:
            item.add_marker(pytest.mark.skip(reason=f"no real Apache Kafka: {error}"))


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Fail what may not be skipped."""
    reason = item.config.stash.get(_unresolved, None)
    if reason is not None and item.get_closest_marker("kafka") is not None:
        pytest.fail(f"{REQUIRED} is set, and there is no real Apache Kafka: {reason}", False)


@pytest.fixture(scope="session")
def kafka_node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KafkaNode]:
    """One real Kafka node for the whole session; use topic and group names of the test's own."""
    with KafkaNode.start(tmp_path_factory.mktemp("kafka") / "node") as node:
        yield node


@pytest.fixture(scope="session")
def secured_kafka_node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KafkaNode]:
    """One real Kafka node that asks for a login, plain and over TLS."""
    with KafkaNode.start(tmp_path_factory.mktemp("kafka") / "secured", secured=True) as node:
        yield node
