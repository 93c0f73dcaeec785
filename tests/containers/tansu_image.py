"""A small image made of files on this machine, which answers to the same contract as Kafka's."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from loom_bench.broker.embedded import binary_path

REPOSITORY = "loom-bench-test/tansu"
"""A name of our own: nothing here stands in for a real image."""

BUSYBOX = Path("/bin/busybox")
_COMMANDS = ("sh", "cat", "sleep", "kill", "tr", "echo", "false")

# What the start script of Kafka's images makes of these variables, for Tansu: the cluster's id, and
# what is advertised to clients outside.
_RUN = """#!/bin/sh
for listener in $(echo "$KAFKA_ADVERTISED_LISTENERS" | tr , ' '); do
  case $listener in BENCH://*) advertised=tcp://${listener#BENCH://};; esac
done
echo "starting cluster $CLUSTER_ID"
exec /bin/tansu broker --cluster-id="$CLUSTER_ID" --listener-url=tcp://0.0.0.0:9092 \\
  --advertised-listener-url="$advertised" --storage-engine=memory://loom-bench/
"""

CONFIG = ("ENTRYPOINT []", 'CMD ["/etc/kafka/docker/run"]')


def root_filesystem(run: str = _RUN, files: Sequence[tuple[Path, str]] = ()) -> bytes:
    """Return a tar of busybox, Tansu and a start script.

    Args:
        run: The start script.
        files: Further files or folders, and where they go.
    """
    tansu = binary_path()
    assert tansu is not None
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as tar:
        add_system(tar, _COMMANDS)
        tar.add(tansu, "bin/tansu")
        add_text(tar, "etc/kafka/docker/run", run, 0o755)
        for source, place in files:
            tar.add(source, place)
    return made.getvalue()


def add_system(tar: tarfile.TarFile, commands: Sequence[str]) -> None:
    """Add the folders that a broker needs, and busybox under the names of *commands*."""
    for folder, mode in (("bin", 0o755), ("tmp", 0o1777), ("etc/kafka/docker", 0o755)):
        tar.addfile(_entry(folder, tarfile.DIRTYPE, mode))
    tar.add(BUSYBOX, "bin/busybox")
    for command in commands:
        link = _entry(f"bin/{command}", tarfile.SYMTYPE, 0o777)
        link.linkname = "busybox"
        tar.addfile(link)


def add_text(tar: tarfile.TarFile, place: str, text: str, mode: int) -> None:
    """Add a file with *text* in it."""
    entry = _entry(place, tarfile.REGTYPE, mode)
    entry.size = len(text.encode())
    tar.addfile(entry, io.BytesIO(text.encode()))


def import_image(
    api: Any,
    tag: str,
    filesystem: bytes | Path,
    changes: Sequence[str] = CONFIG,
    repository: str = REPOSITORY,
) -> str:
    """Give the engine an image; returns its name.

    Args:
        api: The SDK's low-level client.
        tag: Its tag.
        filesystem: A tar, or the file with it.
        changes: Its configuration, in the words of a Dockerfile.
        repository: Its name without the tag.
    """
    named = {"repository": repository, "tag": tag, "changes": list(changes)}
    if isinstance(filesystem, Path):
        answer = api.import_image_from_file(str(filesystem), **named)
    else:
        answer = api.import_image_from_data(filesystem, **named)
    last = json.loads(answer.strip().splitlines()[-1])
    assert "error" not in last, last
    return f"{repository}:{tag}"


def _entry(name: str, kind: bytes, mode: int) -> tarfile.TarInfo:
    entry = tarfile.TarInfo(name)
    entry.type, entry.mode = kind, mode
    return entry
