"""What the bench asks of a broker, whoever runs it, and the errors about it."""

from collections.abc import Mapping
from types import TracebackType
from typing import Literal, Protocol, Self

from loom_bench.protocol.security import ClientSettings

BrokerKind = Literal["embedded", "mock", "docker", "external"]


class BrokerError(Exception):
    """A broker could not be started, reached or used.

    Args:
        what: what happened, one sentence without its full stop.
        where: the address, option or file it happened at.
        what_next: what the user can do about it, as a sentence.
    """

    def __init__(self, what: str, where: str, what_next: str) -> None:
        super().__init__(what, where, what_next)
        self.what = what
        self.where = where
        self.what_next = what_next

    def __str__(self) -> str:
        return f"{self.what} ({self.where}). {self.what_next}"


class NotOwnedError(BrokerError):
    """Something was to be created or written on a broker that the bench did not start, and that
    nobody has allowed."""

    def __init__(self, action: str, where: str) -> None:
        super().__init__(
            f"the bench does not {action} on a broker that it did not start",
            where,
            f"Use the embedded broker, prepare the topics with your own tools, or allow it: "
            f"--allow-writes-to {where}.",
        )


class Broker(Protocol):
    """A Kafka broker that flows can use. A context manager: leaving it stops what we started."""

    @property
    def kind(self) -> BrokerKind:
        """Which implementation serves it."""

    @property
    def bootstrap(self) -> str:
        """`bootstrap.servers` for clients: `HOST:PORT`, several separated by commas."""

    @property
    def owned(self) -> bool:
        """True only when the bench started it."""

    @property
    def writable(self) -> bool:
        """Whether anything may be created or fed there: the bench started it, or the user has typed
        its address to allow that."""

    @property
    def lasting(self) -> str | None:
        """What names its data after the session; None when the data ends with the broker."""

    @property
    def reason(self) -> str:
        """Why this broker serves the session, one sentence for the screen."""

    @property
    def limits(self) -> tuple[str, ...]:
        """What it cannot do that a real cluster can, one sentence each, for the screen."""

    def alive(self) -> bool:
        """Whether it still runs, as far as can be told without asking it over the network."""

    def memory_bytes(self) -> int | None:
        """Resident memory of the broker process in bytes, None where it cannot be known."""

    def create_topics(
        self, partitions: Mapping[str, int], security: ClientSettings | None = None
    ) -> None:
        """Create topics that do not exist yet, by name and number of partitions.

        Args:
            partitions: the topics. A broker that the bench did not start gives them as many as it
                gives by itself, and leaves those that are there as they are.
            security: how to log in; brokers of the bench's own ask nobody.

        Raises:
            NotOwnedError: nothing may be created on this broker.
            BrokerError: the broker refused, or a topic exists with another number of partitions.
        """

    def stop(self) -> None:
        """Stop what was started, within a second. Close clients first. May be called twice."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None: ...
