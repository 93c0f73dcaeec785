"""One Apache Kafka process in KRaft mode: started, killed, restarted and cleared away."""

import base64
import contextlib
import os
import random
import shutil
import signal
import socket
import subprocess
import time
import uuid
from pathlib import Path
from types import TracebackType
from typing import Self

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from tests.kafka_node.jars import KafkaJars, find_kafka
from tests.kafka_node.secured import SecuredListeners

#: Well above what was measured on two cores (2 s; 5 s after a kill), for machines that are busy.
START_TIMEOUT_S = 60.0
#: A clean shutdown was measured at 0.3 s.
STOP_TIMEOUT_S = 20.0

# Below the ranges from which Linux and macOS lend ports to outgoing connections, so that a port
# is still free when a restart asks for it again.
_PORTS = range(20_000, 32_000)
_START_ATTEMPTS = 3
_POLL_S = 0.05
_LOG_TAIL_LINES = 40

_JVM_OPTIONS = (
    "-Xmx512m",
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",
    "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
)

# Becomes the Java process itself. Two children stay behind as guards: one waits for the end of
# standard input, which comes when our process dies in any way; the other watches our process id,
# for a child that our process forked may hold the pipe open. A process id cannot be given to
# another process while its group has members, so `$$` is safe to kill from a guard.
_GUARDED_EXEC = """
folder=$1; shift
exec 3<&0
end() { kill -KILL $$ 2>/dev/null; rm -rf -- "$folder"; kill -KILL 0; }
( cat <&3 >/dev/null; end ) &
( exec 3<&-; while kill -0 "$PPID" 2>/dev/null; do sleep 1; done; end ) &
exec "$@" </dev/null 3<&-
"""

_LISTENERS = "BROKER://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller_port}"
_ADVERTISED = "BROKER://127.0.0.1:{port}"
_PLAIN_ONLY = """
listeners={listeners}
advertised.listeners={advertised}
listener.security.protocol.map=BROKER:PLAINTEXT,CONTROLLER:PLAINTEXT
"""

_PROPERTIES = """
process.roles=broker,controller
node.id=1
{listeners}
inter.broker.listener.name=BROKER
controller.listener.names=CONTROLLER
controller.quorum.bootstrap.servers=127.0.0.1:{controller_port}
log.dirs={data}
num.partitions=1
auto.create.topics.enable=false

# After a kill the node must wait until its former self counts as gone: 9 s by default.
broker.session.timeout.ms=3000
broker.heartbeat.interval.ms=500

# One node: nothing to replicate to, and few internal partitions so that they load fast.
offsets.topic.num.partitions=4
offsets.topic.replication.factor=1
transaction.state.log.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
share.coordinator.state.topic.num.partitions=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1

# Groups form at once, and the transaction of a killed producer ends when its timeout says so.
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=1000
transaction.abort.timed.out.transaction.cleanup.interval.ms=500

# Compaction and retention act while a test waits for them; unasked, no record is too old, for the
# default of seven days would remove records that carry the time of past events.
log.retention.ms=-1
log.initial.task.delay.ms=200
log.retention.check.interval.ms=200
log.segment.delete.delay.ms=200
log.cleaner.backoff.ms=100
log.cleaner.threads=1
log.cleaner.dedupe.buffer.size=8388608
"""


class KafkaNodeError(Exception):
    """The node could not be prepared or did not answer; the text ends with the tail of its log."""


