"""An image that the engine has, or pulls while telling how far it is."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

import docker.errors
from docker.utils import parse_repository_tag
from requests.exceptions import RequestException
from testcontainers.core.docker_client import DockerClient

from loom_bench.broker.docker.failures import pull_failure, said

Told = Callable[[str, float | None], None]

# A layer is downloaded, then unpacked; unpacking is quicker than most networks.
_DOWNLOAD_SHARE: Final = 0.8
_DONE = frozenset({"Pull complete", "Already exists"})
_MEGABYTE = 1_000_000

_SILENCE_S: Final = 120.0
"""How long a pull may tell nothing. The engine gives up on a registry that does not answer after
15 s, on a network that is lost after 76 s (measured with Docker 20.10), and says so."""


class Layers:
    """How far the layers of an image are. Their sizes become known one after the other."""

    def __init__(self) -> None:
        self._downloaded: dict[str, int] = {}
        self._sizes: dict[str, int] = {}
        self._done: dict[str, float] = {}
        self._most = 0.0

    def take(self, event: Mapping[str, Any]) -> None:
        """Take in what the engine tells of one layer."""
        layer, status = event.get("id"), event.get("status")
        detail = event.get("progressDetail") or {}
        if not layer or not status or status.startswith("Pulling from"):
            return
        self._done.setdefault(layer, 0.0)
        current, total = detail.get("current") or 0, detail.get("total") or 0
        if status == "Downloading":
            self._downloaded[layer] = current
            if total > 0:
                self._sizes[layer] = total
                self._done[layer] = _DOWNLOAD_SHARE * min(1.0, current / total)
        elif status in ("Download complete", "Verifying Checksum"):
            self._downloaded[layer] = self._sizes.get(layer, 0)
            self._done[layer] = max(self._done[layer], _DOWNLOAD_SHARE)
        elif status == "Extracting" and total > 0:
            unpacked = (1 - _DOWNLOAD_SHARE) * min(1.0, current / total)
            self._done[layer] = _DOWNLOAD_SHARE + unpacked
        elif status in _DONE:
            self._done[layer] = 1.0

    @property
    def share(self) -> float | None:
        """Share of the work that is done, never less than before; None before there is any."""
        if not self._done:
            return None
        known = [size for layer, size in self._sizes.items() if layer in self._done]
        # A layer of unknown size counts as an average one.
        average = sum(known) / len(known) if known else 1.0
        weights = {layer: self._sizes.get(layer, average) or 1.0 for layer in self._done}
        done = sum(self._done[layer] * weight for layer, weight in weights.items())
        self._most = max(self._most, done / sum(weights.values()))
        return self._most

    @property
    def downloaded_text(self) -> str:
        """How much came so far: `34 of 180 MB`; empty while no size is known."""
        total = sum(self._sizes.values())
        if not total:
            return ""
        so_far = sum(self._downloaded.get(layer, 0) for layer in self._sizes)
        return f"{so_far / _MEGABYTE:,.0f} of {total / _MEGABYTE:,.0f} MB"


def ensure_image(client: DockerClient, image: str, tell: Told) -> Mapping[str, Any]:
    """Have the engine pull *image* when it lacks it, and return the image's configuration.

    The pull ends with this process, or with the connection.

    Raises:
        BrokerError: it is not there and cannot be pulled.
    """
    found = _config(client, image)
    if found is None:
        tell(f"pulling {image}", None)
        api = client.client.api
        usual, api.timeout = api.timeout, _SILENCE_S
        try:
            events = api.pull(*_reference(image), stream=True, decode=True)
            _follow(image, events, tell)
        except (docker.errors.DockerException, RequestException) as error:
            raise pull_failure(image, said(error)) from error
        finally:
            api.timeout = usual
        found = _config(client, image)
    if found is None:
        raise pull_failure(image, "the engine pulled it and does not have it")
    return found


def _follow(image: str, events: Iterable[Mapping[str, Any]], tell: Told) -> None:
    layers = Layers()
    for event in events:
        if event.get("error"):
            raise pull_failure(image, str(event["error"]))
        layers.take(event)
        amount = layers.downloaded_text
        tell(f"pulling {image}{': ' if amount else ''}{amount}", layers.share)


def _reference(image: str) -> tuple[str, str]:
    repository, tag = parse_repository_tag(image)
    return repository, tag or "latest"


def _config(client: DockerClient, image: str) -> Mapping[str, Any] | None:
    try:
        described = client.client.api.inspect_image(image)
    except docker.errors.ImageNotFound:
        return None
    config: Mapping[str, Any] = described.get("Config") or {}
    return config
