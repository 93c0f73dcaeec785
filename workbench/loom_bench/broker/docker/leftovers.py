"""Who owns a container, and the clearing away of those whose owner is gone.

An owner keeps a lock on a file whose path the container's label tells; the kernel releases the lock
whatever way the owner ends. A process id would say less: benches in containers of their own see
other ids on the same engine.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import secrets
import tempfile
import time
from pathlib import Path
from typing import Any, Final

import docker.errors
from requests.exceptions import RequestException
from testcontainers.core.docker_client import DockerClient

OWNER_LABEL: Final = "loom-bench.owner"
KEEP_LABEL: Final = "loom-bench.keep"
"""Name that the container's data is kept under."""

_PREFIX = "loom-bench-container-"
# Whoever makes a container starts it at once.
_STALE_AFTER_S = 60.0
_NOT_STARTED = frozenset({"created", "exited", "dead"})


class Owner:
    """This process, as the owner of a container."""

    def __init__(self) -> None:
        self.token = secrets.token_hex(8)
        self.file = Path(tempfile.gettempdir()) / f"{_PREFIX}{self.token}.lock"
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        self._lock = os.open(self.file, flags, 0o600)
        fcntl.flock(self._lock, fcntl.LOCK_EX)

    def release(self) -> None:
        """Own nothing any more; the lock itself ends with the process."""
        with contextlib.suppress(OSError):
            self.file.unlink()


def sweep(client: DockerClient) -> None:
    """Remove containers, and lock files, of owners that are gone.

    A container that runs on kept data is left alone: without its owner it ends by itself, in order.
    """
    with contextlib.suppress(docker.errors.DockerException, RequestException):
        for container in client.client.containers.list(
            all=True, ignore_removed=True, filters={"label": OWNER_LABEL}
        ):
            kept = KEEP_LABEL in container.labels and container.status not in _NOT_STARTED
            if not kept and _is_left(container):
                with contextlib.suppress(docker.errors.APIError):
                    container.remove(force=True, v=True)
    for file in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*.lock"):
        if _is_free(file):
            with contextlib.suppress(OSError):
                file.unlink()


def has_owner(container: Any) -> bool:
    """Whether the owner of *container* still lives; False when that cannot be told."""
    return _is_free(Path(container.labels.get(OWNER_LABEL, ""))) is False


def _is_left(container: Any) -> bool:
    free = _is_free(Path(container.labels.get(OWNER_LABEL, "")))
    if free is not None:
        return free
    # A bench elsewhere, whose files are not seen here: what never started has nobody, in time.
    return container.status in _NOT_STARTED and _age_s(container) > _STALE_AFTER_S


def _is_free(file: Path) -> bool | None:
    """Whether nobody holds the lock; None when that cannot be told."""
    try:
        lock = os.open(file, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    else:
        return True
    finally:
        os.close(lock)


def _age_s(container: Any) -> float:
    created = str(container.attrs.get("Created", ""))[:19]
    try:
        made = time.mktime(time.strptime(created, "%Y-%m-%dT%H:%M:%S")) - time.timezone
    except ValueError:
        return 0.0
    return time.time() - made
