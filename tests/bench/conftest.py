"""Fixtures of the bench's tests."""

from collections.abc import Iterator

import pytest

from loom_bench.broker.embedded import EmbeddedBroker
from tests.bench.processes import await_true
from tests.bench.runs import children


@pytest.fixture
def nothing_is_left(broker: EmbeddedBroker) -> Iterator[None]:
    """No session leaves a process behind."""
    before = children()
    yield
    await_true(lambda: children() <= before, "every process of the session is gone")
