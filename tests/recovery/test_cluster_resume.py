"""A Bytewax cluster of two processes on one store, killed and started again."""

from __future__ import annotations

import socket
from contextlib import ExitStack
from pathlib import Path

import msgspec

from loom_runtime.recovery.positions import read_positions
from tests.recovery.counting import Job, expected_counts
from tests.recovery.processes import counting, finish


def free_addresses(count: int) -> tuple[str, ...]:
    """Return loopback addresses that nobody listens on."""
    with ExitStack() as stack:
        bound = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in bound:
            each.bind(("127.0.0.1", 0))
        return tuple(f"127.0.0.1:{each.getsockname()[1]}" for each in bound)


def cluster(job: Job) -> list[Job]:
    """Return the job of each process."""
    addresses = free_addresses(2)
    return [
        msgspec.structs.replace(job, addresses=addresses, process_id=index) for index in range(2)
    ]


def test_counts_are_right_after_the_cluster_was_killed(tmp_path: Path) -> None:
    job = Job(db_dir=str(tmp_path / "store"), records=120, partitions=2, pause_s=0.003)
    for kill in range(3):
        with counting(*cluster(job)) as processes:
            assert processes[0].stdout is not None
            for _ in range(12 + 9 * kill):
                processes[0].stdout.readline()
    with counting(*cluster(job)) as processes:
        finals = [finish(process) for process in processes]
    assert [each.exit_code for each in finals] == [0, 0], [each.errors for each in finals]
    counts = finals[0].counts | finals[1].counts
    expected = expected_counts(job)
    assert counts
    assert counts == {key: expected[key] for key in counts}
    positions = read_positions(tmp_path / "store")
    assert {key: position.offset for key, position in positions.items()} == {
        "keys:0": 120,
        "keys:1": 120,
    }
