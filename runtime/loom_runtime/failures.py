"""Errors that end a run, told so that a person can act on them."""

from __future__ import annotations


class RunError(RuntimeError):
    """A run could not start or go on.

    Args:
        what: What happened.
        where: The topic, file, node or setting it happened at.
        what_next: What to do about it.
    """

    def __init__(self, what: str, *, where: str, what_next: str) -> None:
        super().__init__(f"{what}\n  where: {where}\n  what to do: {what_next}")
        self.what = what
        self.where = where
        self.what_next = what_next

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return _rebuilt, (type(self), self.what, self.where, self.what_next)


class BrokerUnavailableError(RunError):
    """A broker did not answer."""


class TopicMissingError(RunError):
    """A topic that the flow reads does not exist."""


class ClientSettingsError(RunError):
    """The Kafka client refuses its settings."""


class PositionLostError(RunError):
    """A recovery snapshot stands at an offset that the topic's log does not have."""


class DeliveryError(RunError):
    """A record could not be written and there was nowhere to put it."""


class UnroutedErrorError(RunError):
    """A record failed and the flow declares no topic for its error kind."""


class ResourceError(RunError):
    """A dependency of ``With`` or ``WithAsync`` could not be opened."""


class RunAbandonedError(RunError):
    """A run was ended while it stood at a record; its epoch is left to the next run."""


class EngineError(RunError):
    """The engine stopped for a reason of its own."""


def _rebuilt(cls: type[RunError], what: str, where: str, what_next: str) -> RunError:
    return cls(what, where=where, what_next=what_next)
