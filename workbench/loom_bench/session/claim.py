"""Which benches have a flow open: each holds a lock on a file of its own as long as it lives."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import secrets
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec

from loom_bench.session.live.sources import module_path

_FOLDER = "loom-bench-open-"
_SUFFIX = ".open"
_LOCK_FLAGS = os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC


class OpenBench(msgspec.Struct, frozen=True, kw_only=True):
    """A bench that has a flow open.

    Attributes:
        pid: Its process.
        since_ms: When it opened the flow, milliseconds since the Unix epoch.
        broker: The broker it was told to use.
    """

    pid: int
    since_ms: int
    broker: str


class Claim:
    """Says that this process has a flow open, until it is released or the process ends.

    Args:
        target: Path of the flow's module, with ``:ATTRIBUTE`` when it has several flows.
        broker: The broker that is used.

    Raises:
        OSError: When the folder of claims cannot be written.
    """

    def __init__(self, target: str, broker: str) -> None:
        folder = _folder(target)
        folder.parent.mkdir(mode=0o700, exist_ok=True)
        folder.mkdir(mode=0o700, exist_ok=True)
        self._file = folder / (secrets.token_hex(8) + _SUFFIX)
        self._lock = os.open(self._file, _LOCK_FLAGS | os.O_CREAT | os.O_EXCL, 0o600)
        fcntl.flock(self._lock, fcntl.LOCK_EX)
        mine = OpenBench(pid=os.getpid(), since_ms=time.time_ns() // 1_000_000, broker=broker)
        os.write(self._lock, msgspec.json.encode(mine))

    def release(self) -> None:
        """Say that this process is done with the flow."""
        with contextlib.suppress(OSError):
            self._file.unlink()
        os.close(self._lock)


def open_benches(target: str) -> tuple[OpenBench, ...]:
    """Return the benches that have the flow open, the one that opened it first at the start.

    Claims of benches that were killed are removed.
    """
    return tuple(sorted(_held(_folder(target)), key=lambda bench: bench.since_ms))


def _held(folder: Path) -> Iterator[OpenBench]:
    for file in folder.glob("*" + _SUFFIX):
        with contextlib.suppress(OSError, msgspec.DecodeError):
            lock = os.open(file, _LOCK_FLAGS)
            try:
                if os.fstat(lock).st_uid != os.getuid():
                    continue
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                file.unlink()
            except BlockingIOError:
                yield msgspec.json.decode(os.read(lock, 10_000), type=OpenBench)
            finally:
                os.close(lock)


def _folder(target: str) -> Path:
    attribute = target.rpartition(".py:")[2] if ".py:" in target else ""
    place = f"{module_path(target).resolve()}\0{attribute}"
    digest = hashlib.sha256(place.encode("utf-8", "surrogateescape")).hexdigest()
    return Path(tempfile.gettempdir()) / f"{_FOLDER}{os.getuid()}" / digest[:16]
