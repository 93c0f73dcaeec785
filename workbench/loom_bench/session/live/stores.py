"""Where the bench keeps a flow's state, and whether a revision can read what is there."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import shutil
import tempfile
from pathlib import Path

import msgspec

from loom_bench.broker.contract import Broker
from loom_bench.protocol.frames import Loaded
from loom_bench.session.envelopes.flow_view import InboxFlow
from loom_bench.session.live.sources import module_path
from loom_bench.session.value import StateConflict
from loom_runtime.recovery.difference import difference
from loom_runtime.recovery.identity import StoreIdentity, StoreStage, load_identity

_PREFIX = "loom-bench-state-"
_LOCK_FILE = "alive"
_NAME_CHARACTERS = 16


class Stores:
    """The recovery stores of one session.

    On a broker of the bench's own they are temporary: its positions mean nothing when it is gone.
    """

    def __init__(self) -> None:
        self._root: Path | None = None
        self._lock: int | None = None

    def folder(self, target: str, broker: Broker, loaded: Loaded) -> Path | None:
        """Return the folder of a flow's store on *broker*; ``None`` when it keeps no state."""
        name = store_name(target, broker.lasting or broker.bootstrap)
        if broker.lasting is None:
            folder = self._temporary() / name
        elif loaded.store is not None:
            return Path(loaded.store)
        else:
            folder = state_home() / name
        keeps_state = loaded.store is not None or bool(loaded.identity and loaded.identity.steps)
        return folder if keeps_state or folder.exists() else None

    def close(self) -> None:
        """Delete what is temporary."""
        if self._root is not None:
            shutil.rmtree(self._root, ignore_errors=True)
            self._root = None
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def _temporary(self) -> Path:
        if self._root is None:
            sweep()
            self._root = Path(tempfile.mkdtemp(prefix=_PREFIX))
            self._lock = os.open(self._root / _LOCK_FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC)
            fcntl.flock(self._lock, fcntl.LOCK_EX)
        return self._root


def state_home() -> Path:
    """Return the folder of stores that outlive a session."""
    given = os.environ.get("XDG_STATE_HOME")
    return Path(given or Path.home() / ".local" / "state") / "loom-bench" / "stores"


def triage_path(flow: InboxFlow) -> Path | None:
    """Return the file that the triage states of a flow are kept in; ``None`` on a broker whose
    topics end with the session: places in them mean nothing then."""
    if flow.lasting is None:
        return None
    return state_home().with_name("triage") / f"{store_name(flow.target, flow.lasting)}.sqlite"


def sweep() -> None:
    """Delete the temporary stores of sessions that were killed."""
    for folder in Path(tempfile.gettempdir()).glob(_PREFIX + "*"):
        with contextlib.suppress(OSError):
            if folder.stat().st_uid != os.getuid():
                continue
            lock = os.open(folder / _LOCK_FILE, os.O_RDWR | os.O_CLOEXEC)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(folder, ignore_errors=True)
            finally:
                os.close(lock)


def find_conflict(folder: Path | None, identity: StoreIdentity | None) -> StateConflict | None:
    """Return in what the state in *folder* does not fit a plan; ``None`` when it does.

    The revision's number is to be filled in.

    Raises:
        StoreError: When the store's identity cannot be read.
    """
    stored = None if folder is None else load_identity(folder)
    if stored is None or identity is None or stored.stage is not StoreStage.READY:
        return None
    before, after = stored.identity.steps, identity.steps
    gone = tuple(each for each in before if each not in after)
    new = tuple(each for each in after if each not in before)
    changed = tuple(
        each
        for each in before
        if each in after and not _reads(stored.identity, identity, each, each)
    )
    if not gone and not changed:
        return None
    return StateConflict(revision=0, gone=gone, new=new, changed=changed)


def _reads(stored: StoreIdentity, current: StoreIdentity, before: str, after: str) -> bool:
    """Return whether step *after* of *current* reads the state of step *before* of *stored*."""
    only_before = msgspec.structs.replace(
        current, topics=current.topics, steps={after: stored.steps[before]}
    )
    only_after = msgspec.structs.replace(current, steps={after: current.steps[after]})
    return not any(each.refused for each in difference(only_before, only_after))


def store_name(target: str, broker: str) -> str:
    """Return what is kept of a flow on *broker*, named as ever, is called in every session."""
    attribute = target.rpartition(".py:")[2] if ".py:" in target else ""
    path = module_path(target)
    place = "\0".join((str(path), attribute, broker))
    digest = hashlib.sha256(place.encode("utf-8", "surrogateescape")).hexdigest()
    return f"{path.stem}-{digest[:_NAME_CHARACTERS]}"
