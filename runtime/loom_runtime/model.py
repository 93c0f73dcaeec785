"""The msgspec structs that payloads and configuration derive from."""

from __future__ import annotations

from typing import ClassVar, TypeVar

import msgspec


def message_type_of(cls: type) -> str:
    """Return the stable type name that travels with a payload.

    Args:
        cls: A payload class.

    Returns:
        ``cls.__loom_message_type__`` when the class itself sets it, else ``module.qualname``.
    """
    declared = cls.__dict__.get("__loom_message_type__")
    if isinstance(declared, str) and declared:
        return declared
    return f"{cls.__module__}.{cls.__qualname__}"


class LoomStruct(msgspec.Struct):
    """A mutable struct: the base of payloads and configuration."""

    __loom_message_type__: ClassVar[str] = ""

    @classmethod
    def loom_message_type(cls) -> str:
        """Return the stable type name: ``__loom_message_type__`` or ``module.qualname``."""
        return message_type_of(cls)


class LoomFrozenStruct(msgspec.Struct, frozen=True, gc=False):
    """An immutable struct: the base of payloads and configuration."""

    __loom_message_type__: ClassVar[str] = ""

    @classmethod
    def loom_message_type(cls) -> str:
        """Return the stable type name: ``__loom_message_type__`` or ``module.qualname``."""
        return message_type_of(cls)


StreamPayload = LoomStruct | LoomFrozenStruct
"""What may travel as a payload."""

PayloadT = TypeVar("PayloadT", bound=StreamPayload)
