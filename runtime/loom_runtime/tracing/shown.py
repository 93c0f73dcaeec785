"""Values of a trace as bounded text: what is recorded, kept, sent to another process and shown."""

from __future__ import annotations

from enum import StrEnum

from loom_runtime.errors import ErrorMessageMeta
from loom_runtime.model import LoomFrozenStruct


class ValueForm(StrEnum):
    """How a value is put down.

    ``json``: as JSON text, from which it can be made again. ``repr``: as what its ``__repr__``
    says. ``raw``: bytes, beside an escaped text of them.
    """

    JSON = "json"
    REPR = "repr"
    RAW = "raw"


class ShownValue(LoomFrozenStruct, frozen=True, kw_only=True):
    """One value.

    Attributes:
        type_name: Name of its type, as code would say it: ``Order``, ``int``.
        text: The value as text of bounded length.
        form: What kind of text that is.
        complete: Whether the text, or the raw bytes, are the whole value.
        raw: The bytes of a value that is bytes, cut like the text; ``None`` for any other.
        size: Characters or bytes of the whole value where that is known, ``None`` where not.
    """

    type_name: str
    text: str
    form: ValueForm = ValueForm.JSON
    complete: bool = True
    raw: bytes | None = None
    size: int | None = None


class TracedMessage(LoomFrozenStruct, frozen=True, kw_only=True):
    """One message at a node.

    Attributes:
        payload_type: Name from which the type is found again by the code that has it
            (:mod:`loom_runtime.execution.payload_types`); empty for what was never decoded.
        value: The payload.
        meta: Its metadata; headers of bounded size.
    """

    payload_type: str
    value: ShownValue
    meta: ErrorMessageMeta

    @property
    def key(self) -> bytes | None:
        """The record key."""
        return self.meta.key


class EditedMessage(LoomFrozenStruct, frozen=True, kw_only=True):
    """A message that a user changed, or took out of a trace, to go on with.

    Attributes:
        payload_type: As in the :class:`TracedMessage` that it was.
        value: The payload as JSON text.
        meta: Its metadata.
    """

    payload_type: str
    value: str
    meta: ErrorMessageMeta
