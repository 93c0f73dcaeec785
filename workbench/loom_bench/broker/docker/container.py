"""A container that runs Kafka for one process, and ends with it."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import threading
import uuid
from collections.abc import Mapping, Sequence
from typing import Any, Final

import docker.errors
from docker.utils.socket import frames_iter
from requests.exceptions import RequestException
from testcontainers.core.container import DockerContainer

from loom_bench.broker.docker.leftovers import KEEP_LABEL, OWNER_LABEL, Owner
from loom_bench.broker.docker.options import DockerOptions
from loom_bench.broker.ports import HOST

KAFKA_PORT: Final = 9092
"""The port in the container that clients outside reach."""

DATA_FOLDER: Final = "/var/lib/kafka/data"
"""A volume of the Apache image and of Confluent's, so its owner is who Kafka runs as there."""

START_TIMEOUT_S: Final = 60.0
"""How long the engine may take to make and start a container: that reads and writes the disk."""

_ENGINE_TIMEOUT_S = 3.0
_MAX_TAIL_BYTES = 4_000
_TAIL_LINES = 6
_IN_ORDER_S = 10

# Runs the image's own command. Standard input is the lifeline: it ends when the process at its
# other end does, however that comes. With the first process the kernel ends all others. Kafka's
# data that is kept is closed in order, which takes about a second; other data needs no care.
_SCRIPT = """
exec 3<&0 </dev/null
in_order=$1; shift
"$@" 3<&- & server=$!
{
  cat <&3 >/dev/null
  [ "$in_order" -gt 0 ] && kill -TERM "$server" && sleep "$in_order"
  kill -KILL "$server"
} 2>/dev/null &
exec 3<&-
wait "$server"
"""


class KafkaContainer(DockerContainer):
    """Kafka in a container whose standard input is held by this process before it starts.

    Args:
        options: Which Kafka.
        image_config: Configuration of the image, for the command that it runs.
        port: Loopback port that it is reached at.
        owner: This process.
    """

    def __init__(
        self, options: DockerOptions, image_config: Mapping[str, Any], port: int, owner: Owner
    ) -> None:
        self.cluster_id = _cluster_id(options.volume)
        """Proves that the broker which answers on the port is this one."""
        super().__init__(
            options.image,
            docker_client_kw={"timeout": _ENGINE_TIMEOUT_S},
            name=options.volume or f"loom-bench-{owner.token}",
            env=environment(self.cluster_id, port),
        )
        self.with_command(_command(image_config, _IN_ORDER_S if options.volume else 0))
        if options.volume is not None:
            self.with_volume_mapping(options.volume, DATA_FOLDER, "rw")
        labels = {OWNER_LABEL: str(owner.file)}
        if options.keep is not None:
            labels[KEEP_LABEL] = options.keep
        self.with_kwargs(
            entrypoint=["/bin/sh", "-c", _SCRIPT, "loom-bench"],
            labels=labels,
            stdin_open=True,
            auto_remove=True,
            network="bridge",
        )
        self._port = port
        self._keeps = options.volume is not None
        self._tail = bytearray()
        self._attached: Any = None
        self.ended = threading.Event()
        """Set when the container has ended."""

    def start(self) -> KafkaContainer:
        """Make it, hold its standard input, start it.

        Raises:
            APIError: The engine refuses.
        """
        client = self.get_docker_client()
        client.client.api.timeout = START_TIMEOUT_S
        try:
            self._container = client.create(
                self.image,
                command=self._command,
                environment=self.env,
                ports={f"{KAFKA_PORT}/tcp": (HOST, self._port)},
                name=self._name,
                volumes={
                    name: {"bind": mount["bind"], "mode": mount["mode"]}
                    for name, mount in self.volumes.items()
                },
                **self._kwargs,
            )
            streams = {"stdin": 1, "stdout": 1, "stderr": 1, "stream": 1}
            self._attached = self._container.attach_socket(params=streams)
            threading.Thread(target=self._read, name="container-output", daemon=True).start()
            client.start(self._container)
        finally:
            client.client.api.timeout = _ENGINE_TIMEOUT_S
        return self

    def output_tail(self) -> str:
        """The last lines that the container wrote."""
        lines = bytes(self._tail).decode("utf-8", "replace").strip().splitlines()
        return "\n".join(lines[-_TAIL_LINES:])

    def memory_bytes(self) -> int | None:
        """Memory of the container in bytes, caches left out; None when it cannot be known."""
        try:
            api = self.get_docker_client().client.api
            told = api.stats(self.get_container_id(), stream=False, one_shot=True)
        except (docker.errors.DockerException, RequestException):
            return None
        memory = told.get("memory_stats") or {}
        used, stats = memory.get("usage"), memory.get("stats") or {}
        if used is None:
            return None
        cache = stats.get("total_inactive_file", stats.get("inactive_file", 0))
        return max(0, int(used) - int(cache))

    def remove(self) -> None:
        """End it and have it removed; one on kept data ends in order by itself, once this process
        has ended."""
        if self._container is None or (self._keeps and not self.ended.is_set()):
            return
        with contextlib.suppress(docker.errors.DockerException, RequestException):
            self._container.remove(force=True, v=True)

    def _read(self) -> None:
        """Read what it writes, which it could not go on without."""
        with contextlib.suppress(OSError, ValueError):
            for _, chunk in frames_iter(self._attached, tty=False):
                self._tail += chunk
                del self._tail[:-_MAX_TAIL_BYTES]
        self.ended.set()


