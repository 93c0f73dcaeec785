"""A process that prepares a store and keeps it: ``python -m tests.recovery.occupant``.

It writes one line of JSON, what it was told, and goes when its standard input ends.
"""

from __future__ import annotations

import os
import resource
import signal
import sys
from pathlib import Path

import msgspec
from bytewax.recovery import init_db_dir

from loom_runtime.recovery.errors import StoreError
from loom_runtime.recovery.store import StoreReport, prepare_store
from tests.recovery.stores import IDENTITY


class Order(msgspec.Struct, kw_only=True):
    """What the process does.

    Attributes:
        db_dir: The store.
        addresses: Addresses of a cluster.
        process_id: Index in it.
        wait_s: How long to wait for others, seconds.
        dies_creating: Whether it kills itself when a part file is there and the others are not.
        largest_file_bytes: Limit of what it may write to one file.
        creations: File that gets a line for each creation.
        flow: Name of the flow.
        forks: Whether it forks a child that outlives it, and dies itself.
    """

    db_dir: str
    addresses: tuple[str, ...] | None = None
    process_id: int | None = None
    wait_s: float = 5.0
    dies_creating: bool = False
    largest_file_bytes: int | None = None
    creations: str | None = None
    flow: str = IDENTITY.flow
    forks: bool = False


class Answer(msgspec.Struct, kw_only=True):
    """What came of it.

    Attributes:
        pid: The process.
        report: The report of a store that is ready.
        error: Name of the error's class.
        text: Its text.
        child: Process id of a forked child.
    """

    pid: int
    report: StoreReport | None = None
    error: str = ""
    text: str = ""
    child: int | None = None


def occupy(order: Order) -> None:
    """Follow *order*."""
    if order.largest_file_bytes is not None:
        resource.setrlimit(
            resource.RLIMIT_FSIZE, (order.largest_file_bytes, resource.RLIM_INFINITY)
        )

    def initialise(db_dir: Path, partitions: int) -> None:
        if order.creations is not None:
            with Path(order.creations).open("a") as file:
                file.write("created\n")
        if order.dies_creating:
            init_db_dir(db_dir, 1)  # type: ignore[no-untyped-call]
            os.kill(os.getpid(), signal.SIGKILL)
        init_db_dir(db_dir, partitions)  # type: ignore[no-untyped-call]

    try:
        with prepare_store(
            Path(order.db_dir),
            msgspec.structs.replace(IDENTITY, flow=order.flow),
            partitions=3,
            initialise=initialise,
            addresses=order.addresses,
            process_id=order.process_id,
            wait_s=order.wait_s,
        ) as report:
            child = None
            if order.forks:
                child = os.fork()
            if child == 0:
                os.close(1)
                sys.stdin.read()
                os._exit(0)
            tell(Answer(pid=os.getpid(), report=report, child=child))
            if child is not None:
                os._exit(0)
            sys.stdin.read()
    except StoreError as error:
        tell(Answer(pid=os.getpid(), error=type(error).__name__, text=str(error)))


def tell(answer: Answer) -> None:
    """Write *answer*."""
    os.write(1, b"ANSWER " + msgspec.json.encode(answer) + b"\n")


if __name__ == "__main__":
    occupy(msgspec.json.decode(sys.argv[1], type=Order))
