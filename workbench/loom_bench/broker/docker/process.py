"""The process that owns a container with Kafka: it pulls, starts, watches, and removes it.

It has Docker's SDK, so that the bench has not. It writes JSON lines: steps, then one of `ready` and
`failed`, then `memory_bytes`, and `ended` when the container has. It ends with its standard input,
and with it the container.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
import threading
import time
from typing import Any, Final, NoReturn

import docker.errors
import msgspec
from requests.exceptions import RequestException
from testcontainers.core.config import testcontainers_config
from testcontainers.core.docker_client import DockerClient

from loom_bench.broker import wire
from loom_bench.broker.contract import BrokerError
from loom_bench.broker.docker import failures
from loom_bench.broker.docker.container import KafkaContainer
from loom_bench.broker.docker.engine import check_usable, engine_address
from loom_bench.broker.docker.image import ensure_image
from loom_bench.broker.docker.leftovers import Owner, has_owner, sweep
from loom_bench.broker.docker.options import DockerOptions
from loom_bench.broker.ports import HOST, free_port

ENGINE_TIMEOUT_S: Final = 3.0
"""How long the engine may take to answer a question before it counts as hanging."""

_PORT_ATTEMPTS = 5
_POLL_S = 0.05
_PROBE_TIMEOUT_S = 0.5
_MEMORY_INTERVAL_S = 2.0
_ENDING_S = 15.0
_REMOVAL_S = 5.0


class ContainerProcess:
    """Serves one bench.

    Args:
        options: Which Kafka.
    """

    def __init__(self, options: DockerOptions) -> None:
        self._options = options
        self._owner = Owner()
        self._container: KafkaContainer | None = None
        self._making = threading.Lock()

    def end_with_input(self) -> NoReturn:
        """Wait for the end of standard input, then end everything."""
        with contextlib.suppress(OSError):
            while os.read(sys.stdin.fileno(), 1024):
                pass
        # What is being made must be there to be removed.
        if self._making.acquire(timeout=_REMOVAL_S):
            self._remove()
        self._owner.release()
        os._exit(0)

    def open(self) -> None:
        """Have Kafka answer; tells every step, and `ready`.

        Raises:
            BrokerError: What went wrong; nothing is left.
        """
        self._tell_step("asking the Docker engine", None)
        client = connect()
        sweep(client)
        image = self._options.image
        config = ensure_image(client, image, self._tell_step)
        self._tell_step(f"starting a container of {image}", None)
        port = self._start_container(client, config)
        self._await_answer(port)
        _tell(ready={"bootstrap": f"{HOST}:{port}"})

    def watch(self) -> None:
        """Tell the container's memory until it ends."""
        container = self._container
        while container is not None and not container.ended.wait(_MEMORY_INTERVAL_S):
            _tell(memory_bytes=container.memory_bytes())
        _tell(ended="" if container is None else container.output_tail())

    def close(self) -> None:
        """Remove everything."""
        with self._making:
            self._remove()

    def _start_container(self, client: DockerClient, config: Any) -> int:
        for attempt in range(1, _PORT_ATTEMPTS + 1):
            port = self._options.port or free_port()
            try:
                self._make(config, port)
            except (docker.errors.DockerException, RequestException) as error:
                self.close()
                if _is_conflict(error) and self._options.keep is not None:
                    self._await_former(client)
                    continue
                failure = failures.start_failure(error, self._options.image, port, _REMOVAL_S)
                again = isinstance(failure, failures.PortTakenError) and self._options.port is None
                if again and attempt < _PORT_ATTEMPTS:
                    continue
                raise failure from error
            return port
        raise failures.data_in_use(self._options.keep or "")

    def _make(self, config: Any, port: int) -> None:
        with self._making:
            self._container = KafkaContainer(self._options, config, port, self._owner)
            self._container.start()

    def _await_former(self, client: DockerClient) -> None:
        """Wait until the container of the session before has closed the kept data.

        Raises:
            BrokerError: Somebody uses the data.
        """
        deadline = time.monotonic() + _ENDING_S
        while True:
            try:
                former = client.client.containers.get(self._options.volume)
            except docker.errors.NotFound:
                return
            if has_owner(former):
                raise failures.data_in_use(self._options.keep or "")
            if time.monotonic() > deadline or former.status in ("created", "exited"):
                with contextlib.suppress(docker.errors.APIError):
                    former.remove(force=True)
            self._tell_step("the session before still closes its data", None)
            time.sleep(_POLL_S)

    def _await_answer(self, port: int) -> None:
        container, limit_s = self._container, self._options.start_timeout_s
        assert container is not None  # noqa: S101 - it was made before
        self._tell_step("waiting for Kafka to answer", None)
        deadline = time.monotonic() + limit_s
        while time.monotonic() < deadline:
            with contextlib.suppress(OSError, wire.NotKafkaError, wire.ClosedByPeerError):
                facts = wire.probe(HOST, port, timeout_s=_PROBE_TIMEOUT_S)
                if facts.cluster_id == container.cluster_id:
                    return
            if container.ended.wait(_POLL_S):
                raise failures.ended_early(self._options.image, container.output_tail())
        raise failures.start_timed_out(self._options.image, limit_s, container.output_tail())

    def _remove(self) -> None:
        if self._container is not None:
            self._container.remove()

    def _tell_step(self, text: str, share: float | None) -> None:
        _tell(step=text, share=share)


def connect() -> DockerClient:
    """A client of the engine, which has answered.

    Raises:
        NoEngineError: There is none, or it does not answer.
    """
    address = engine_address()
    try:
        client = DockerClient(timeout=ENGINE_TIMEOUT_S)
        address = os.environ.get("DOCKER_HOST", address)
        check_usable(address)
        client.client.ping()
    except (docker.errors.DockerException, RequestException) as error:
        raise failures.engine_failure(error, address, ENGINE_TIMEOUT_S) from error
    return client


def main(options_json: str) -> None:
    """Serve one bench until it ends."""
    options = msgspec.json.decode(options_json, type=DockerOptions)
    # As testcontainers has it: a registry that stands in for Docker's own.
    image = testcontainers_config.hub_image_name_prefix + options.image
    serving = ContainerProcess(msgspec.structs.replace(options, image=image))
    lifeline = threading.Thread(target=serving.end_with_input, name="lifeline", daemon=True)
    lifeline.start()
    try:
        serving.open()
    except BrokerError as error:
        serving.close()
        _tell(failed={"what": error.what, "where": error.where, "what_next": error.what_next})
    else:
        serving.watch()
    lifeline.join()


_telling = threading.Lock()


def _tell(**message: Any) -> None:
    with _telling, contextlib.suppress(BrokenPipeError):
        print(json.dumps(message), flush=True)


def _is_conflict(error: Exception) -> bool:
    return isinstance(error, docker.errors.APIError) and error.status_code == 409


if __name__ == "__main__":
    main(sys.argv[1])
