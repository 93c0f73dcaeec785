"""Feeding a source topic of a broker that the bench may write to: asked for, changed, told of."""

from __future__ import annotations

import msgspec

from loom_bench.protocol.diagnosis import Diagnosis
from loom_bench.protocol.security import ClientSettings


class Feed(msgspec.Struct, frozen=True, kw_only=True, tag="feed"):
    """Import a module and write what its ``bench_feed()`` gives into a topic of a broker that the
    bench may write to; answered by FeedProgress, and by FeedFinished at the end.

    Attributes:
        target: Path of the module.
        bootstrap: Address of that broker.
        topic: The topic.
        format: Its wire format.
        security: How to log in there.
        rate_per_s: Records per second; ``None`` for as fast as the broker takes them, 0 for none.
    """

    target: str
    bootstrap: str
    topic: str
    format: str
    security: ClientSettings = {}
    rate_per_s: float | None = None


class SetRate(msgspec.Struct, frozen=True, tag="set_rate"):
    """Change the rate of a running feed.

    Attributes:
        rate_per_s: Records per second; ``None`` for as fast as the broker takes them, 0 for none.
    """

    rate_per_s: float | None


class FeedProgress(msgspec.Struct, frozen=True, tag="feed_progress"):
    """How far a feed is.

    Attributes:
        delivered: Records that the broker acknowledged.
    """

    delivered: int


class FeedFinished(msgspec.Struct, frozen=True, kw_only=True, tag="feed_finished"):
    """A feed ended.

    Attributes:
        delivered: Records that the broker acknowledged.
        failure: Why it ended early; ``None`` when it did not.
    """

    delivered: int
    failure: Diagnosis | None = None
