"""Chooses the decoder of a payload by its message type."""

from __future__ import annotations

import types
from collections.abc import Callable
from typing import Any, Union, get_args, get_origin

import msgspec

from loom_runtime.errors import ErrorEnvelope
from loom_runtime.model import message_type_of
from loom_runtime.wire.failing import UnknownMessageTypeError
from loom_runtime.wire.loom_envelope import (
    ERROR_TYPE_PREFIX,
    WIRE_ERROR_TYPE,
    WireErrorPayload,
    envelope_of,
)

PayloadDecoder = Callable[[Any], Any]
"""Makes a payload of bytes, or of anything else with the buffer protocol."""

DecoderFactory = Callable[[Any], PayloadDecoder]
"""Makes the decoder of a type."""


class _ErrorProbe(msgspec.Struct, gc=False):
    payload_type: str | None = None


def json_decoder(payload_type: Any) -> PayloadDecoder:
    """Return a decoder of JSON."""
    return msgspec.json.Decoder(payload_type).decode


def msgpack_decoder(payload_type: Any) -> PayloadDecoder:
    """Return a decoder of MessagePack."""
    return msgspec.msgpack.Decoder(payload_type).decode


def type_name(payload_type: Any) -> str:
    """Return the stable message type of a payload type, generic or not."""
    own = getattr(payload_type, "loom_message_type", None)
    if own is not None:
        return str(own())
    origin = get_origin(payload_type) or payload_type
    return message_type_of(origin) if isinstance(origin, type) else str(payload_type)


def is_error_envelope(payload_type: Any) -> bool:
    """Return whether *payload_type* is :class:`ErrorEnvelope`, parameterised or not."""
    return (get_origin(payload_type) or payload_type) is ErrorEnvelope


def error_envelope_type(payload_type: Any) -> Any:
    """Return ``ErrorEnvelope[payload_type]``."""
    return ErrorEnvelope[payload_type]


def flattened(payload_types: tuple[Any, ...]) -> tuple[Any, ...]:
    """Return the types one by one: unions, also those inside ``ErrorEnvelope``, are taken apart."""
    flat: list[Any] = []
    for each in payload_types:
        if get_origin(each) in (Union, types.UnionType):
            flat += flattened(get_args(each))
        elif is_error_envelope(each) and get_args(each):
            flat += [error_envelope_type(inner) for inner in flattened(get_args(each))]
        else:
            flat.append(each)
    return tuple(flat)


class TypeTable:
    """The payload types of a source, by message type.

    An error envelope's message type says its kind only; which :class:`ErrorEnvelope` it is, is
    told by the ``payload_type`` inside it. An envelope that names none, or that never had a
    payload, is the first one declared.

    Args:
        payload_types: The declared types.
        factory: Makes their decoders.
        wire_errors_nested: Whether wire errors lie in a :class:`WireErrorPayload`, as in the
            ``loom`` format.
    """

    def __init__(
        self,
        payload_types: tuple[Any, ...],
        factory: DecoderFactory,
        *,
        wire_errors_nested: bool = False,
    ) -> None:
        plain: dict[str, PayloadDecoder] = {}
        errors: dict[str, PayloadDecoder] = {}
        for payload_type in flattened(payload_types):
            decoder = factory(payload_type)
            if not is_error_envelope(payload_type):
                plain[type_name(payload_type)] = decoder
                continue
            inner = get_args(payload_type)
            errors[type_name(inner[0]) if inner and inner[0] is not Any else ""] = decoder
        self._plain = plain
        self._errors = errors
        self._first_error = next(iter(errors.values()), None)
        self._probe = factory(_ErrorProbe)
        self._wire_error = factory(WireErrorPayload) if wire_errors_nested else None
        self._only_errors = not plain

    def decode(self, message_type: str | None, value: Any) -> Any:
        """Return the payload in *value*.

        Raises:
            UnknownMessageTypeError: When no declared type is meant.
            msgspec.DecodeError: When the bytes don't fit the type.
        """
        plain = self._plain.get(message_type) if message_type is not None else None
        if plain is not None:
            return plain(value)
        if self._first_error is not None:
            if message_type == WIRE_ERROR_TYPE and self._wire_error is not None:
                return envelope_of(self._wire_error(value))
            if self._only_errors or (message_type or "").startswith(ERROR_TYPE_PREFIX):
                return self._error_decoder(message_type, value)(value)
        raise self._unknown(message_type, None)

    def _error_decoder(self, message_type: str | None, value: Any) -> PayloadDecoder:
        inner = self._probe(value).payload_type
        decoder = self._errors.get(inner, self._errors.get("")) if inner else self._first_error
        if message_type == WIRE_ERROR_TYPE:
            decoder = self._first_error
        if decoder is None:
            raise self._unknown(message_type, inner)
        return decoder

    def _unknown(self, message_type: str | None, inner: str | None) -> UnknownMessageTypeError:
        known = [*sorted(self._plain)]
        known += [f"an error envelope of {name or 'anything'}" for name in sorted(self._errors)]
        if message_type is None:
            what = "the record names no message type (header x-message-type)"
        elif inner is not None:
            what = f"an error envelope of message type {inner!r} is not declared"
        else:
            what = f"message type {message_type!r} is not declared"
        return UnknownMessageTypeError(f"{what}; this source knows {', '.join(known)}")
