"""A fake image registry on loopback: it serves one image, or fails in a way that is chosen."""

from __future__ import annotations

import hashlib
import json
import re
import threading
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
_CONFIG = "application/vnd.docker.container.image.v1+json"
_LAYER = "application/vnd.docker.image.rootfs.diff.tar"
_CHUNK_BYTES = 64 * 1024
_SLOW_PAUSE_S = 0.1


class FakeRegistry:
    """Serves the image `REPOSITORY:1` as an engine asks for it.

    Args:
        layer: The image's only layer, a tar.
        failure: What it answers to everything instead: an HTTP status with a code in the words of
            registries, or `hang` for nothing.
        slow: Whether it sends the layer at about 0.6 MB/s.
    """

    def __init__(
        self,
        layer: bytes = b"",
        *,
        failure: tuple[HTTPStatus, str] | str | None = None,
        slow: bool = False,
    ) -> None:
        config = json.dumps(
            {
                "architecture": "amd64",
                "os": "linux",
                "config": {"Cmd": ["/etc/kafka/docker/run"]},
                "rootfs": {"type": "layers", "diff_ids": [_digest(layer)]},
            }
        ).encode()
        self.blobs = {_digest(blob): blob for blob in (layer, config)}
        self.manifest = json.dumps(
            {
                "schemaVersion": 2,
                "mediaType": _MANIFEST,
                "config": _described(_CONFIG, config),
                "layers": [_described(_LAYER, layer)],
            }
        ).encode()
        self.failure = failure
        self.slow = slow
        self.sent_bytes = 0
        """Of layers and configurations."""
        self.broken_off = threading.Event()
        """Set when an engine closed the connection before it had everything."""
        self.closing = threading.Event()
        self._server = _Server(self)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    @property
    def image(self) -> str:
        """The image's name for an engine on this machine."""
        return f"127.0.0.1:{self._server.server_port}/loom-bench-test/pulled:1"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.closing.set()
        self._server.shutdown()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self, registry: FakeRegistry) -> None:
        self.registry = registry
        super().__init__(("127.0.0.1", 0), _Handler)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: an engine that tries TLS first, or breaks off, is no fault."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._answer(with_body=True)

    def do_HEAD(self) -> None:
        self._answer(with_body=False)

    def log_message(self, format: str, *arguments: Any) -> None:  # noqa: A002 - as the base has it
        """Print nothing."""

    @property
    def _registry(self) -> FakeRegistry:
        assert isinstance(self.server, _Server)
        return self.server.registry

    def _answer(self, *, with_body: bool) -> None:
        registry = self._registry
        if registry.failure == "hang":
            registry.closing.wait(60)
            self.close_connection = True
        elif isinstance(registry.failure, tuple):
            status, code = registry.failure
            problem = {"errors": [{"code": code, "message": code.lower().replace("_", " ")}]}
            self._send(status, "application/json", json.dumps(problem).encode(), with_body)
        elif self.path == "/v2/":
            self._send(HTTPStatus.OK, "application/json", b"{}", with_body)
        elif "/manifests/" in self.path:
            self._send(HTTPStatus.OK, _MANIFEST, registry.manifest, with_body)
        elif found := re.search(r"/blobs/(sha256:[0-9a-f]+)$", self.path):
            blob = registry.blobs[found[1]]
            self._send(HTTPStatus.OK, "application/octet-stream", blob, with_body)

    def _send(self, status: HTTPStatus, kind: str, body: bytes, with_body: bool) -> None:
        registry = self._registry
        self.send_response(status)
        self.send_header("Docker-Distribution-Api-Version", "registry/2.0")
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Docker-Content-Digest", _digest(body))
        self.end_headers()
        if not with_body:
            return
        for start in range(0, len(body), _CHUNK_BYTES):
            try:
                self.wfile.write(body[start : start + _CHUNK_BYTES])
            except OSError:
                registry.broken_off.set()
                raise
            if kind == "application/octet-stream":
                registry.sent_bytes += _CHUNK_BYTES
                if registry.slow and registry.closing.wait(_SLOW_PAUSE_S):
                    return


def _digest(blob: bytes) -> str:
    return f"sha256:{hashlib.sha256(blob).hexdigest()}"


def _described(kind: str, blob: bytes) -> dict[str, Any]:
    return {"mediaType": kind, "size": len(blob), "digest": _digest(blob)}
