"""Context managers that are instances: one opening for all workers, one closing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest

from loom_runtime.execution.shared_contexts import SharedContexts


class Connection:
    """Counts its openings and closings."""

    def __init__(self) -> None:
        self.opened = 0
        self.closed = 0

    @contextmanager
    def context(self) -> Iterator[Connection]:
        self.opened += 1
        yield self
        self.closed += 1


def test_workers_share_one_opening_and_the_last_one_closes_it() -> None:
    shared, connection = SharedContexts(), Connection()
    instance = connection.context()
    with ExitStack() as first, ExitStack() as second:
        assert first.enter_context(shared.hold(instance, lambda: instance)) is connection
        assert second.enter_context(shared.hold(instance, lambda: instance)) is connection
        first.close()
        assert (connection.opened, connection.closed) == (1, 0)
    assert (connection.opened, connection.closed) == (1, 1)


def test_instances_are_told_apart_and_may_be_opened_again_when_all_have_left() -> None:
    shared, one, other = SharedContexts(), Connection(), Connection()
    with shared.hold(one, one.context), shared.hold(other, other.context):
        pass
    with shared.hold(one, one.context):
        pass
    assert (one.opened, one.closed, other.opened, other.closed) == (2, 2, 1, 1)


def test_an_opening_that_fails_is_tried_again_by_the_next() -> None:
    shared, connection = SharedContexts(), Connection()

    @contextmanager
    def refusing() -> Iterator[None]:
        raise ConnectionError("down")
        yield

    with pytest.raises(ConnectionError), shared.hold(connection, refusing):
        pass
    with shared.hold(connection, connection.context):
        assert connection.opened == 1
