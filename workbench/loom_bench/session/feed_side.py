"""The feed of a run: a host of its own that makes records and writes them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from loom_bench.protocol.feeding import Feed, FeedFinished, FeedProgress
from loom_bench.protocol.frames import Loaded, Stop
from loom_bench.session.endings import ended
from loom_bench.session.happenings import FeedEnded, FeedStarted
from loom_bench.session.host_process import HostEnded, HostNews, HostProcess
from loom_bench.session.tally import Tally

_FEED_WORD = b"bench_feed"


class FeedSide:
    """Owns the feed's host.

    Attributes:
        active: Whether the feed still writes.
        failed: Whether it ended early.

    Args:
        target: Path of the module.
        rate_per_s: Records per second; ``None`` for as fast as it goes.
        spawn: Starts a host whose news come to :meth:`take`.
        tally: Where the number of delivered records goes.
    """

    def __init__(
        self,
        target: str,
        rate_per_s: float | None,
        spawn: Callable[[], HostProcess],
        tally: Tally,
    ) -> None:
        self.active = False
        self.failed = False
        self._target = target
        self._rate_per_s = rate_per_s
        self._spawn = spawn
        self._tally = tally
        self._host: HostProcess | None = None

    def warm_up(self) -> None:
        """Start the host ahead of need when the module's text names a feed."""
        head, separator, _ = self._target.partition(".py:")
        try:
            text = Path(head + ".py" if separator else self._target).read_bytes()
        except OSError:
            return
        if _FEED_WORD in text:
            self._host = self._spawn()

    def begin(self, loaded: Loaded, bootstrap: str) -> FeedStarted | None:
        """Start writing on a broker that the bench started; ``None`` when there is no feed."""
        if not loaded.has_feed:
            self.close()
            return None
        if self._host is None:
            self._host = self._spawn()
        topic = loaded.plan.source.topics[0]
        self.active, self._tally.fed = True, 0
        self._host.send(
            Feed(
                target=self._target,
                bootstrap=bootstrap,
                topic=topic,
                format=loaded.plan.source.format,
                security=loaded.security.writing,
                rate_per_s=self._rate_per_s,
            )
        )
        return FeedStarted(topic=topic, rate_per_s=self._rate_per_s)

    def take(self, news: HostNews) -> FeedEnded | None:
        """Take the host's news; returns the feed's end when that is what it is."""
        if isinstance(news, FeedProgress):
            self._tally.fed = news.delivered
        elif isinstance(news, FeedFinished) and self.active:
            self._tally.fed, self.active = news.delivered, False
            self.failed = news.failure is not None
            return FeedEnded(delivered=news.delivered, failure=news.failure)
        elif isinstance(news, HostEnded) and self.active and self._host is not None:
            self.active, self.failed = False, True
            failure = ended(self._target, news, self._host.stack_dump(), ())
            return FeedEnded(delivered=self._tally.fed or 0, failure=failure)
        return None

    def stop(self) -> None:
        """Make no more records; those handed to the client are still delivered."""
        if self._host is not None:
            self._host.send(Stop())

    def close(self) -> None:
        """End the host."""
        if self._host is not None:
            self._host.close()
            self._host = None
