"""Who uses a store: one run, which may be several processes of one cluster.

Every process keeps an ``flock`` for the life of its run; the kernel releases it whatever way the
process ends. Deciding who prepares the store happens under one more lock, held briefly.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import monotonic, sleep, time
from typing import Final, TypeVar

import msgspec

from loom_runtime.recovery.errors import StoreBusyError, StoreUnreachableError

GATE_FILE: Final = "loom-store.lock"
_LEASE_PATTERN: Final = "loom-run-*.lock"
_POLL_S: Final = 0.02

ContentT = TypeVar("ContentT")


class Holder(msgspec.Struct, frozen=True, kw_only=True):
    """Who holds a lock, as its file says.

    Attributes:
        pid: Process id.
        started_at_ms: When it took the lock, milliseconds since 1970.
        cluster: Names the cluster; empty for a run of one process.
        process_id: Index of the process in its cluster.
    """

    pid: int
    started_at_ms: int
    cluster: str
    process_id: int


class _Run(msgspec.Struct, frozen=True, kw_only=True):
    """The newest run of the store, kept in the gate's file.

    ``joined`` tells a process that starts with its cluster from one that starts again while the
    others still run: the first may trust what was prepared, the second may not. Bytewax begins
    when every process is there, so until then nothing has changed and anyone may come again.
    """

    cluster: str
    joined: tuple[int, ...]
    gatekeeper: Holder


@dataclass(frozen=True)
class Claim:
    """A process that wants the store.

    Attributes:
        db_dir: The store's folder.
        cluster: Names the cluster; empty for a run of one process.
        process_id: Index of the process in its cluster.
        processes: How many processes make up the run.
        timeout_s: How long to wait for others that are about to finish.
    """

    db_dir: Path
    cluster: str
    process_id: int
    processes: int
    timeout_s: float

    @property
    def holder(self) -> Holder:
        """What the lock's file is to say of this process."""
        return Holder(
            pid=os.getpid(),
            started_at_ms=int(time() * 1000),
            cluster=self.cluster,
            process_id=self.process_id,
        )


def cluster_name(addresses: Sequence[str] | None) -> str:
    """Return the name that the processes of one cluster share; empty outside a cluster."""
    if addresses is None:
        return ""
    return hashlib.sha256("\n".join(addresses).encode()).hexdigest()[:16]


class Lease:
    """The right to use a store until :meth:`release`.

    Attributes:
        first: Whether this process is the first of its run, which prepares the store.
    """

    def __init__(self, descriptor: int, gate: int, *, first: bool) -> None:
        self._descriptor = descriptor
        self._gate: int | None = gate
        self.first = first

    def open_gate(self) -> None:
        """Let the cluster's other processes in: the store is prepared."""
        if self._gate is not None:
            os.close(self._gate)
            self._gate = None

    def release(self) -> None:
        """Give the store up."""
        self.open_gate()
        os.close(self._descriptor)


@contextmanager
def leased(claim: Claim) -> Iterator[Lease]:
    """Hold the store of *claim* until the context is left.

    On entry the gate is closed for the others, until :meth:`Lease.open_gate`.

    Raises:
        StoreBusyError: When another run uses the store, or processes of this cluster's last run
            have not ended in time.
        StoreUnreachableError: When the file system knows no locks.
    """
    lease = _take(claim)
    try:
        yield lease
    finally:
        lease.release()


def _take(claim: Claim) -> Lease:
    deadline = monotonic() + claim.timeout_s
    while True:
        gate = _gate(claim, deadline)
        try:
            lease = _enter(claim, gate)
            if lease is not None:
                return lease
            holders = _holders(claim.db_dir)
        except BaseException:
            os.close(gate)
            raise
        os.close(gate)
        ours = bool(claim.cluster) and all(each.cluster == claim.cluster for each in holders)
        if not ours or monotonic() >= deadline:
            raise _busy(claim, holders, ours=ours)
        sleep(_POLL_S)


def _enter(claim: Claim, gate: int) -> Lease | None:
    """Return the lease, or ``None`` while others have to end first."""
    holders = _holders(claim.db_dir)
    run = _read(gate, _Run)
    joined: tuple[int, ...] = ()
    if holders:
        same = all(each.cluster == claim.cluster != "" for each in holders)
        if not same or run is None or run.cluster != claim.cluster:
            return None
        if len(run.joined) == claim.processes:
            return None
        joined = run.joined
    descriptor = _open(claim.db_dir / f"loom-run-{claim.process_id}.lock")
    try:
        if not _locked(descriptor, claim.db_dir):
            os.close(descriptor)
            return None
        _write(descriptor, claim.holder)
        _write(
            gate,
            _Run(
                cluster=claim.cluster,
                joined=tuple({*joined, claim.process_id}),
                gatekeeper=claim.holder,
            ),
        )
    except BaseException:
        os.close(descriptor)
        raise
    return Lease(descriptor, gate, first=not joined)


def _gate(claim: Claim, deadline: float) -> int:
    """Return the descriptor of the gate, locked."""
    descriptor = _open(claim.db_dir / GATE_FILE)
    try:
        while not _locked(descriptor, claim.db_dir):
            _check_deadline(claim, deadline, descriptor)
            sleep(_POLL_S)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def _check_deadline(claim: Claim, deadline: float, gate: int) -> None:
    if monotonic() >= deadline:
        run = _read(gate, _Run)
        who = "" if run is None else f" (process {run.gatekeeper.pid})"
        raise StoreBusyError(
            f"another run{who} has been preparing the store for {claim.timeout_s:g} s",
            where=str(claim.db_dir),
            what_next="wait until it has started, or end it",
        )


def _holders(db_dir: Path) -> list[Holder]:
    """Return the processes that hold a lease now."""
    found = []
    for path in sorted(db_dir.glob(_LEASE_PATTERN)):
        descriptor = _open(path)
        try:
            if not _locked(descriptor, db_dir):
                unknown = Holder(pid=0, started_at_ms=0, cluster="?", process_id=0)
                found.append(_read(descriptor, Holder) or unknown)
        finally:
            os.close(descriptor)
    return found


def _busy(claim: Claim, holders: list[Holder], *, ours: bool) -> StoreBusyError:
    pids = ", ".join(str(each.pid) for each in holders) or "unknown"
    if ours:
        return StoreBusyError(
            "processes of this cluster's last run still use the store "
            f"{claim.timeout_s:g} s later: process {pids}",
            where=str(claim.db_dir),
            what_next="end them, then start every process of the cluster again: a cluster resumes "
            "as a whole",
        )
    dead = [each.pid for each in holders if not _alive(each.pid)]
    return StoreBusyError(
        f"the recovery store is in use by another run: process {pids}",
        where=str(claim.db_dir),
        what_next=f"process {dead[0]} has ended, but one that it forked lives on: end that"
        if dead
        else "stop that run first, or give this one a db_dir of its own",
    )


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        return True
    return True


def _open(path: Path) -> int:
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)


def _locked(descriptor: int, db_dir: Path) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        raise StoreUnreachableError(
            f"the file system knows no locks: {error}",
            where=str(db_dir),
            what_next="put db_dir on a local disk",
        ) from error
    return True


def _read(descriptor: int, kind: type[ContentT]) -> ContentT | None:
    try:
        return msgspec.json.decode(os.pread(descriptor, 65_536, 0), type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None


def _write(descriptor: int, content: msgspec.Struct) -> None:
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, msgspec.json.encode(content), 0)
