"""From what the user chose (`--broker`) to a broker that is up."""

from __future__ import annotations

from typing import TYPE_CHECKING

from loom_bench.broker.contract import Broker, BrokerError
from loom_bench.broker.opening import Opening, OpeningCancelledError

# Each kind is imported when it is chosen: the Kafka client and Docker's take a moment.
if TYPE_CHECKING:
    from loom_bench.broker.docker.broker import DockerBroker
    from loom_bench.broker.docker.options import DockerOptions
    from loom_bench.broker.embedded import EmbeddedBroker
    from loom_bench.broker.mock import MockBroker

OWN_CHOICES = ("auto", "docker", "embedded")
"""The words that choose a broker which the bench starts itself."""


def open_broker(
    choice: str,
    opening: Opening | None = None,
    *,
    docker: DockerOptions | None = None,
    allow_writes_to: str | None = None,
) -> Broker:
    """Start or reach the chosen broker; stop it when done.

    Args:
        choice: `docker`; `embedded`; `auto` for Docker where that can be had, else embedded; or
            `HOST:PORT[,HOST:PORT…]` of a broker that runs already.
        opening: told of every step; what it was begun for may be called off.
        docker: which Kafka a container runs.
        allow_writes_to: an address, as the user typed it; when it is the chosen one, topics may be
            created and fed there.

    Raises:
        OpeningCancelledError: it was called off.
        BrokerError: no such choice, it could not be started, or it cannot be reached.
    """
    match choice:
        case "embedded":
            return _start_embedded()
        case "docker":
            return _start_docker(docker, opening)
        case "auto":
            return _start_best(docker, opening)
    if ":" not in choice:
        raise BrokerError(
            f"{choice!r} is no kind of broker and no address",
            "--broker",
            f"Use {', '.join(OWN_CHOICES)} or HOST:PORT[,HOST:PORT…].",
        )
    from loom_bench.broker.external import ExternalBroker  # noqa: PLC0415

    broker = ExternalBroker.connect(choice)
    if allow_writes_to is not None and allow_writes_to.strip() == choice.strip():
        broker.allow_writes(broker.bootstrap)
    return broker


def _start_best(docker: DockerOptions | None, opening: Opening | None) -> Broker:
    try:
        best = _start_docker(docker, opening)
    except OpeningCancelledError:
        raise
    except BrokerError as problem:
        broker = _start_embedded()
        broker.reason = f"{problem.what[:1].upper()}{problem.what[1:]}. The bench runs its own."
        return broker
    best.reason = f"A Docker engine answers: {best.reason}"
    return best


def _start_docker(docker: DockerOptions | None, opening: Opening | None) -> DockerBroker:
    from loom_bench.broker.docker.broker import DockerBroker  # noqa: PLC0415

    return DockerBroker.start(docker, opening)


def _start_embedded() -> EmbeddedBroker | MockBroker:
    from loom_bench.broker.embedded import EmbeddedBroker, binary_path  # noqa: PLC0415

    if binary_path() is not None:
        return EmbeddedBroker.start()
    from loom_bench.broker.mock import MockBroker  # noqa: PLC0415

    return MockBroker.start()
