"""An image with a real Apache Kafka, made of the Java and the jars on this machine.

It answers to the same environment as Kafka's own image, and keeps its log where that one does.
"""

from __future__ import annotations

import os
import re
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path

from tests.containers.tansu_image import add_system, add_text
from tests.kafka_node import KafkaJars

TOOLS = ("env", "sh", "cat", "sleep", "kill", "tr", "echo")

# As the start script of Kafka's image does: every KAFKA_ variable is a property, and storage that
# is there already is gone on with.
_RUN = """#!/bin/sh
properties=/tmp/server.properties
env | while IFS='=' read -r name value; do
  case $name in
  KAFKA_HEAP_OPTS) ;;
  KAFKA_*) echo "$(echo "${name#KAFKA_}" | tr A-Z_ a-z.)=$value" ;;
  esac
done >$properties
kafka() {
  exec /opt/java/bin/java $KAFKA_HEAP_OPTS -XX:+UseSerialGC -XX:TieredStopAtLevel=1 \\
    -Dorg.slf4j.simpleLogger.defaultLogLevel=warn -cp '/opt/kafka/*' "$@"
}
(kafka kafka.tools.StorageTool format --ignore-formatted --cluster-id "$CLUSTER_ID" \\
  --config $properties) || exit
kafka kafka.Kafka $properties
"""

_JAVA_LEFT_OUT = frozenset({"ct.sym", "src.zip"})
"""What only a compiler and a reader need."""


def write_filesystem(jars: KafkaJars, path: Path) -> None:
    """Write a tar of Java, Kafka and a start script to *path*."""
    home = jars.java.resolve().parent.parent
    with tarfile.open(path, mode="w", dereference=True) as tar:
        add_system(tar, TOOLS)
        add_text(tar, "etc/kafka/docker/run", _RUN, 0o755)
        for folder in ("lib", "conf"):
            for file in sorted((home / folder).rglob("*")):
                if file.is_file() and file.name not in _JAVA_LEFT_OUT:
                    tar.add(file, f"opt/java/{file.relative_to(home)}")
        tar.add(home / "bin" / "java", "opt/java/bin/java")
        for library in sorted(_system_libraries(home)):
            tar.add(library, library.lstrip("/"))
        for jar in jars.classpath.split(os.pathsep):
            tar.add(jar, f"opt/kafka/{Path(jar).name}")


def _system_libraries(home: Path) -> set[str]:
    """Return the shared libraries of the machine that Java needs without a screen."""
    found: set[str] = set()
    for part in ("bin/java", "lib/server/libjvm.so", "lib/libzip.so", "lib/libnio.so"):
        found |= set(_linked(home / part))
    return {library for library in found if not library.startswith(str(home))}


def _linked(file: Path) -> Iterator[str]:
    told = subprocess.run(["ldd", file], capture_output=True, text=True, check=True).stdout
    yield from (str(Path(each[1])) for each in re.finditer(r"(/\S+) \(0x", told))
