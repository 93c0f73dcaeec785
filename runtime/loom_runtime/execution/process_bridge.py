"""The process's event loop, for the nodes that run coroutines."""

from __future__ import annotations

from threading import Lock

from loom_runtime.async_bridge import AsyncBridge, build_backend_options
from loom_runtime.config.runtime import BytewaxRuntimeConfig


class BridgeOfProcess:
    """The process's event loop, made when the first ``WithAsync`` asks for it."""

    def __init__(self, runtime: BytewaxRuntimeConfig) -> None:
        self._runtime = runtime
        self._lock = Lock()
        self._bridge: AsyncBridge | None = None

    def __call__(self) -> AsyncBridge:
        """Return the bridge."""
        with self._lock:
            if self._bridge is None:
                runtime = self._runtime
                self._bridge = AsyncBridge(
                    runtime.async_backend,
                    build_backend_options(runtime.async_backend, runtime.use_uvloop),
                    runtime.force_shutdown_timeout_ms,
                )
            return self._bridge

    def shutdown(self) -> None:
        """Stop the event loop."""
        if self._bridge is not None:
            self._bridge.shutdown()