def environment(cluster_id: str, port: int) -> dict[str, str]:
    """Settings of a single node, in the words of the Apache image and of Confluent's.

    Clients outside use one listener, Kafka itself another: what is advertised outside cannot be
    reached inside.
    """
    settings = {
        "PROCESS_ROLES": "broker,controller",
        "NODE_ID": "1",
        "CONTROLLER_QUORUM_VOTERS": "1@localhost:9094",
        "LISTENERS": f"BENCH://:{KAFKA_PORT},BROKER://localhost:9093,CONTROLLER://localhost:9094",
        "ADVERTISED_LISTENERS": f"BENCH://{HOST}:{port},BROKER://localhost:9093",
        "LISTENER_SECURITY_PROTOCOL_MAP": ("BENCH:PLAINTEXT,BROKER:PLAINTEXT,CONTROLLER:PLAINTEXT"),
        "INTER_BROKER_LISTENER_NAME": "BROKER",
        "CONTROLLER_LISTENER_NAMES": "CONTROLLER",
        "LOG_DIRS": DATA_FOLDER,
        # One node has nobody to replicate to; fewer internal partitions load sooner.
        "OFFSETS_TOPIC_REPLICATION_FACTOR": "1",
        "OFFSETS_TOPIC_NUM_PARTITIONS": "4",
        "TRANSACTION_STATE_LOG_REPLICATION_FACTOR": "1",
        "TRANSACTION_STATE_LOG_MIN_ISR": "1",
        "TRANSACTION_STATE_LOG_NUM_PARTITIONS": "4",
        "SHARE_COORDINATOR_STATE_TOPIC_REPLICATION_FACTOR": "1",
        "SHARE_COORDINATOR_STATE_TOPIC_MIN_ISR": "1",
        "GROUP_INITIAL_REBALANCE_DELAY_MS": "0",
        # A feed's records carry the times of their events: after seven days, the default, they
        # would vanish as they are written.
        "LOG_RETENTION_MS": "-1",
        "HEAP_OPTS": "-Xmx512m",
    }
    return {"CLUSTER_ID": cluster_id, **{f"KAFKA_{name}": text for name, text in settings.items()}}


def _command(image_config: Mapping[str, Any], in_order_s: int) -> list[str]:
    own: Sequence[str] = [*(image_config.get("Entrypoint") or ()), *(image_config.get("Cmd") or ())]
    return [str(in_order_s), *own]


def _cluster_id(volume: str | None) -> str:
    """An id as Kafka makes them, the same for the same kept data: Kafka refuses to start on data
    of another cluster."""
    seed = uuid.uuid4().bytes if volume is None else hashlib.sha256(volume.encode()).digest()[:16]
    # One that begins with a dash would look like an option.
    return "L" + base64.urlsafe_b64encode(seed).decode()[1:22]
