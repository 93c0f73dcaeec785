"""A flow on two processes."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tests.delivery.lives import Life, job
from tests.delivery.places import Place
from tests.delivery.reports import Reports


def free_addresses(count: int) -> list[str]:
    """Return loopback addresses that nobody listens on now."""
    with ExitStack() as stack:
        probes = [stack.enter_context(socket.socket()) for _ in range(count)]
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [f"127.0.0.1:{probe.getsockname()[1]}" for probe in probes]


@contextmanager
def cluster(
    place: Place, flow: str, *, store: Path | None = None, until_idle_ms: int | None = None
) -> Iterator[tuple[Life, Life]]:
    """Run a flow on two processes until the context is left."""
    addresses = free_addresses(2)
    with ExitStack() as stack:
        first, second = (
            stack.enter_context(
                Life(
                    job(
                        flow,
                        place.config(store=store, addresses=addresses, process_id=process_id),
                        until_idle_ms=until_idle_ms,
                    )
                )
            )
            for process_id in range(2)
        )
        yield first, second


def both_read(lives: tuple[Life, Life]) -> tuple[Reports, Reports]:
    """Wait until both processes have read something."""
    for life in lives:
        life.reports.wait_for_consumed(1)
    return lives[0].reports, lives[1].reports
