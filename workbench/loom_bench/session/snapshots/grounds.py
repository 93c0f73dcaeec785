"""Opens what replays need outside a live session: the store, and a broker that has the records."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Final

from loom_bench.broker.contract import Broker
from loom_bench.protocol.diagnosis import Diagnosis
from loom_bench.protocol.feeding import Feed, FeedFinished
from loom_bench.protocol.frames import Load, Loaded
from loom_bench.session.asking import load_plan
from loom_bench.session.endings import ended
from loom_bench.session.host_process import HostEnded, HostNews, HostProcess
from loom_bench.session.snapshots.ground import Ground
from loom_bench.session.snapshots.replay_run import ReplayFailedError
from loom_bench.session.topics import topics_of

_FEED_LIMIT_S: Final = 600.0


@contextmanager
def open_ground(
    flow: str,
    store: Path,
    open_broker: Callable[[], Broker] | None,
    *,
    config_path: str | None = None,
    load_time_limit_ms: int = 20_000,
) -> Iterator[Ground]:
    """Open where replays of *store* run, until the context is left.

    A broker of the bench's own begins empty: the flow's feed fills it first, whole, so that
    offsets are those of a run that was fed the same.

    Args:
        flow: Path of the module, with ``:ATTRIBUTE`` when it has several flows.
        store: Folder of the store.
        open_broker: Opens the broker; ``None`` for those that the flow is configured with.
        config_path: Configuration file; ``None`` looks for one beside the module.
        load_time_limit_ms: Longest time that importing and compiling may take.

    Raises:
        BrokerError: When there is no broker.
        ReplayFailedError: When the flow does not load or its feed fails.
    """
    broker = None if open_broker is None else open_broker()
    try:
        ground = Ground(
            store=store,
            target=flow,
            config_path=config_path,
            bootstrap=None if broker is None else broker.bootstrap,
            plaintext=broker is not None and broker.owned,
            load_time_limit_ms=load_time_limit_ms,
        )
        if broker is not None and broker.owned:
            fill(ground, broker)
        yield ground
    finally:
        if broker is not None:
            broker.stop()


def configured_store(flow: str, config_path: str | None, load_time_limit_ms: int) -> Path | None:
    """Return the store that a flow is configured with; ``None`` for none.

    Raises:
        ReplayFailedError: When the flow does not load.
    """
    answer = load_plan(
        Load(
            target=flow,
            config_path=config_path,
            to_run=True,
            time_limit_ms=load_time_limit_ms,
        )
    )
    if not isinstance(answer, Loaded):
        raise ReplayFailedError(*answer)
    return None if answer.store is None else Path(answer.store)


def fill(ground: Ground, broker: Broker) -> None:
    """Make the flow's topics on a broker of the bench's own and write what its feed gives.

    Raises:
        BrokerError: When the topics cannot be made.
        ReplayFailedError: When the flow does not load or its feed fails.
    """
    loaded = ground.load("")
    broker.create_topics(topics_of(loaded.plan))
    if not loaded.has_feed:
        return
    news: SimpleQueue[HostNews] = SimpleQueue()
    host = HostProcess(news.put)
    try:
        host.send(
            Feed(
                target=ground.target,
                bootstrap=broker.bootstrap,
                topic=loaded.plan.source.topics[0],
                format=loaded.plan.source.format,
            )
        )
        deadline_s = time.monotonic() + _FEED_LIMIT_S
        while True:
            try:
                item = news.get(timeout=max(0.0, deadline_s - time.monotonic()))
            except Empty:
                raise ReplayFailedError(_endless(_FEED_LIMIT_S)) from None
            if isinstance(item, FeedFinished):
                if item.failure is not None:
                    raise ReplayFailedError(item.failure)
                return
            if isinstance(item, HostEnded):
                raise ReplayFailedError(ended(ground.target, item, host.stack_dump(), ()))
    finally:
        host.close()


def _endless(limit_s: float) -> Diagnosis:
    return Diagnosis(
        code="feed_endless",
        message=f"bench_feed() was not over after {limit_s:g} s",
        hint="A broker that is filled from the feed needs one that ends; name a broker that has "
        "the records with --broker HOST:PORT.",
    )
