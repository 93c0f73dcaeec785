"""Finds loopback ports that nobody listens on."""

import contextlib
import random
import socket

HOST = "127.0.0.1"

# Below the ports that systems lend to outgoing connections (Linux from 32,768, macOS from 49,152):
# there a probe can connect to itself and so take the port that it waits for.
_PORTS = range(20_000, 32_000)


def free_port() -> int:
    """A port of 127.0.0.1 that is free at this moment; another program may take it in the next."""
    while True:
        port = random.choice(_PORTS)  # noqa: S311 - no secret
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((HOST, port))
            return port
