"""A fork lies in memory while it is replayed by record; it comes back whole or not at all."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from loom_bench.session.snapshots.in_memory import lent_memory


def fork_of(folder: Path) -> Path:
    fork = folder / "forks" / "mine"
    fork.mkdir(parents=True)
    (fork / "part-0.sqlite3").write_bytes(b"before")
    (fork / "part-0.sqlite3-wal").write_bytes(b"log")
    return fork


def test_what_the_copy_becomes_is_the_fork(tmp_path: Path) -> None:
    fork, memory = fork_of(tmp_path), tmp_path / "memory"
    memory.mkdir()
    with lent_memory(fork, memory) as lent:
        assert lent.is_relative_to(memory)
        assert lent.name == "mine"
        assert (lent / "part-0.sqlite3-wal").read_bytes() == b"log"
        (lent / "part-0.sqlite3").write_bytes(b"after")
        (lent / "part-0.sqlite3-wal").unlink()
    assert {path.name: path.read_bytes() for path in fork.iterdir()} == {"part-0.sqlite3": b"after"}
    assert list(memory.iterdir()) == []


def test_a_replay_that_fails_leaves_the_fork_as_it_was(tmp_path: Path) -> None:
    fork, memory = fork_of(tmp_path), tmp_path / "memory"
    memory.mkdir()

    def failing() -> None:
        with lent_memory(fork, memory) as lent:
            (lent / "part-0.sqlite3").write_bytes(b"half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        failing()
    assert (fork / "part-0.sqlite3").read_bytes() == b"before"
    assert list(memory.iterdir()) == []


def test_without_memory_it_stays_where_it_is(tmp_path: Path) -> None:
    fork = fork_of(tmp_path)
    with lent_memory(fork, tmp_path / "none") as lent:
        assert lent == fork


def test_what_a_killed_bench_left_is_removed(tmp_path: Path) -> None:
    fork, memory = fork_of(tmp_path), tmp_path / "memory"
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    left = memory / f"loom-replay-{dead.pid}-abc"
    other = memory / f"loom-replay-{os.getpid()}-abc"
    for each in (left, other):
        each.mkdir(parents=True)
    with lent_memory(fork, memory):
        assert not left.exists()
    assert other.exists()
