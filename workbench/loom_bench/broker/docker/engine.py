"""Whether a Docker engine can be there, seen without Docker's SDK and at once.

The SDK takes about 0.4 s to import; a socket file that is missing shows in microseconds.
"""

from __future__ import annotations

import contextlib
import grp
import hashlib
import ipaddress
import json
import os
import socket
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from loom_bench.broker.contract import BrokerError

DEFAULT_HOST: Final = "unix:///var/run/docker.sock"

_OTHERWISE = "or use --broker embedded"
_CONNECT_TIMEOUT_S = 1.0


class NoEngineError(BrokerError):
    """No Docker engine can be used from here."""


def look_for_engine() -> str:
    """Return the address of the engine that seems to be there. It may still hang.

    Raises:
        NoEngineError: there is none, or none that can be used.
    """
    address = engine_address()
    check_usable(address)
    if address.startswith("unix://"):
        _knock(address.removeprefix("unix://"))
    return address


def engine_address() -> str:
    """The address that Docker's own tools would use: DOCKER_HOST, the chosen context's, or the
    default."""
    return os.environ.get("DOCKER_HOST") or _context_address() or DEFAULT_HOST


def check_usable(address: str) -> None:
    """Raise NoEngineError when ports that the engine opens on loopback are not ours."""
    scheme, host = urlsplit(address).scheme, urlsplit(address).hostname or ""
    if scheme == "ssh" or (scheme in ("tcp", "http", "https") and not _is_loopback(host)):
        raise NoEngineError(
            "the Docker engine runs on another machine, and its containers' loopback ports "
            "cannot be reached from here",
            address,
            f"Unset DOCKER_HOST or choose a local context, {_OTHERWISE}.",
        )


def absent(where: str) -> NoEngineError:
    """There is no socket."""
    return NoEngineError(
        "there is no Docker engine: its socket does not exist",
        where,
        f"Install or start Docker, {_OTHERWISE}.",
    )


def not_running(where: str) -> NoEngineError:
    """There is a socket, and nobody listens."""
    return NoEngineError(
        "the Docker engine is not running: nothing listens on its socket",
        where,
        f"Start Docker, {_OTHERWISE}.",
    )


def not_permitted(where: str) -> NoEngineError:
    """The socket belongs to others."""
    group = "docker"
    with contextlib.suppress(OSError, KeyError):
        group = grp.getgrgid(Path(where.removeprefix("unix://")).stat().st_gid).gr_name
    return NoEngineError(
        "you have no permission to use the Docker engine",
        where,
        f"Join the group that may (sudo usermod -aG {group} $USER, then log in again), "
        f"{_OTHERWISE}.",
    )


def hanging(where: str, after_s: float) -> NoEngineError:
    """It accepts and does not answer."""
    return NoEngineError(
        f"the Docker engine hangs: it did not answer within {after_s:g} s",
        where,
        f"Restart Docker, {_OTHERWISE}.",
    )


def not_an_engine(where: str, reason: str) -> NoEngineError:
    """Something else answers."""
    return NoEngineError(
        f"what answers there is no Docker engine that can be used: {reason}",
        where,
        f"Correct DOCKER_HOST, {_OTHERWISE}.",
    )


def _knock(path: str) -> None:
    where = f"unix://{path}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as knocking:
        knocking.settimeout(_CONNECT_TIMEOUT_S)
        try:
            knocking.connect(path)
        except FileNotFoundError:
            raise absent(where) from None
        except ConnectionRefusedError:
            raise not_running(where) from None
        except PermissionError:
            raise not_permitted(where) from None
        except (BlockingIOError, TimeoutError):
            raise hanging(where, _CONNECT_TIMEOUT_S) from None
        except OSError as error:
            raise not_an_engine(where, str(error)) from None


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _context_address() -> str | None:
    folder = Path(os.environ.get("DOCKER_CONFIG") or Path.home() / ".docker")
    try:
        name = os.environ.get("DOCKER_CONTEXT")
        if not name:
            name = json.loads((folder / "config.json").read_text())["currentContext"]
        digest = hashlib.sha256(name.encode()).hexdigest()
        described = json.loads((folder / "contexts" / "meta" / digest / "meta.json").read_text())
        address = described["Endpoints"]["docker"]["Host"]
    except (OSError, ValueError, LookupError, TypeError):
        return None
    return address if isinstance(address, str) and address else None
