"""An image that is not there yet: pulled, watched, called off; and the ways in which that fails."""

import os
import re
import threading
import time
from collections.abc import Callable
from http import HTTPStatus
from pathlib import Path

import pytest

from loom_bench.broker.contract import BrokerError
from loom_bench.broker.docker.broker import DockerBroker
from loom_bench.broker.docker.options import DockerOptions
from loom_bench.broker.opening import Opening, OpeningCancelledError, OpeningStep
from loom_bench.session.live.session import LiveSession
from loom_bench.session.value import Phase, SessionValue
from tests.bench.live.sessions import FLOW
from tests.broker.processes import await_true
from tests.containers.engine import Engine
from tests.containers.fake_registry import FakeRegistry
from tests.containers.tansu_image import root_filesystem

pytestmark = pytest.mark.docker

_ENDLESS = os.urandom(30_000_000)
"""At the pace of a slow registry about a minute."""


def failed_pull(image: str) -> BrokerError:
    with pytest.raises(BrokerError) as caught:
        DockerBroker.start(DockerOptions(image=image))
    assert f"the image {image} is not on this machine" in caught.value.what
    return caught.value


def test_a_missing_image_is_pulled_and_its_progress_told(engine: Engine) -> None:
    steps: list[OpeningStep] = []
    with FakeRegistry(root_filesystem()) as registry:
        image = registry.image
        try:
            with DockerBroker.start(DockerOptions(image=image), Opening(steps.append)) as broker:
                assert broker.alive()
            assert registry.sent_bytes > 40_000_000
        finally:
            engine.remove_image(image)
    shares = [step.share for step in steps if step.share is not None]
    assert shares == sorted(shares)
    assert len(shares) > 3
    assert shares[-1] > 0.9
    texts = [step.text for step in steps]
    assert any(re.fullmatch(rf"pulling {image}: \d+ of 4\d MB", text) for text in texts)
    assert texts[-1] == "waiting for Kafka to answer"


def test_a_pull_that_is_called_off_ends_at_once(engine: Engine) -> None:
    pulling, ended = threading.Event(), threading.Event()

    def told(step: OpeningStep) -> None:
        if step.share:
            pulling.set()

    opening = Opening(told)

    def start(image: str) -> None:
        with pytest.raises(OpeningCancelledError):
            DockerBroker.start(DockerOptions(image=image), opening)
        ended.set()

    with FakeRegistry(_ENDLESS, slow=True) as registry:
        thread = threading.Thread(target=start, args=(registry.image,))
        thread.start()
        assert pulling.wait(30)
        began_s = time.monotonic()
        opening.cancel()
        assert ended.wait(10)
        assert time.monotonic() - began_s < 5
        thread.join()
        await_true(registry.broken_off.is_set, "the engine stops downloading", timeout_s=20)
        assert not engine.has_image(registry.image)
    assert engine.containers() == []


def test_a_session_goes_over_to_another_broker_while_it_pulls(
    engine: Engine, tmp_path: Path
) -> None:
    path = tmp_path / "orders.py"
    path.write_text(FLOW)
    with FakeRegistry(_ENDLESS, slow=True) as registry:
        docker = DockerOptions(image=registry.image)
        with LiveSession.open(str(path), broker="auto", docker=docker) as session:
            value = _await(session, lambda seen: (seen.broker.progress or 0) > 0)
            assert (value.broker.kind, value.broker.state) == ("docker", "starting")
            assert value.broker.opening.startswith(f"pulling {registry.image}: ")
            session.switch_broker("embedded")
            value = _await(session, lambda seen: seen.phase is Phase.RUNNING)
            assert (value.broker.kind, value.broker.opening) == ("embedded", "")
            await_true(registry.broken_off.is_set, "the engine stops downloading", timeout_s=20)


def test_a_session_keeps_its_broker_and_calls_the_pull_off(engine: Engine, tmp_path: Path) -> None:
    path = tmp_path / "orders.py"
    path.write_text(FLOW)
    with FakeRegistry(_ENDLESS, slow=True) as registry:
        docker = DockerOptions(image=registry.image)
        with LiveSession.open(str(path), broker="embedded", docker=docker) as session:
            bootstrap = _await(session, lambda seen: seen.phase is Phase.RUNNING).broker.bootstrap
            session.switch_broker("docker")
            value = _await(session, lambda seen: (seen.broker.progress or 0) > 0)
            assert (value.broker.kind, value.broker.state) == ("embedded", "ready")
            session.switch_broker(None)
            value = _await(session, lambda seen: not seen.broker.opening)
            assert (value.broker.bootstrap, value.phase) == (bootstrap, Phase.RUNNING)
            await_true(registry.broken_off.is_set, "the engine stops downloading", timeout_s=20)


def test_a_session_that_is_closed_while_it_pulls(engine: Engine, tmp_path: Path) -> None:
    path = tmp_path / "orders.py"
    path.write_text(FLOW)
    with FakeRegistry(_ENDLESS, slow=True) as registry:
        docker = DockerOptions(image=registry.image)
        session = LiveSession.open(str(path), broker="docker", docker=docker)
        _await(session, lambda seen: (seen.broker.progress or 0) > 0)
        began_s = time.monotonic()
        session.close()
        assert time.monotonic() - began_s < 10
        await_true(registry.broken_off.is_set, "the engine stops downloading", timeout_s=20)


@pytest.mark.parametrize(
    ("failure", "what", "what_next"),
    [
        ((HTTPStatus.NOT_FOUND, "MANIFEST_UNKNOWN"), "has no such image", "Correct --docker-image"),
        ((HTTPStatus.UNAUTHORIZED, "UNAUTHORIZED"), "asks for a login", "docker login"),
        ((HTTPStatus.TOO_MANY_REQUESTS, "TOOMANYREQUESTS"), "allows no more downloads", "wait"),
        ((HTTPStatus.INTERNAL_SERVER_ERROR, "UNKNOWN"), "could not be pulled", "docker pull"),
    ],
)
def test_a_registry_that_refuses(
    engine: Engine, failure: tuple[HTTPStatus, str], what: str, what_next: str
) -> None:
    with FakeRegistry(failure=failure) as registry:
        problem = failed_pull(registry.image)
    assert what in problem.what
    assert what_next in problem.what_next


def test_a_registry_that_is_not_there(engine: Engine) -> None:
    with FakeRegistry() as registry:
        image = registry.image
    problem = failed_pull(image)
    assert "its registry refuses the connection" in problem.what
    assert "--broker embedded" in problem.what_next


def test_a_registry_without_an_address_is_what_no_network_looks_like(engine: Engine) -> None:
    began_s = time.monotonic()
    problem = failed_pull("registry.invalid/loom-bench-test/nowhere:1")
    assert "is there no network?" in problem.what
    assert time.monotonic() - began_s < 10


def test_a_registry_that_hangs(engine: Engine) -> None:
    """The engine gives up after 15 s."""
    with FakeRegistry(failure="hang") as registry:
        problem = failed_pull(registry.image)
    assert "its registry does not answer" in problem.what


def _await(
    session: LiveSession, seen: Callable[[SessionValue], bool], timeout_s: float = 30.0
) -> SessionValue:
    await_true(lambda: seen(session.value()), f"{session.value().broker}", timeout_s)
    return session.value()
