"""What the brokers that the bench starts for itself have in common."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping

from loom_bench.broker.leaving import StoppedOnLeaving
from loom_bench.protocol.security import ClientSettings


class OwnBroker(StoppedOnLeaving):
    """A broker that ends with this process."""

    owned = True
    writable = True

    @property
    @abstractmethod
    def bootstrap(self) -> str:
        """Its address."""

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
