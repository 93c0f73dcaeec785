"""Makes a recovery store as large as asked for, as a run of a flow would have left it.

``python -m benchmarks.timetravel_store FOLDER KEYS EPOCHS`` makes one in a process of its own,
whose memory is nobody else's.
"""

from __future__ import annotations

import pickle
import random
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path

from bytewax.recovery import init_db_dir

from loom_runtime.model import LoomFrozenStruct
from loom_runtime.recovery.positions import encode_position
from loom_runtime.wire.state import encode_state

FLOW = "big"
STEP = "count"
FILES = 8

_INSERT = "INSERT INTO snaps (step_id, state_key, snap_epoch, ser_change) VALUES (?, ?, ?, ?)"
_BEGAN_MS = 1_700_000_000_000


class Seen(LoomFrozenStruct, frozen=True):
    """State of a key."""

    count: int
    total: float
    last: str = "x" * 20


def key_name(number: int) -> str:
    """Return the name of a key."""
    return f"key-{number:07d}"


def build_store(folder: Path, *, keys: int, epochs: int, seed: int = 1) -> None:
    """Make a store in which the first epoch writes every key and each later one a 55th of them."""
    folder.mkdir(parents=True)
    init_db_dir(folder, FILES)  # type: ignore[no-untyped-call]
    dice = random.Random(seed)
    with ExitStack() as stack:
        files = [
            stack.enter_context(
                closing(sqlite3.connect(folder / f"part-{index}.sqlite3", isolation_level=None))
            )
            for index in range(FILES)
        ]
        for file in files:
            file.execute("PRAGMA synchronous = OFF")
            file.execute("PRAGMA cache_size = -200000")
        for epoch in range(1, epochs + 1):
            touched = range(keys) if epoch == 1 else dice.sample(range(keys), keys // 55)
            _write_epoch(files, epoch, touched)
        files[0].execute("INSERT INTO exs (ex_num, worker_count, resume_epoch) VALUES (0, 1, 1)")
        files[1].execute(
            "INSERT INTO fronts (ex_num, worker_index, worker_frontier) VALUES (0, 0, ?)",
            (epochs + 1,),
        )
        for file in files:
            file.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def _write_epoch(files: list[sqlite3.Connection], epoch: int, touched: range | list[int]) -> None:
    for index, file in enumerate(files):
        file.execute("BEGIN")
        file.executemany(_INSERT, _rows(epoch, touched, index))
        if index == 0:
            position = encode_position(
                epoch * 1_000, at_ms=_BEGAN_MS + epoch * 1_000, revision="r1", epoch=epoch
            )
            file.execute(_INSERT, (f"{FLOW}.source", "t:0", epoch, pickle.dumps(position)))
        file.execute("COMMIT")


def _rows(
    epoch: int, touched: range | list[int], index: int
) -> Iterator[tuple[str, str, int, bytes]]:
    blob = pickle.dumps(encode_state(Seen(epoch, epoch * 1.5), "big.Seen"))
    for number in touched:
        if number % FILES == index:
            yield f"{FLOW}.{STEP}", key_name(number), epoch, blob


if __name__ == "__main__":
    build_store(Path(sys.argv[1]), keys=int(sys.argv[2]), epochs=int(sys.argv[3]))
