"""The feed of a live session: made by ``bench_feed()`` in a host of its own, or by hand."""

from __future__ import annotations

from loom_bench.broker.contract import Broker
from loom_bench.protocol.feeding import Feed, FeedFinished, FeedProgress, SetRate
from loom_bench.protocol.frames import Loaded
from loom_bench.protocol.steering import RecordWritten, WriteRecord
from loom_bench.session.host_process import HostEnded, HostNews
from loom_bench.session.live.board import Board
from loom_bench.session.live.hosts import Hosts, LiveHost


class FeedLife:
    """Owns the hosts that feed.

    Args:
        rate_per_s: Records per second; ``None`` for as fast as it goes, 0 for none.
        hosts: Starts hosts.
        board: Where it is shown.
    """

    def __init__(self, rate_per_s: float | None, hosts: Hosts, board: Board) -> None:
        self._rate_per_s = rate_per_s
        self._hosts = hosts
        self._board = board
        self._generator: LiveHost | None = None
        self._writer: LiveHost | None = None
        self._ready: LiveHost | None = None
        self._began = "", ""

    def make_ready(self, loaded: Loaded) -> None:
        """Have a process ready for the first feed, so that the flow does not wait for it."""
        view = self._board.broker
        feeds = view.owned or view.state == "starting"
        if feeds and loaded.has_feed and self._ready is None and not self._began[0]:
            self._ready = self._hosts.spawn()

    def ensure(self, target: str, loaded: Loaded, broker: Broker) -> None:
        """Feed the flow if its module has a feed and the broker may be written to. A feed goes on
        over reloads; it begins again when its own code was changed, or when it had failed."""
        available = loaded.has_feed and broker.writable
        self._board.change_feed(available=available, rate_per_s=self._rate_per_s)
        self._drop_writer()  # it has the module as it was
        if self._ready is not None and (not available or self._ready.ended):
            self._drop_ready()
        began = self._began == (broker.bootstrap, loaded.feed_hash)
        problem = self._board.feed.problem
        if not available:
            self._drop_generator()
            self._board.change_feed(running=False)
        elif not began or problem is not None:
            if problem is not None:
                self._board.notice(f"the feed had failed and begins again: {problem.message}")
            elif self._began[0] == broker.bootstrap:
                self._board.notice("the feed begins again: its code was changed")
            self._begin(target, loaded, broker)

    def begin_again(self, target: str, loaded: Loaded, broker: Broker) -> None:
        """Feed once more when the feed has ended."""
        if self._board.feed.available and self._generator is None:
            self._begin(target, loaded, broker)

    def _begin(self, target: str, loaded: Loaded, broker: Broker) -> None:
        self._drop_generator()
        self._began = broker.bootstrap, loaded.feed_hash
        self._board.change_feed(running=True, delivered=0, problem=None)
        self._generator, self._ready = self._ready or self._hosts.spawn(), None
        self._generator.on_news = self._take
        self._generator.revision = self._board.revisions.running()
        self._generator.send(
            Feed(
                target=target,
                bootstrap=broker.bootstrap,
                topic=loaded.plan.source.topics[0],
                format=loaded.plan.source.format,
                security=loaded.security.writing,
                rate_per_s=self._rate_per_s,
            )
        )

    def set_rate(self, rate_per_s: float | None) -> None:
        """Change the rate."""
        self._rate_per_s = rate_per_s
        self._board.change_feed(rate_per_s=rate_per_s)
        if self._generator is not None:
            self._generator.send(SetRate(rate_per_s))

    def write(
        self, target: str, loaded: Loaded | None, broker: Broker | None, key: str | None, value: str
    ) -> None:
        """Write one record by hand."""
        if loaded is None or broker is None or not broker.writable:
            why = "nothing is loaded" if loaded is None else "writes to this broker are not allowed"
            self._board.notice(f"the record was not written: {why}", "warning")
            return
        if self._writer is None:
            self._writer = self._hosts.spawn()
            self._writer.on_news = self._take_written
            self._writer.revision = self._board.revisions.running()
        self._writer.send(
            WriteRecord(
                target=target,
                bootstrap=broker.bootstrap,
                topic=loaded.plan.source.topics[0],
                format=loaded.plan.source.format,
                key=key,
                value=value,
                security=loaded.security.writing,
            )
        )

    def end(self) -> None:
        """Feed no more; the next :meth:`ensure` begins anew."""
        self._drop_generator()
        self._drop_writer()
        self._drop_ready()
        self._began = "", ""
        self._board.change_feed(running=False)

    def _take(self, host: LiveHost, news: HostNews) -> None:
        if isinstance(news, FeedProgress):
            self._board.change_feed(delivered=news.delivered)
        elif isinstance(news, FeedFinished):
            self._board.change_feed(delivered=news.delivered, running=False, problem=news.failure)
            self._drop_generator()
        elif isinstance(news, HostEnded):
            problem = host.ending(self._board.target, news)
            self._board.change_feed(running=False, problem=problem)
            self._drop_generator()

    def _take_written(self, host: LiveHost, news: HostNews) -> None:
        if isinstance(news, RecordWritten):
            if news.problem is None:
                self._board.notice("the record was written")
            else:
                self._board.notice(f"the record was not written: {news.problem.message}", "error")
        elif isinstance(news, HostEnded):
            problem = host.ending(self._board.target, news)
            self._board.notice(f"the record was not written: {problem.message}", "error")
            self._drop_writer()

    def _drop_generator(self) -> None:
        if self._generator is not None:
            self._hosts.retire(self._generator)
            self._generator = None

    def _drop_writer(self) -> None:
        if self._writer is not None:
            self._hosts.retire(self._writer)
            self._writer = None

    def _drop_ready(self) -> None:
        if self._ready is not None:
            self._hosts.retire(self._ready)
            self._ready = None
