"""Fetches records for the inbox on a thread of its own."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping
from queue import SimpleQueue

from loom_bench.broker.contract import BrokerError
from loom_bench.broker.fetching import RecordFetcher
from loom_bench.broker.place import RecordPlace
from loom_bench.broker.reading import TopicRecord
from loom_bench.protocol.security import ClientSettings

Found = Mapping[RecordPlace, TopicRecord | None]
"""Records by place; ``None`` where there is none any more."""

Then = Callable[[Found | BrokerError], None]
"""Called, on the thread that fetches, with what was found or why nothing was."""


class Records:
    """Fetches records by place, one request after the other.

    Args:
        bootstrap: The broker's addresses.
        security: How to log in there.
    """

    def __init__(self, bootstrap: str, security: ClientSettings | None = None) -> None:
        self._bootstrap = bootstrap
        self._security = security
        self._requests: SimpleQueue[tuple[tuple[RecordPlace, ...], Then] | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="fetch-records", daemon=True)
        self._thread.start()

    def fetch(self, places: Iterable[RecordPlace], then: Then) -> None:
        """Fetch records; returns at once."""
        self._requests.put((tuple(places), then))

    def close(self) -> None:
        """End after the request under way."""
        self._requests.put(None)
        self._thread.join()

    def _run(self) -> None:
        fetcher: RecordFetcher | None = None
        while (request := self._requests.get()) is not None:
            places, then = request
            try:
                fetcher = fetcher or RecordFetcher(self._bootstrap, self._security)
                found: Found | BrokerError = dict(fetcher.fetch(places))
            except BrokerError as error:
                found = error
                if fetcher is not None:
                    fetcher.close()
                    fetcher = None
            then(found)
        if fetcher is not None:
            fetcher.close()
