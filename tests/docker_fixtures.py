"""The `engine` fixture, and what becomes of tests marked `docker` where no engine runs."""

from __future__ import annotations

import fcntl
import os
import tempfile
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from loom_bench.broker.contract import BrokerError
from tests.containers.tansu_image import BUSYBOX

if TYPE_CHECKING:
    from tests.containers.engine import Engine

REQUIRED = "LOOM_REQUIRE_DOCKER"
"""Set to 1 where containers can be run: there these tests may not be skipped."""

REASON = "LOOM_NO_DOCKER"
"""Why there is no engine, as told by whoever looked for one."""

_LOCK = Path(tempfile.gettempdir()) / f"loom-bench-docker-tests-{os.getuid()}.lock"

_missing = pytest.StashKey[str]()


def pytest_configure(config: pytest.Config) -> None:
    """Have tests that choose no broker use the embedded one, also where Docker is."""
    os.environ["LOOM_BENCH_BROKER"] = "embedded"


# Asked for once, when it is known that it will be needed.
def pytest_collection_finish(session: pytest.Session) -> None:
    """Skip the chosen tests that are marked `docker` where no Docker engine answers."""
    marked = [item for item in session.items if item.get_closest_marker("docker") is not None]
    if not marked or session.config.option.collectonly:
        return
    reason = _why_not()
    if reason is None:
        return
    if os.environ.get(REQUIRED) == "1":
        session.config.stash[_missing] = reason
        return
    for item in marked:
        item.add_marker(pytest.mark.skip(reason=f"no Docker engine: {reason}"))


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Fail what may not be skipped."""
    reason = item.config.stash.get(_missing, None)
    if reason is not None and item.get_closest_marker("docker") is not None:
        pytest.fail(f"{REQUIRED} is set, and there is no Docker engine: {reason}", False)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Let one test at a time use the engine: they look at all containers that benches have made.

    Outside the limit of time that a test is given, for it may wait for another process.
    """
    if item.get_closest_marker("docker") is None:
        return (yield)
    with _LOCK.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        return (yield)


@pytest.fixture(scope="session")
def engine() -> Iterator[Engine]:
    """The Docker engine, with a test image; what the tests made on it is gone afterwards."""
    from tests.containers.engine import open_engine  # noqa: PLC0415 - Docker's SDK takes a moment

    opened = open_engine()
    yield opened
    opened.close()


def _why_not() -> str | None:
    from tests.containers.engine import open_engine  # noqa: PLC0415

    try:
        open_engine().disconnect()
    except BrokerError as error:
        return os.environ.get(REASON) or str(error)
    if not BUSYBOX.exists():
        return f"{BUSYBOX} is missing: install busybox-static, which the test image is made of"
    return None
