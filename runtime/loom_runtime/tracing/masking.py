"""Names behind which secrets are kept: their values are never put down."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

import msgspec

from loom_runtime.model import LoomFrozenStruct

MASKED: Final = "<masked>"

_NAMES: Final = (
    r"passw(or)?d|passphrase|(^|_)pwd($|_)|secret|token|api_?key|access_?key|private_?key"
    r"|credential|authorization|cookie|card_?number|(^|_)(cvv|cvc|pin|ssn|iban)($|_)"
)
_CREDENTIALS_IN_URL: Final = re.compile(r"(?<=://)[^/\s:@]*:[^/\s@]+(?=@)")


class TracingConfig(LoomFrozenStruct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The configuration section ``tracing``.

    Attributes:
        mask: Regular expressions besides the ones that are always there: values of variables,
            fields and keys whose name one of them is found in, case apart, are not shown.
    """

    mask: tuple[str, ...] = msgspec.field(default_factory=tuple)


class Masking:
    """Says which names are secret.

    Args:
        more: Regular expressions of further names.

    Raises:
        ValueError: When one of them is no regular expression.
    """

    def __init__(self, more: Iterable[str] = ()) -> None:
        try:
            self._secret = re.compile("|".join([_NAMES, *more]), re.IGNORECASE)
        except re.error as error:
            raise ValueError(f"{error.pattern!r} is no regular expression: {error}") from error

    def hides(self, name: str) -> bool:
        """Return whether the value behind *name* is not to be shown."""
        return self._secret.search(name.replace("-", "_")) is not None

    def cleaned(self, text: str) -> str:
        """Return *text* without the login that a URL in it carries."""
        if "://" not in text:
            return text
        return _CREDENTIALS_IN_URL.sub(MASKED, text)