class KafkaNode:
    """A broker and controller in one process on free loopback ports.

    The node dies with the process that started it, SIGKILL included, and its folder goes with it.
    Topics are not made on request. As a context manager it stops on leaving.
    """

    def __init__(self, jars: KafkaJars, workdir: Path) -> None:
        """Describe a node that is not running yet; use `start`."""
        self._jars = jars
        self._workdir = workdir
        self._log = workdir / "kafka.log"
        self._properties = workdir / "server.properties"
        self._port = 0
        self._process: subprocess.Popen[bytes] | None = None
        self._secured: SecuredListeners | None = None

    @classmethod
    def start(cls, workdir: Path, *, secured: bool = False) -> Self:
        """Format a new node in `workdir`, start it and return when it answers.

        Args:
            workdir: A folder of the node's own. Its parent exists; itself it is made, and removed
                by `stop`.
            secured: Whether it has listeners that ask for a login, too.

        Raises:
            KafkaUnavailableError: This machine has no Java 17 or cannot get Kafka's jars.
            KafkaNodeError: The node ended or did not answer in time.
            FileExistsError: The folder exists.
        """
        node = cls(find_kafka(), workdir)
        for attempt in range(1, _START_ATTEMPTS + 1):
            workdir.mkdir()
            try:
                node._format(secured=secured)
                node._launch()
            except BaseException as error:
                # Another process may have taken a port since it was found free.
                port_taken = "BindException" in node.log_tail()
                node.stop()
                if port_taken and isinstance(error, KafkaNodeError) and attempt < _START_ATTEMPTS:
                    continue
                raise
            break
        return node

    def __enter__(self) -> Self:
        """Return the node itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Stop the node."""
        self.stop()

    @property
    def bootstrap(self) -> str:
        """`HOST:PORT` for clients; the same after a restart."""
        return f"127.0.0.1:{self._port}"

    @property
    def secured(self) -> SecuredListeners:
        """The listeners that ask for a login."""
        assert self._secured is not None, "this node was started without them"
        return self._secured

    @property
    def pid(self) -> int | None:
        """The process id of Java, or None while the node is down."""
        return None if self._process is None else self._process.pid

    def stop(self) -> None:
        """Shut the node down in order, by force after `STOP_TIMEOUT_S`, and remove its folder."""
        self._halt(orderly=True)
        shutil.rmtree(self._workdir, ignore_errors=True)

    def kill(self) -> None:
        """End the node with SIGKILL and keep its folder, so that `restart` can recover it."""
        self._halt(orderly=False)

    def restart(self) -> None:
        """Start the node on its old data and ports, after an orderly shutdown if it still runs.

        Raises:
            KafkaNodeError: The node ended or did not answer in time.
        """
        self._halt(orderly=True)
        self._launch()

    def log_tail(self, lines: int = _LOG_TAIL_LINES) -> str:
        """Return the last lines that the node wrote, warnings and worse only."""
        try:
            return "\n".join(self._log.read_text(errors="replace").splitlines()[-lines:])
        except FileNotFoundError:
            return ""

    def _format(self, *, secured: bool) -> None:
        self._port, controller_port, login_port, tls_port = _free_loopback_ports(4)
        listeners = _LISTENERS.format(port=self._port, controller_port=controller_port)
        advertised = _ADVERTISED.format(port=self._port)
        if secured:
            self._secured = SecuredListeners(login_port, tls_port, self._workdir)
            self._secured.prepare(self._jars.java.with_name("keytool"))
            told = self._secured.properties(listeners, advertised)
        else:
            told = _PLAIN_ONLY.format(listeners=listeners, advertised=advertised)
        self._properties.write_text(
            _PROPERTIES.format(
                listeners=told, controller_port=controller_port, data=self._workdir / "data"
            )
        )
        # Kafka writes ids as URL-safe base64; one that begins with "-" would look like an option.
        cluster_id = "L" + base64.urlsafe_b64encode(uuid.uuid4().bytes).decode()[1:22]
        tool = ["kafka.tools.StorageTool", "format", "--standalone", "--cluster-id", cluster_id]
        with self._log.open("ab") as log:
            try:
                code = subprocess.run(
                    [*self._java(), *tool, "--config", str(self._properties)],
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    timeout=START_TIMEOUT_S,
                    check=False,
                ).returncode
            except subprocess.TimeoutExpired:
                raise self._failed("formatting its storage took too long") from None
        if code != 0:
            raise self._failed(f"formatting its storage ended with code {code}")

    def _launch(self) -> None:
        command = [*self._java(), "kafka.Kafka", str(self._properties)]
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                ["/bin/sh", "-c", _GUARDED_EXEC, "kafka-node", str(self._workdir), *command],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._await_answer(self._process)

    def _java(self) -> list[str]:
        # Native libraries are unpacked into the temporary folder; ours is removed with the node.
        return [
            str(self._jars.java),
            *_JVM_OPTIONS,
            f"-Djava.io.tmpdir={self._workdir}",
            f"-XX:ErrorFile={self._workdir / 'java-error.log'}",
            "-cp",
            self._jars.classpath,
        ]

    def _await_answer(self, process: subprocess.Popen[bytes]) -> None:
        deadline = time.monotonic() + START_TIMEOUT_S
        while not self._answers():
            code = process.poll()
            if code is not None:
                raise self._failed(f"it ended with code {code}")
            if time.monotonic() > deadline:
                raise self._failed(f"no answer in {START_TIMEOUT_S:g} s")
            time.sleep(_POLL_S)

    def _answers(self) -> bool:
        # The client writes refused connections to standard error, so the port is tried first.
        try:
            socket.create_connection(("127.0.0.1", self._port), timeout=1).close()
        except OSError:
            return False
        admin = AdminClient({"bootstrap.servers": self.bootstrap, "log_level": 0})
        try:
            return bool(admin.list_topics(timeout=5).brokers)
        except KafkaException:
            return False

    def _failed(self, what: str) -> KafkaNodeError:
        return KafkaNodeError(
            f"Apache Kafka at {self.bootstrap} did not start: {what}. "
            f"Its log ends with:\n{self.log_tail()}"
        )

    def _halt(self, *, orderly: bool) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        if orderly:
            process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(STOP_TIMEOUT_S)
        # The guards go with the group; they keep its id from being given away until then.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        if process.stdin is not None:
            process.stdin.close()


def _free_loopback_ports(count: int) -> list[int]:
    found: list[int] = []
    for port in random.sample(_PORTS, k=len(_PORTS)):
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        found.append(port)
        if len(found) == count:
            return found
    raise KafkaNodeError(f"No free loopback port between {_PORTS.start} and {_PORTS.stop}.")
