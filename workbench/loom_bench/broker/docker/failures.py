"""What Docker's errors mean to a user, and what to do about each."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

import docker.errors
import requests.exceptions

from loom_bench.broker.contract import BrokerError
from loom_bench.broker.docker.engine import (
    NoEngineError,
    absent,
    hanging,
    not_an_engine,
    not_permitted,
    not_running,
)

_EMBEDDED: Final = "or use --broker embedded, which downloads nothing."

_MAX_CHARACTERS = 400


class PortTakenError(BrokerError):
    """Another program has the port."""


class _Reason(NamedTuple):
    """Why an image could not be had.

    Attributes:
        marks: Any of these stands in what the engine said.
        what: What it means.
        what_next: What to do.
    """

    marks: tuple[str, ...]
    what: str
    what_next: str


# In the words of Docker 20 to 28 and podman 4. The order counts: a missing name server says both
# "lookup" and "timeout".
_PULL_REASONS = (
    _Reason(
        ("no space left",),
        "there is no space left for it",
        f"Make room (docker system df shows where it went), {_EMBEDDED}",
    ),
    _Reason(
        ("toomanyrequests", "rate limit"),
        "its registry allows no more downloads for now",
        f"Log in (docker login) or wait, {_EMBEDDED}",
    ),
    _Reason(
        ("no such host", "lookup ", "name resolution", "network is unreachable"),
        "its registry cannot be found: is there no network?",
        f"Connect to the network once so that the image can be pulled, {_EMBEDDED}",
    ),
    _Reason(
        ("manifest unknown", "not found", "manifest for"),
        "its registry has no such image",
        "Correct --docker-image.",
    ),
    _Reason(
        ("denied", "unauthorized", "authentication required", "no basic auth"),
        "its registry has no such image, or asks for a login",
        "Correct --docker-image, or log in with docker login.",
    ),
    _Reason(
        ("connection refused", "connection reset", "EOF"),
        "its registry refuses the connection",
        f"Check the registry or its proxy, {_EMBEDDED}",
    ),
    _Reason(
        ("timeout", "deadline exceeded", "Client.Timeout", "i/o timeout"),
        "its registry does not answer",
        f"Check the network, the registry or its proxy, {_EMBEDDED}",
    ),
)

_PORT_TAKEN = ("port is already allocated", "address already in use")


def engine_failure(error: Exception, address: str, timeout_s: float) -> NoEngineError:
    """What *error*, raised while the engine was asked for its version, means."""
    for cause in _causes(error):
        match cause:
            case FileNotFoundError():
                return absent(address)
            case PermissionError():
                return not_permitted(address)
            case ConnectionRefusedError():
                return not_running(address)
            case requests.exceptions.Timeout() | TimeoutError():
                return hanging(address, timeout_s)
    return not_an_engine(address, said(error))


def pull_failure(image: str, reason: str) -> BrokerError:
    """What *reason*, in the engine's words, tells about a pull that failed."""
    for each in _PULL_REASONS:
        if any(mark in reason for mark in each.marks):
            return BrokerError(
                f"the image {image} is not on this machine, and {each.what}",
                shortened(reason),
                each.what_next,
            )
    return BrokerError(
        f"the image {image} is not on this machine, and it could not be pulled",
        shortened(reason),
        f"Try docker pull {image}, {_EMBEDDED}",
    )


def start_failure(error: Exception, image: str, port: int, timeout_s: float) -> BrokerError:
    """What *error*, raised while the container was made and started, means."""
    if isinstance(error, requests.exceptions.Timeout):
        return BrokerError(
            f"the Docker engine hangs: it did not start the container within {timeout_s:g} s",
            image,
            f"Restart Docker, {_EMBEDDED}",
        )
    reason = said(error)
    if any(mark in reason for mark in _PORT_TAKEN):
        return PortTakenError(
            "another program listens on the port",
            f"127.0.0.1:{port}",
            "Choose another --docker-port, or let the bench take a free one.",
        )
    return BrokerError(
        f"the Docker engine did not start a container of {image}: {shortened(reason)}",
        image,
        f"Check --docker-image and docker info, {_EMBEDDED}",
    )


def ended_early(image: str, tail: str) -> BrokerError:
    """The container ended before Kafka answered."""
    return BrokerError(
        f"the container of {image} ended while it started; it said: {tail or 'nothing'}",
        image,
        f"Check --docker-image, {_EMBEDDED}",
    )


def start_timed_out(image: str, timeout_s: float, tail: str) -> BrokerError:
    """Kafka did not answer."""
    return BrokerError(
        f"Kafka did not answer within {timeout_s:g} s after its container had started; "
        f"it said: {tail or 'nothing'}",
        image,
        f"Run again when the machine is less busy, {_EMBEDDED}",
    )


def data_in_use(keep: str) -> BrokerError:
    """Another bench runs on the kept data."""
    return BrokerError(
        f"the data kept as {keep!r} is used by another bench",
        f"--docker-keep {keep}",
        "End that bench, or keep this data under another name.",
    )


def said(error: Exception) -> str:
    """What the engine said, or the error itself."""
    explanation = error.explanation if isinstance(error, docker.errors.APIError) else None
    return str(explanation or error)


def shortened(text: str) -> str:
    """As much of *text* as a message can hold, on one line."""
    line = " ".join(text.split())
    return line if len(line) <= _MAX_CHARACTERS else f"{line[:_MAX_CHARACTERS]}…"


def _causes(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    waiting: list[object] = [error]
    while waiting:
        each = waiting.pop()
        if isinstance(each, BaseException) and id(each) not in seen:
            seen.add(id(each))
            yield each
            waiting += [each.__context__, each.__cause__, getattr(each, "reason", None), *each.args]
