"""What a live session is opened with."""

from __future__ import annotations

from dataclasses import dataclass

from loom_bench.protocol.frames import LOAD_TIME_LIMIT_MS
from loom_bench.session.broker_side import OpenBroker


@dataclass(frozen=True)
class LiveOptions:
    """What to open and how.

    Attributes:
        target: Path of the module, with ``:ATTRIBUTE`` when it has several flows.
        open_broker: Opens the broker that a word or an address chooses; raises BrokerError.
        broker: That word or address.
        config_path: Configuration file; ``None`` looks for one beside the module.
        feed_rate_per_s: Records per second of the feed; ``None`` for as fast as it goes, 0 for
            none.
        manual_reload: Whether a save waits for a key.
        look_only: Whether the flow is loaded and shown and never run.
        load_time_limit_ms: Longest time that importing and compiling may take.
    """

    target: str
    open_broker: OpenBroker
    broker: str = "embedded"
    config_path: str | None = None
    feed_rate_per_s: float | None = None
    manual_reload: bool = False
    look_only: bool = False
    load_time_limit_ms: int = LOAD_TIME_LIMIT_MS
