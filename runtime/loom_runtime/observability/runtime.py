"""Who observes a run: lifecycle observers, spans, and the metrics that scrapes read."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from threading import Lock
from typing import TYPE_CHECKING, Any

from loom_runtime.model import LoomFrozenStruct
from loom_runtime.observability.events import LifecycleEvent, Scope
from loom_runtime.observability.metrics import RunMetrics
from loom_runtime.observability.settings import ObservabilityConfig, PrometheusSettings
from loom_runtime.trace_ids import generate_span_id, generate_trace_id

if TYPE_CHECKING:
    from loom_runtime.observability.scrape import ScrapeServer

LifecycleObserver = Callable[[LifecycleEvent], None]
"""Called with every event of the scopes it was added for, on the thread that emits it."""

MetricsSource = Callable[[], RunMetrics]
"""Returns a snapshot; called on the scrape server's threads."""


class Span(LoomFrozenStruct, frozen=True):
    """What is under way.

    Attributes:
        id: Identity that the span's events share, 16 hex digits.
        trace_id: Trace that it belongs to, 32 hex digits.
        correlation_id: Business interaction that it belongs to.
    """

    id: str
    trace_id: str
    correlation_id: str | None = None


_current: ContextVar[Span | None] = ContextVar("loom_span", default=None)


