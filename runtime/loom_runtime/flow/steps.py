"""The step base classes that users derive from."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar, Generic, TypeVar

from loom_runtime.configurable import Configurable
from loom_runtime.flow.shapes import StreamShape
from loom_runtime.message import Message
from loom_runtime.model import LoomFrozenStruct, LoomStruct

InT = TypeVar("InT", bound=LoomStruct | LoomFrozenStruct)
OutT = TypeVar("OutT", bound=LoomStruct | LoomFrozenStruct)
StateT = TypeVar("StateT", bound=LoomStruct | LoomFrozenStruct)


class Step(Configurable, ABC, Generic[InT, OutT]):
    """Base of all steps. Stands in a process as its class, an instance or a config binding.

    Attributes:
        name: Name shown everywhere; the class's qualified name when empty.
        input_shape: Shape the step takes.
        output_shape: Shape the step gives.
    """

    name: ClassVar[str] = ""
    input_shape: ClassVar[StreamShape] = StreamShape.RECORD
    output_shape: ClassVar[StreamShape] = StreamShape.RECORD

    _log: Any = None

    @classmethod
    def step_name(cls) -> str:
        """Return the name shown everywhere."""
        return cls.name or cls.__qualname__

    @property
    def log(self) -> Any:
        """A structlog logger bound to this step's name, class and module."""
        if self._log is None:
            # Half of this package's import time, and declarations alone don't log.
            import structlog  # noqa: PLC0415

            cls = type(self)
            self._log = structlog.get_logger(cls.__module__).bind(
                step=cls.step_name(), step_class=cls.__qualname__
            )
        return self._log


class RecordStep(Step[InT, OutT]):
    """One record in, one out.

    Subclasses define ``execute(self, message, **deps) -> Out``. Returning ``None`` is an error,
    not a drop: use :class:`ExpandStep` to filter.

    A payload keeps the metadata of its record. Any step but a :class:`BatchExpandStep` may also
    return a :class:`~loom_runtime.message.Message`: it keeps its own metadata, where that is empty
    the record's, and always the topic, partition and offset that the record was read from.
    """


class BatchStep(Step[InT, OutT]):
    """One batch in, one output per message out.

    Subclasses define ``execute(self, messages, **deps) -> sequence of Out``, one per message, in
    order. Inside a Router branch the step runs on a batch of one.
    """

    input_shape: ClassVar[StreamShape] = StreamShape.BATCH
    output_shape: ClassVar[StreamShape] = StreamShape.BATCH


class ExpandStep(Step[InT, OutT]):
    """One record in, any number out.

    Subclasses define ``execute(self, message, **deps) -> iterable of Out``. No output filters the
    record.
    """


class BatchExpandStep(Step[InT, OutT]):
    """One batch in, any number of records out per message.

    Subclasses define ``execute(self, messages, **deps) -> list of lists``: list *i* comes from
    message *i* and takes its metadata.
    """

    input_shape: ClassVar[StreamShape] = StreamShape.BATCH
    output_shape: ClassVar[StreamShape] = StreamShape.RECORD


class StatefulStep(Step[InT, OutT], Generic[InT, OutT, StateT]):
    """One record and the state of its key in; the new state and any number of records out.

    State lives in the recovery store. It is a struct, named by the third type argument
    (``StatefulStep[Order, Total, Totals]``) or by ``state_type``. Records of one key from one
    partition are taken in order. Subclasses also define
    ``execute(self, state, message, **deps) -> (state, iterable of Out)``; ``None`` as state drops
    the key. A record that fails leaves the state as it was, even when ``execute`` had changed it
    in place: the state is encoded after every record, so keep it small.

    Attributes:
        state_type: The state's struct type; found from the type arguments when ``None``.
    """

    state_type: ClassVar[type[Any] | None] = None

    @abstractmethod
    def key(self, message: Message[InT]) -> str:
        """Return the key whose state *message* touches."""

    @abstractmethod
    def initial(self) -> StateT:
        """Return the state of a key that was never seen."""
