"""What the brokers that the bench starts for itself have in common."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from types import TracebackType
from typing import Self

from loom_bench.protocol.security import ClientSettings


class OwnBroker(ABC):
    """A broker that ends with this process. A context manager."""

    owned = True
    writable = True

    @property
    @abstractmethod
    def bootstrap(self) -> str:
        """Its address."""

    @abstractmethod
    def stop(self) -> None:
        """End it. May be called twice."""

    def create_topics(
        self,
        partitions: Mapping[str, int],
        security: ClientSettings | None = None,  # noqa: ARG002 - it asks nobody who they are
    ) -> None:
        """Create topics that do not exist yet, by name and number of partitions.

        Raises:
            BrokerError: refused, or there with another number of partitions.
        """
        from loom_bench.broker import topics  # noqa: PLC0415 - the Kafka client takes a moment

        topics.create_topics(self.bootstrap, partitions)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()