class ObservabilityRuntime:
    """Passes lifecycle events to observers and metrics to scrapes.

    Observers may be added, and events emitted, on any thread. An observer that raises never stops
    the flow: it is logged once for each type of exception, and counted.

    Args:
        observers: Called with every event.
        prometheus: Where :meth:`start_scrape_server` listens; ``None`` for nowhere.
    """

    def __init__(
        self,
        observers: Iterable[LifecycleObserver] = (),
        *,
        prometheus: PrometheusSettings | None = None,
    ) -> None:
        """Start with *observers*."""
        self._lock = Lock()
        self._observers: tuple[tuple[LifecycleObserver, frozenset[Scope]], ...] = ()
        self._scopes: frozenset[Scope] = frozenset()
        self._failures: Counter[tuple[str, str]] = Counter()
        self._sources: tuple[MetricsSource, ...] = ()
        self._prometheus = prometheus
        self._server: ScrapeServer | None = None
        for observer in observers:
            self.add_observer(observer)

    @classmethod
    def noop(cls) -> ObservabilityRuntime:
        """Return one that nobody observes yet."""
        return cls()

    @classmethod
    def from_config(cls, config: ObservabilityConfig) -> ObservabilityRuntime:
        """Return one that logs and serves scrapes as *config* says."""
        runtime = cls(prometheus=config.prometheus)
        if config.log.enabled:
            from loom_runtime.observability.log_observer import (  # noqa: PLC0415 - structlog
                LogObserver,
            )

            runtime.add_observer(LogObserver(), scopes=config.log.scopes)
        return runtime

    @property
    def active(self) -> bool:
        """Whether anybody listens; without, events need not even be made."""
        return bool(self._observers)

    def listens_to(self, scope: Scope) -> bool:
        """Return whether anybody listens to *scope*."""
        return scope in self._scopes

    @property
    def observer_failures(self) -> dict[str, int]:
        """How often each observer raised, by its name."""
        totals: Counter[str] = Counter()
        for (observer, _), count in tuple(self._failures.items()):
            totals[observer] += count
        return dict(totals)

    def add_observer(
        self, observer: LifecycleObserver, *, scopes: Iterable[Scope] = tuple(Scope)
    ) -> Callable[[], None]:
        """Have *observer* called with the events of *scopes*; return what removes it again."""
        entry = (observer, frozenset(scopes))
        with self._lock:
            self._set_observers((*self._observers, entry))

        def remove() -> None:
            with self._lock:
                self._set_observers(tuple(one for one in self._observers if one is not entry))

        return remove

    def add_metrics_source(self, source: MetricsSource) -> Callable[[], None]:
        """Have scrapes read *source*; return what removes it again."""
        with self._lock:
            self._sources = (*self._sources, source)

        def remove() -> None:
            with self._lock:
                self._sources = tuple(one for one in self._sources if one is not source)

        return remove

    def emit(self, event: LifecycleEvent) -> None:
        """Pass *event* to everybody who listens to its scope."""
        for observer, scopes in self._observers:
            if event.scope in scopes:
                try:
                    observer(event)
                except Exception as error:  # noqa: BLE001 - an observer never stops the flow
                    self._count_failure("observer", observer, error)

    @contextmanager
    def span(
        self,
        scope: Scope,
        name: str,
        *,
        trace_id: str | None = None,
        correlation_id: str | None = None,
        **meta: Any,
    ) -> Iterator[Span]:
        """Emit a start event now, and an end or error event with the duration afterwards.

        A span inside another one inherits its trace and correlation ids, on the same thread or in
        a copy of its context.

        Args:
            scope: What the span is about.
            name: Name of the flow, node, topic or operation.
            trace_id: Trace that it belongs to; the enclosing span's, else a new one when ``None``.
            correlation_id: Business interaction; the enclosing span's when ``None``.
            **meta: Stands in the events' ``meta``.
        """
        outer = _current.get()
        span = Span(
            generate_span_id(),
            trace_id or (outer.trace_id if outer else generate_trace_id()),
            correlation_id or (outer.correlation_id if outer else None),
        )
        ids: dict[str, Any] = {
            "scope": scope,
            "name": name,
            "trace_id": span.trace_id,
            "correlation_id": span.correlation_id,
            "id": span.id,
            "meta": meta,
        }
        token = _current.set(span)
        started = time.perf_counter()
        try:
            if scope in self._scopes:
                self.emit(LifecycleEvent.start(**ids))
            yield span
        except BaseException as error:
            self.emit(
                LifecycleEvent.exception(
                    **ids, duration_ms=_since_ms(started), error=_text_of(error)
                )
            )
            raise
        else:
            if scope in self._scopes:
                self.emit(LifecycleEvent.end(**ids, duration_ms=_since_ms(started)))
        finally:
            _current.reset(token)

    def read_metrics(self) -> tuple[RunMetrics, ...]:
        """Return a snapshot of every source; one that raises is logged, counted and left out."""
        snapshots: list[RunMetrics] = []
        for source in self._sources:
            try:
                snapshots.append(source())
            except Exception as error:  # noqa: BLE001 - one source never hides the others
                self._count_failure("metrics source", source, error)
        return tuple(snapshots)

    def start_scrape_server(self) -> int | None:
        """Serve metrics where the configuration says, and return the port.

        Returns:
            The port that it listens on, the same one the second time; ``None`` when scraping is
            not configured.

        Raises:
            ScrapeServerError: When it cannot listen there, for one because the port is in use.
        """
        if self._prometheus is None or not self._prometheus.enabled:
            return None
        from loom_runtime.observability.scrape import ScrapeServer  # noqa: PLC0415 - loads late

        with self._lock:
            if self._server is None:
                self._server = ScrapeServer(
                    self._prometheus, self.read_metrics, lambda: self.observer_failures
                )
            return self._server.port

    def close(self) -> None:
        """Stop the scrape server; does nothing without one."""
        with self._lock:
            server, self._server = self._server, None
        if server is not None:
            server.close()

    def _set_observers(
        self, observers: tuple[tuple[LifecycleObserver, frozenset[Scope]], ...]
    ) -> None:
        self._observers = observers
        self._scopes = frozenset(scope for _, scopes in observers for scope in scopes)

    def _count_failure(self, role: str, observer: Callable[..., Any], error: Exception) -> None:
        name = _name_of(observer)
        with self._lock:
            key = (name, type(error).__qualname__)
            self._failures[key] += 1
            first = self._failures[key] == 1
        if first:
            _log_failure(role, name, error)


def _log_failure(role: str, name: str, error: Exception) -> None:
    import structlog  # noqa: PLC0415 - needed only when something goes wrong

    with suppress(Exception):  # the log may be what failed: a closed pipe, a full disk
        structlog.get_logger(__name__).error(
            f"{role} failed; the flow goes on. Further {type(error).__qualname__} of it are "
            "counted and not logged",
            observer=name,
            exc_info=error,
        )


def _since_ms(started: float) -> float:
    return (time.perf_counter() - started) * 1000


def _text_of(error: BaseException) -> str:
    return f"{type(error).__qualname__}: {error}"


def _name_of(observer: Callable[..., Any]) -> str:
    named = observer if hasattr(observer, "__qualname__") else type(observer)
    return f"{named.__module__}.{named.__qualname__}"
