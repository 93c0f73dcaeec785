"""The HTTP server that Prometheus scrapes."""

from __future__ import annotations

import errno
import socket
from collections.abc import Callable, Iterable
from socketserver import TCPServer, ThreadingMixIn
from threading import Thread
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

from prometheus_client import CollectorRegistry, ProcessCollector, make_wsgi_app

from loom_runtime.failures import RunError
from loom_runtime.observability.metrics import RunMetrics
from loom_runtime.observability.prometheus import RunMetricsCollector
from loom_runtime.observability.settings import PrometheusSettings

_POLL_S = 0.1
"""How often the server looks whether it was told to stop."""


class ScrapeServerError(RunError):
    """The scrape server could not listen."""


class ScrapeServer:
    """Serves the metrics of this process until it is closed.

    Args:
        settings: Where to listen.
        read_runs: Returns a snapshot of every run; called once a scrape.
        read_observer_failures: Returns how often each observer raised.

    Raises:
        ScrapeServerError: When it cannot listen there.
    """

    def __init__(
        self,
        settings: PrometheusSettings,
        read_runs: Callable[[], Iterable[RunMetrics]],
        read_observer_failures: Callable[[], dict[str, int]],
    ) -> None:
        """Bind, then serve on a daemon thread."""
        registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        registry.register(RunMetricsCollector(read_runs, read_observer_failures))
        self._server = _bound(settings)
        self._server.set_app(make_wsgi_app(registry))
        self._thread = Thread(
            target=self._server.serve_forever,
            args=(_POLL_S,),
            name="loom-scrape-server",
            daemon=True,
        )
        self._thread.start()

    @property
    def port(self) -> int:
        """Port that it listens on."""
        return self._server.server_port

    def close(self) -> None:
        """Stop serving and free the port."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True

    def server_bind(self) -> None:
        """Bind without asking DNS for the host's name, as the standard server would."""
        TCPServer.server_bind(self)
        self.server_name, self.server_port = self.server_address[:2]  # type: ignore[assignment]
        self.setup_environ()


class _Server6(_Server):
    address_family = socket.AF_INET6


class _Handler(WSGIRequestHandler):
    timeout = 10
    """Seconds after which a client that sends nothing is let go."""

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base's name
        """Log nothing: scrapes come every few seconds."""


def _bound(settings: PrometheusSettings) -> _Server:
    server_class = _Server6 if ":" in settings.bind_address else _Server
    try:
        return server_class((settings.bind_address, settings.port), _Handler)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            what = f"port {settings.port} on {settings.bind_address} is in use"
            what_next = "stop what uses it, or set another port; 0 takes a free one"
        elif error.errno == errno.EACCES:
            what = f"this user may not listen on port {settings.port}"
            what_next = "set a port of 1024 or above; 0 takes a free one"
        else:
            what = f"cannot listen on {settings.bind_address}: {error.strerror or error}"
            what_next = "set bind_address to an address of this machine, such as 127.0.0.1"
        raise ScrapeServerError(
            f"the Prometheus scrape server did not start: {what}",
            where="observability.prometheus",
            what_next=what_next,
        ) from error
