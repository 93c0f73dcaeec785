"""The loop of a thread that owns things: does what is posted to it, looks after them, publishes."""

from __future__ import annotations

import time
from collections.abc import Callable
from queue import Empty, SimpleQueue
from typing import Final

PUBLISH_INTERVAL_S: Final = 0.1
"""Least time between two values: a screen draws no oftener."""

TICK_S: Final = 1.0

Act = Callable[[], None]


def run_posted(
    posted: SimpleQueue[Act | None],
    do: Callable[[Act], None],
    *,
    tick: Act,
    publish: Act,
    after: Act | None = None,
) -> None:
    """Run until ``None`` is posted.

    Args:
        posted: What is to be done.
        do: Does it, and everything else; raises nothing.
        tick: Looks after things; every second.
        publish: Makes a new value; every :data:`PUBLISH_INTERVAL_S`.
        after: Done after each posted act, outside of ``do``.
    """
    next_tick_s, next_value_s = time.monotonic() + TICK_S, 0.0
    while True:
        now_s = time.monotonic()
        if now_s >= next_tick_s:
            next_tick_s = now_s + TICK_S
            do(tick)
        if now_s >= next_value_s:
            next_value_s = now_s + PUBLISH_INTERVAL_S
            do(publish)
        try:
            act = posted.get(timeout=max(0.0, next_value_s - time.monotonic()))
        except Empty:
            continue
        if act is None:
            return
        do(act)
        if after is not None:
            after()
