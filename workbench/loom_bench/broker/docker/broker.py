"""Kafka in a container, as the bench sees it: a process of ours that owns the container."""

from __future__ import annotations

import contextlib
import json
import queue
import sys
import threading
from typing import Any, Final, Literal

import msgspec

from loom_bench.broker.child import Child, package_environment
from loom_bench.broker.contract import BrokerError
from loom_bench.broker.docker.engine import look_for_engine
from loom_bench.broker.docker.options import DockerOptions
from loom_bench.broker.opening import Opening, OpeningCancelledError, OpeningStep
from loom_bench.broker.own_broker import OwnBroker

_MODULE: Final = "loom_bench.broker.docker.process"
_CANCELLED_WITHIN_S = 0.05

# Removing a container takes 0.1 to 0.3 s. Of an engine that takes longer nothing is waited for: the
# container ends with its standard input.
_END_S = 5.0


class DockerBroker(OwnBroker):
    """Kafka in a container that ends with this process, SIGKILL included."""

    kind: Literal["docker"] = "docker"

    def __init__(self, process: ContainerClient, options: DockerOptions) -> None:
        self._process = process
        self._options = options
        self.lasting = None if options.volume is None else f"docker volume {options.volume}"
        kept = "" if options.keep is None else f", its data kept as {options.keep!r}"
        self.reason = f"{options.image} in a container of the bench's own{kept}."
        self.limits: tuple[str, ...] = (
            ("Data ends with the broker; --docker-keep NAME keeps it.",)
            if options.keep is None
            else ()
        )

    @classmethod
    def start(
        cls, options: DockerOptions | None = None, opening: Opening | None = None
    ) -> DockerBroker:
        """Pull the image if the engine lacks it, start a container, wait until Kafka answers.

        Args:
            options: Which Kafka.
            opening: Told of every step; what it was begun for may be called off.

        Raises:
            NoEngineError: no engine can be used.
            OpeningCancelledError: it was called off.
            BrokerError: anything else that went wrong; nothing is left.
        """
        options, opening = options or DockerOptions(), opening or Opening()
        options.check()
        look_for_engine()
        process = ContainerClient(options, opening)
        try:
            process.await_ready()
        except BaseException:
            process.end()
            raise
        return cls(process, options)

    @property
    def bootstrap(self) -> str:
        """`127.0.0.1:PORT`."""
        return self._process.bootstrap

    @property
    def pid(self) -> int:
        """Process id of the process that owns the container."""
        return self._process.pid

    def alive(self) -> bool:
        """Whether the container runs."""
        return not self._process.ended.is_set()

    def memory_bytes(self) -> int | None:
        """Memory of the container in bytes, caches left out; None when it cannot be known."""
        return self._process.memory_bytes if self.alive() else None

    def output_tail(self) -> str:
        """The last lines that the container wrote, when it has ended."""
        return self._process.tail

    def stop(self) -> None:
        """Remove the container; one on kept data closes it in order, which goes on after this
        returns. May be called twice."""
        self._process.end()


class ContainerClient:
    """The bench's end of the process that owns the container.

    Args:
        options: Which Kafka.
        opening: Told of every step.

    Raises:
        BrokerError: the process could not be started.
    """

    def __init__(self, options: DockerOptions, opening: Opening) -> None:
        self.bootstrap = ""
        self.memory_bytes: int | None = None
        self.tail = ""
        self.ended = threading.Event()
        self._image = options.image
        self._opening = opening
        self._outcome: queue.SimpleQueue[BrokerError | str] = queue.SimpleQueue()
        command = [sys.executable, "-P", "-m", _MODULE, msgspec.json.encode(options).decode()]
        try:
            # Docker's and testcontainers' settings are in it: DOCKER_HOST, HOME, proxies.
            self._child = Child.start(command, env=package_environment())
        except OSError as error:
            raise _no_process(str(error)) from error
        self._reader = threading.Thread(target=self._read, name="docker-broker", daemon=True)
        self._reader.start()

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._child.pid

    def await_ready(self) -> None:
        """Wait until Kafka answers.

        Raises:
            OpeningCancelledError: it was called off.
            BrokerError: it does not answer.
        """
        while not self._opening.cancelled:
            with contextlib.suppress(queue.Empty):
                outcome = self._outcome.get(timeout=_CANCELLED_WITHIN_S)
                if isinstance(outcome, BrokerError):
                    raise outcome
                self.bootstrap = outcome
                return
        raise OpeningCancelledError(self._image)

    def end(self) -> None:
        """End the process, and the container with it. May be called twice."""
        self._child.kill(grace_s=_END_S)
        self._reader.join()

    def _read(self) -> None:
        with self._child.stdout as lines:
            for line in lines:
                with contextlib.suppress(ValueError):
                    self._take(json.loads(line))
        self.ended.set()
        self._outcome.put(_no_process(self._child.output_tail() or "it ended"))

    def _take(self, message: dict[str, Any]) -> None:
        match message:
            case {"step": text, "share": share}:
                self._opening.tell(OpeningStep("docker", text, share))
            case {"ready": {"bootstrap": bootstrap}}:
                self._outcome.put(str(bootstrap))
            case {"failed": problem}:
                self._outcome.put(BrokerError(**problem))
            case {"memory_bytes": size}:
                self.memory_bytes = size
            case {"ended": tail}:
                self.tail = tail
                self.ended.set()


def _no_process(cause: str) -> BrokerError:
    return BrokerError(
        f"the process that runs the container could not go on: {cause}",
        sys.executable,
        "Run again; if it persists, use --broker embedded.",
    )
