"""Kafka in a container: started, used, told apart, kept, ended."""

import socket
import threading
import time
from collections.abc import Iterator

import pytest

from loom_bench.broker import topics
from loom_bench.broker.choice import open_broker
from loom_bench.broker.contract import Broker, BrokerError
from loom_bench.broker.docker.broker import DockerBroker
from loom_bench.broker.docker.leftovers import OWNER_LABEL
from loom_bench.broker.docker.options import DockerOptions
from loom_bench.broker.feed import Feed, FeedRecord
from loom_bench.broker.opening import Opening, OpeningCancelledError, OpeningStep
from loom_bench.broker.ports import free_port
from tests.broker.processes import await_true
from tests.containers.engine import Engine
from tests.containers.tansu_image import root_filesystem

pytestmark = pytest.mark.docker

QUICK_S = 10.0
"""Failures are told in seconds; this leaves room for a machine that does much else."""


@pytest.fixture
def broker(engine: Engine) -> Iterator[Broker]:
    with DockerBroker.start(DockerOptions(image=engine.image)) as started:
        yield started


def test_a_container_serves_flows_as_any_broker_does(engine: Engine, broker: Broker) -> None:
    assert (broker.kind, broker.owned, broker.lasting) == ("docker", True, None)
    assert engine.image in broker.reason
    broker.create_topics({"orders": 3})
    assert topics.partition_counts(broker.bootstrap) == {"orders": 3}
    with Feed(broker, "orders", [FeedRecord(b"k", b"v")] * 100) as feed:
        pass
    assert feed.delivered == 100
    assert sum(topics.end_offsets(broker.bootstrap, "orders").values()) == 100
    await_true(lambda: broker.memory_bytes() is not None, "its memory is known")
    assert 1_000_000 < (broker.memory_bytes() or 0) < 1_000_000_000


def test_it_listens_on_loopback_only_and_its_end_leaves_nothing(engine: Engine) -> None:
    port, volumes = free_port(), engine.volumes()
    broker = DockerBroker.start(DockerOptions(image=engine.image, port=port))
    (name,) = engine.containers()
    assert broker.bootstrap == f"127.0.0.1:{port}"
    assert engine.published(name) == [("127.0.0.1", str(port))]
    broker.stop()
    assert not broker.alive()
    assert engine.containers() == []
    assert engine.volumes() == volumes
    broker.stop()


def test_auto_takes_docker_where_an_engine_answers(engine: Engine) -> None:
    with open_broker("auto", docker=DockerOptions(image=engine.image)) as broker:
        assert broker.kind == "docker"
        assert broker.reason.startswith("A Docker engine answers: ")


def test_a_container_that_ends_is_missed(engine: Engine, broker: DockerBroker) -> None:
    (name,) = engine.containers()
    assert broker.alive()
    engine.kill(name)
    await_true(lambda: not broker.alive(), "its end is seen")
    assert broker.memory_bytes() is None
    await_true(lambda: engine.containers() == [], "it is removed")


def test_a_port_that_another_program_has(engine: Engine) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(BrokerError) as caught:
            DockerBroker.start(DockerOptions(image=engine.image, port=port))
    assert caught.value.what == "another program listens on the port"
    assert caught.value.where == f"127.0.0.1:{port}"
    assert "--docker-port" in caught.value.what_next
    assert engine.containers() == []


def test_kafka_that_does_not_answer_in_time(engine: Engine) -> None:
    image = engine.make_image("silent", root_filesystem("#!/bin/sh\necho going on\nsleep 300\n"))
    with pytest.raises(BrokerError) as caught:
        DockerBroker.start(DockerOptions(image=image, start_timeout_s=0.5))
    assert "did not answer within 0.5 s" in caught.value.what
    assert "going on" in caught.value.what
    assert engine.containers() == []


def test_kafka_that_ends_while_it_starts(engine: Engine) -> None:
    image = engine.make_image("broken", root_filesystem("#!/bin/sh\necho no such luck\nexit 3\n"))
    with pytest.raises(BrokerError) as caught:
        DockerBroker.start(DockerOptions(image=image))
    assert "ended while it started" in caught.value.what
    assert "no such luck" in caught.value.what
    await_true(lambda: engine.containers() == [], "it is removed")


def test_an_image_that_cannot_be_run(engine: Engine) -> None:
    image = engine.make_image("empty", bytes(10_240))
    with pytest.raises(BrokerError) as caught:
        DockerBroker.start(DockerOptions(image=image))
    assert "did not start a container" in caught.value.what
    assert "--docker-image" in caught.value.what_next
    assert engine.containers() == []


def test_a_start_that_is_called_off_leaves_nothing(engine: Engine) -> None:
    image = engine.make_image("silent", root_filesystem("#!/bin/sh\nsleep 300\n"))
    waiting = threading.Event()

    def told(step: OpeningStep) -> None:
        if step.text == "waiting for Kafka to answer":
            waiting.set()

    opening = Opening(told)
    problems: list[BaseException] = []

    def start() -> None:
        try:
            DockerBroker.start(DockerOptions(image=image), opening)
        except BrokerError as error:
            problems.append(error)

    thread = threading.Thread(target=start)
    thread.start()
    assert waiting.wait(30)
    assert len(engine.containers()) == 1
    opening.cancel()
    thread.join(QUICK_S)
    assert [type(problem) for problem in problems] == [OpeningCancelledError]
    assert engine.containers() == []


def test_two_brokers_side_by_side(engine: Engine, broker: Broker) -> None:
    with DockerBroker.start(DockerOptions(image=engine.image)) as other:
        assert other.bootstrap != broker.bootstrap
        assert len(engine.containers()) == 2
        assert len({engine.labels(name)[OWNER_LABEL] for name in engine.containers()}) == 2
    assert broker.alive()


def test_kept_data_serves_one_bench_at_a_time(engine: Engine) -> None:
    options = DockerOptions(image=engine.image, keep="test-one-at-a-time")
    assert options.volume is not None
    try:
        with DockerBroker.start(options) as first:
            assert first.lasting == f"docker volume {options.volume}"
            began_s = time.monotonic()
            with pytest.raises(BrokerError, match="is used by another bench"):
                DockerBroker.start(options)
            assert time.monotonic() - began_s < QUICK_S
            assert first.alive()
        # The first one may still be closing its data.
        with DockerBroker.start(options) as second:
            assert second.alive()
        assert options.volume in engine.volumes()
        await_true(lambda: engine.containers() == [], "it is gone when its data is closed")
    finally:
        await_true(lambda: engine.containers() == [], "nobody uses the volume")
        engine.remove_volume(options.volume)


@pytest.mark.parametrize("name", ["", "-x", "a b", "../x", "x" * 62])
def test_a_name_that_no_volume_can_have(name: str) -> None:
    with pytest.raises(BrokerError, match="cannot be kept"):
        DockerBroker.start(DockerOptions(keep=name))
