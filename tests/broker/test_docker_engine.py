"""Engines that cannot be used: each is told plainly and quickly, and auto goes on without."""

import contextlib
import hashlib
import json
import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from loom_bench.broker.choice import open_broker
from loom_bench.broker.contract import BrokerError
from loom_bench.broker.docker.engine import (
    DEFAULT_HOST,
    NoEngineError,
    engine_address,
    look_for_engine,
)
from tests.cli.commands import environment

NOBODY = 65_534

LOOK = """
import os, sys
from loom_bench.broker.docker.engine import NoEngineError, look_for_engine

if os.getuid() == 0:
    os.setresuid(*[int(sys.argv[1])] * 3)
try:
    look_for_engine()
except NoEngineError as error:
    print(error.what, "|", error.what_next)
"""


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where Docker's socket is to be."""
    path = tmp_path / "docker.sock"
    monkeypatch.setenv("DOCKER_HOST", f"unix://{path}")
    return path


class FakeEngine:
    """Listens as an engine does, and answers with what it is given, or not at all."""

    def __init__(self, path: Path, answer: bytes = b"") -> None:
        self._answer = answer
        self._listening = socket.socket(socket.AF_UNIX)
        self._listening.bind(str(path))
        self._listening.listen()
        self._open: list[socket.socket] = []
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._listening.accept()
                self._open.append(connection)
                if self._answer and connection.recv(65_536):
                    connection.sendall(self._answer)
                    connection.close()

    def close(self) -> None:
        self._listening.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        for each in (self._listening, *self._open):
            each.close()


@pytest.fixture
def hanging(path: Path) -> Iterator[None]:
    engine = FakeEngine(path)
    yield
    engine.close()


def refused() -> NoEngineError:
    with pytest.raises(NoEngineError) as caught:
        look_for_engine()
    return caught.value


def test_no_socket_is_seen_at_once(path: Path) -> None:
    refused()
    began_s = time.perf_counter()
    for _ in range(100):
        problem = refused()
    assert (time.perf_counter() - began_s) / 100 < 0.005
    assert problem.what == "there is no Docker engine: its socket does not exist"
    assert problem.where == f"unix://{path}"
    assert "--broker embedded" in problem.what_next


def test_a_socket_that_nobody_listens_on(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(path))
    assert "is not running" in refused().what


def test_a_socket_without_permission() -> None:
    # Not in pytest's folder, which only its user may look into.
    with tempfile.TemporaryDirectory() as folder, socket.socket(socket.AF_UNIX) as theirs:
        Path(folder).chmod(0o755)
        path = Path(folder, "docker.sock")
        theirs.bind(str(path))
        theirs.listen()
        path.chmod(0o600 if os.getuid() == 0 else 0o000)
        done = subprocess.run(
            [sys.executable, "-c", LOOK, str(NOBODY)],
            capture_output=True,
            text=True,
            env=environment(DOCKER_HOST=f"unix://{path}"),
            check=True,
        )
    what, what_next = done.stdout.split("|")
    assert what.strip() == "you have no permission to use the Docker engine"
    assert "usermod -aG" in what_next


def test_an_engine_that_hangs_is_given_up_within_seconds(path: Path, hanging: None) -> None:
    began_s = time.monotonic()
    with pytest.raises(BrokerError) as caught:
        open_broker("docker")
    assert caught.value.what == "the Docker engine hangs: it did not answer within 3 s"
    assert "Restart Docker" in caught.value.what_next
    assert 3 <= time.monotonic() - began_s < 15


def test_what_answers_is_no_engine(path: Path) -> None:
    other = FakeEngine(path, b"HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\n{}")
    with pytest.raises(BrokerError) as caught:
        open_broker("docker")
    other.close()
    assert "no Docker engine that can be used" in caught.value.what


@pytest.mark.parametrize("address", ["ssh://me@build-host", "tcp://10.0.0.7:2375", "tcp://a:2376"])
def test_an_engine_on_another_machine(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", address)
    problem = refused()
    assert "on another machine" in problem.what
    assert problem.where == address


def test_where_the_engine_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    for name in ("DOCKER_HOST", "DOCKER_CONTEXT"):
        monkeypatch.delenv(name, raising=False)
    assert engine_address() == DEFAULT_HOST
    meta = tmp_path / "contexts" / "meta" / hashlib.sha256(b"desk").hexdigest() / "meta.json"
    meta.parent.mkdir(parents=True)
    meta.write_text(json.dumps({"Endpoints": {"docker": {"Host": "unix:///desk.sock"}}}))
    (tmp_path / "config.json").write_text('{"currentContext": "desk"}')
    assert engine_address() == "unix:///desk.sock"
    monkeypatch.setenv("DOCKER_CONTEXT", "default")
    assert engine_address() == DEFAULT_HOST
    monkeypatch.setenv("DOCKER_HOST", "unix:///given.sock")
    assert engine_address() == "unix:///given.sock"
    monkeypatch.delenv("DOCKER_HOST")
    monkeypatch.delenv("DOCKER_CONTEXT")
    (tmp_path / "config.json").write_text("[]")
    assert engine_address() == DEFAULT_HOST


def test_auto_goes_on_with_the_embedded_broker_and_says_why(path: Path) -> None:
    with open_broker("auto") as broker:
        assert (broker.kind, broker.owned) == ("embedded", True)
        assert broker.reason == (
            "There is no Docker engine: its socket does not exist. The bench runs its own."
        )


def test_auto_goes_on_when_the_engine_hangs(path: Path, hanging: None) -> None:
    with open_broker("auto") as broker:
        assert broker.kind == "embedded"
        assert broker.reason.startswith("The Docker engine hangs")


def test_the_bench_does_not_import_dockers_sdk(path: Path) -> None:
    script = """
import sys
from loom_bench.broker.choice import open_broker
import loom_bench.session.live.session
with open_broker("auto") as broker:
    print(broker.kind, *(name for name in ("docker", "requests", "testcontainers")
                         if name in sys.modules))
"""
    done = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        env=environment(),
        check=True,
    )
    assert done.stdout.split() == ["embedded"]
