"""Which benches have a flow open: each holds a lock on a file of its own as long as it lives."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import secrets
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from loom_bench.session.live.sources import module_path

_FOLDER = "loom-bench-open-"
_SUFFIX = ".open"
_ATTEMPTS = 10
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
        open_benches(target)  # sweeps what is void
        self._file, self._lock = _own_file(f"{_place(target)}-{secrets.token_hex(8)}{_SUFFIX}")
        mine = OpenBench(pid=os.getpid(), since_ms=time.time_ns() // 1_000_000, broker=broker)
        os.write(self._lock, msgspec.json.encode(mine))

    def release(self) -> None:
        """Say that this process is done with the flow."""
        with contextlib.suppress(OSError):
            self._file.unlink()
        os.close(self._lock)
        _remove_if_empty(_folder())


def open_benches(target: str) -> tuple[OpenBench, ...]:
    """Return the benches that have the flow open, the one that opened it first at the start.

    What benches that were killed have claimed, of any flow, is removed.
    """
    folder, place = _folder(), _place(target)
    held = [found for file in folder.glob("*" + _SUFFIX) for found in _held(file, place)]
    _remove_if_empty(folder)
    return tuple(sorted(held, key=lambda bench: bench.since_ms))


def others_on(target: str) -> tuple[OpenBench, ...]:
    """Return the benches that have the flow open, this process left out."""
    return tuple(bench for bench in open_benches(target) if bench.pid != os.getpid())


def told_of_others(others: Sequence[OpenBench]) -> str:
    """Return a sentence about the benches that have the same flow open, or nothing."""
    if not others:
        return ""
    first = others[0]
    since = time.strftime("%H:%M", time.localtime(first.since_ms / 1000))
    more = f" and {len(others) - 1} more" if len(others) > 1 else ""
    return (
        f"This flow is open in another bench, too: process {first.pid} since {since}, "
        f"broker {first.broker}{more}."
    )


def _own_file(name: str) -> tuple[Path, int]:
    """Make a file that this process has locked; returns its path and its descriptor.

    Raises:
        OSError: When that is not possible.
    """
    folder = _folder()
    file = folder / name
    for _ in range(_ATTEMPTS):
        folder.mkdir(mode=0o700, exist_ok=True)
        try:
            lock = os.open(file, _LOCK_FLAGS | os.O_CREAT | os.O_EXCL, 0o600)
        except FileNotFoundError:  # a bench that was the last to leave has removed the folder
            continue
        fcntl.flock(lock, fcntl.LOCK_EX)
        if os.fstat(lock).st_nlink:
            return file, lock
        os.close(lock)  # it was not locked yet when another bench took it for one that is void
    raise FileNotFoundError(f"{folder} is removed again and again")


def _held(file: Path, place: str) -> Iterator[OpenBench]:
    """Yield whoever claims *place* by *file*; a void claim is removed, whatever it is about."""
    with contextlib.suppress(OSError, msgspec.DecodeError):
        lock = os.open(file, _LOCK_FLAGS)
        try:
            if os.fstat(lock).st_uid != os.getuid():
                return
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            file.unlink()
        except BlockingIOError:
            if file.name.startswith(place):
                yield msgspec.json.decode(os.read(lock, 10_000), type=OpenBench)
        finally:
            os.close(lock)


def _remove_if_empty(folder: Path) -> None:
    with contextlib.suppress(OSError):
        folder.rmdir()


def _folder() -> Path:
    return Path(tempfile.gettempdir()) / f"{_FOLDER}{os.getuid()}"


def _place(target: str) -> str:
    """Return what the names of all claims of a flow begin with."""
    attribute = target.rpartition(".py:")[2] if ".py:" in target else ""
    place = f"{module_path(target).resolve()}\0{attribute}"
    return hashlib.sha256(place.encode("utf-8", "surrogateescape")).hexdigest()[:16]
