"""The real Docker engine that the tests use, seen past the bench."""

from __future__ import annotations

import functools
import os
from pathlib import Path
from typing import Any

import docker

from loom_bench.broker.docker.engine import look_for_engine
from loom_bench.broker.docker.leftovers import OWNER_LABEL
from loom_bench.broker.docker.process import connect
from tests.containers.tansu_image import CONFIG, import_image, root_filesystem

_TIMEOUT_S = 60


class Engine:
    """What tests do on the engine themselves: make images, look for what is left."""

    def __init__(self) -> None:
        self._client: Any = docker.from_env(timeout=_TIMEOUT_S)
        self._known = {container.id for container in self._containers()}
        self._made: set[str] = set()

    @functools.cached_property
    def image(self) -> str:
        """A small image whose broker is Tansu."""
        return self.make_image("usual", root_filesystem())

    def make_image(self, tag: str, filesystem: bytes | Path, *changes: str) -> str:
        """Make an image from a tar; returns its name."""
        # Another test process on the same engine has images of its own.
        name = import_image(self._client.api, f"{tag}-{os.getpid()}", filesystem, changes or CONFIG)
        self._made.add(self._client.images.get(name).id)
        return name

    def has_image(self, name: str) -> bool:
        """Whether the engine has an image."""
        return bool(self._client.images.list(name=name))

    def remove_image(self, name: str) -> None:
        """Remove an image if it is there."""
        if self.has_image(name):
            self._client.images.remove(name, force=True)

    def containers(self) -> list[str]:
        """Names of the containers that benches have made since the tests began."""
        return [each.name for each in self._containers() if each.id not in self._known]

    def labels(self, name: str) -> dict[str, str]:
        """The labels of a container."""
        labels: dict[str, str] = self._client.containers.get(name).labels
        return labels

    def published(self, name: str) -> list[tuple[str, str]]:
        """Addresses on this machine that a container's ports are bound to."""
        ports = self._client.containers.get(name).attrs["NetworkSettings"]["Ports"]
        return [
            (each["HostIp"], each["HostPort"]) for bound in ports.values() for each in bound or ()
        ]

    def create(self, name: str, labels: dict[str, str], *, run: bool = False) -> str:
        """Make a container that does nothing of use, and start it if asked; returns its name."""
        container = self._client.containers.create(
            self.image, ["sleep", "300"], entrypoint=[], name=name, labels=labels
        )
        if run:
            container.start()
        return name

    def exists(self, name: str) -> bool:
        """Whether there is a container of that name."""
        return bool(self._client.containers.list(all=True, filters={"name": f"^/{name}$"}))

    def kill(self, name: str) -> None:
        """End a container with SIGKILL."""
        self._client.containers.get(name).kill()

    def remove(self, name: str) -> None:
        """Remove a container if it is there."""
        for container in self._client.containers.list(all=True, filters={"name": f"^/{name}$"}):
            container.remove(force=True)

    def volumes(self) -> set[str]:
        """Names of all volumes."""
        return {volume.name for volume in self._client.volumes.list()}

    def remove_volume(self, name: str) -> None:
        """Remove a volume if it is there."""
        if name in self.volumes():
            self._client.volumes.get(name).remove()

    def disconnect(self) -> None:
        """Close the client."""
        self._client.close()

    def close(self) -> None:
        """Remove the test images."""
        for image in self._made:
            self._client.images.remove(image, force=True)
        self.disconnect()

    def _containers(self) -> list[Any]:
        found: list[Any] = self._client.containers.list(
            all=True, ignore_removed=True, filters={"label": OWNER_LABEL}
        )
        return found


def open_engine() -> Engine:
    """Return the engine.

    Raises:
        BrokerError: None answers.
    """
    look_for_engine()
    connect().client.close()
    return Engine()
