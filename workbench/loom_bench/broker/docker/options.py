"""What can be chosen about Kafka in a container."""

from __future__ import annotations

import re
from typing import Final

import msgspec

from loom_bench.broker.contract import BrokerError

DEFAULT_IMAGE: Final = "apache/kafka:4.4.0"
"""Of the same release as the Kafka that the tests run from its jars."""

START_TIMEOUT_S: Final = 60.0
"""How long Kafka may take to answer once its container runs: about 4 s where nothing else runs."""

# What Docker allows in the name of a volume and of a container.
_NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]{0,60}")


class DockerOptions(msgspec.Struct, frozen=True, kw_only=True):
    """Which Kafka runs in a container, and how.

    Attributes:
        image: Image of Apache Kafka or of Confluent's, 7.4 or newer.
        port: Loopback port that it is reached at; None takes a free one.
        keep: Name that its data is kept under between sessions; None throws it away.
        start_timeout_s: How long it may take to answer once its container runs, in seconds.
    """

    image: str = DEFAULT_IMAGE
    port: int | None = None
    keep: str | None = None
    start_timeout_s: float = START_TIMEOUT_S

    @property
    def volume(self) -> str | None:
        """Docker volume that the data is kept in."""
        return None if self.keep is None else f"loom-bench-{self.keep}"

    def check(self) -> None:
        """Raise BrokerError when the name cannot be one."""
        if self.keep is not None and not _NAME.fullmatch(self.keep):
            raise BrokerError(
                f"data cannot be kept under the name {self.keep!r}",
                "--docker-keep",
                "Use letters, digits, dots, dashes and underscores.",
            )
