"""What may look on while a node works: a tracer, or what stops a run at a record."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from loom_runtime.compiler.plan import NodePath
from loom_runtime.message import Message

if TYPE_CHECKING:
    from loom_runtime.execution.keyed import KeyState
    from loom_runtime.execution.outcome import Messages, Offsets, Outcome, Pair
    from loom_runtime.execution.stages import Stage
    from loom_runtime.execution.statistics import NodeStatistics
    from loom_runtime.execution.travel import Stepped
    from loom_runtime.wire.records import RawRecord, WireFailure

Ended = Callable[[Sequence[Message[Any]]], None]
"""Told what a node gave."""


class Watcher(Protocol):
    """Looks on while one node works. A node that nobody watches asks for it once a batch."""

    def run(self, stage: Stage, offsets: Offsets, messages: Messages, out: Outcome) -> Pair:
        """Run *stage* over a batch, with its ``measured``, and return what goes on."""
        ...

    def began(self, message: Message[Any]) -> Ended:
        """Take in that a node inside a ``WithAsync`` takes *message*; from the event loop."""
        ...

    def step(self, state: KeyState, partition: str, offset: int, message: Message[Any]) -> Stepped:
        """Run a keyed step for one record, with the state's ``take``."""
        ...

    def read(
        self,
        records: Sequence[RawRecord],
        decoded: tuple[Offsets, Messages, list[WireFailure]],
        out: Outcome,
    ) -> tuple[Offsets, Messages, list[WireFailure]]:
        """Take in what the source's records were decoded into; return what goes on."""
        ...


class Overseer(Protocol):
    """Looks on while a run works, over all of its nodes and workers."""

    def register(self, worker: object, path: NodePath, statistics: NodeStatistics) -> None:
        """Take in that *worker* has a node, and watch it if it is to be."""
        ...

    def settle(self, worker: object, out: Outcome) -> None:
        """Take in that a batch went through *worker*'s segment, before anything of it is sent."""
        ...
