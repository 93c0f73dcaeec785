"""Where a flow meets its topics: sources, sinks and how output records are keyed."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Generic, Protocol, TypeVar, runtime_checkable

from loom_runtime.declaration import Declared
from loom_runtime.message import Message
from loom_runtime.model import LoomFrozenStruct, LoomStruct, StreamPayload

PayloadT = TypeVar("PayloadT", bound=LoomStruct | LoomFrozenStruct)
PayloadT_contra = TypeVar(
    "PayloadT_contra", bound=LoomStruct | LoomFrozenStruct, contravariant=True
)


@dataclass(frozen=True)
class FromTopic(Declared, Generic[PayloadT]):
    """A source of one payload type.

    Attributes:
        name: Logical reference. Configuration resolves it to physical topics; without any it is
            the topic's name.
        payload: Type that every record decodes into.
    """

    name: str
    payload: type[PayloadT]


@dataclass(frozen=True)
class FromMultiTypeTopic(Declared, Generic[PayloadT]):
    """A source of several payload types on one topic, told apart by message type.

    Attributes:
        name: Logical reference, as in :class:`FromTopic`.
        payloads: Two or more types.

    Raises:
        ValueError: When fewer than two types are given.
    """

    name: str
    payloads: tuple[type[PayloadT], ...]

    def __post_init__(self) -> None:
        """Refuse a source that :class:`FromTopic` is meant for."""
        object.__setattr__(self, "payloads", tuple(self.payloads))
        if len(self.payloads) < 2:
            raise ValueError(
                f"FromMultiTypeTopic({self.name!r}) needs two payload types or more; "
                "for one type use FromTopic"
            )


@runtime_checkable
class PartitionStrategy(Protocol[PayloadT_contra]):
    """Chooses the key of an output record."""

    def partition_key(self, message: Message[PayloadT_contra]) -> bytes | str | None:
        """Return the key of the record that *message* becomes."""
        ...


class PartitionGuarantee(StrEnum):
    """What a strategy promises of the records that share an entity."""

    NONE = "none"
    BEST_EFFORT = "best_effort"
    ENTITY_STABLE = "entity_stable"


@dataclass(frozen=True)
class PartitionPolicy(Declared, Generic[PayloadT]):
    """How output records get their key.

    Attributes:
        strategy: Computes the key.
        guarantee: What the strategy promises.
        allow_repartition: Whether the computed key replaces the incoming one. Without it an
            incoming key is kept and the strategy serves records that have none.
    """

    strategy: PartitionStrategy[PayloadT]
    guarantee: PartitionGuarantee
    allow_repartition: bool = False


@dataclass(frozen=True)
class IntoTopic(Declared, Generic[PayloadT]):
    """A sink boundary: ends the path it stands on.

    Attributes:
        name: Logical reference. Configuration resolves it to a physical topic; without any it is
            the topic's name.
        payload: Type of what is written.
        partitioning: How output records get their key; the incoming key is kept without one.
        dlq: Topic for records whose delivery failed; without one such a failure ends the run.
    """

    name: str
    payload: Any = None
    partitioning: PartitionPolicy[Any] | None = None
    dlq: str | None = None


Source = FromTopic[Any] | FromMultiTypeTopic[Any]
"""What a flow can read from."""

__all__ = [
    "FromMultiTypeTopic",
    "FromTopic",
    "IntoTopic",
    "PartitionGuarantee",
    "PartitionPolicy",
    "PartitionStrategy",
    "Source",
    "StreamPayload",
]
