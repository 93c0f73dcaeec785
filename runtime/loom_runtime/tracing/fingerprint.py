"""The one identity of a failure: live groups, traces and envelopes on topics are grouped by it.

It is made of what an envelope carries, so that the same failure has the same fingerprint wherever
it is met: kind, node, exception type, and of each frame the file's name, the function and the text
of the line. Line numbers and folders are left out: they change with edits and machines.
"""

from __future__ import annotations

import hashlib
import re
from typing import Any, Final

from loom_runtime.errors import ErrorEnvelope

FINGERPRINT_VERSION: Final = 1
"""Goes up whenever the same failure would get another fingerprint."""

_DIGEST_BYTES: Final = 8
_REASON_CHARS: Final = 2_000
_DIGITS: Final = re.compile(r"\d+")
_FRAME: Final = re.compile(r'^  File "(?P<file>.*)", line \d+, in (?P<function>.*)$')
_CAUSE: Final = re.compile(r"^caused by (?P<type>[^:\s]*)")


def fingerprint(
    *, kind: str, node: str, exception_type: str, traceback: str | None, reason: str
) -> str:
    """Return the fingerprint, as ``1-`` (its version) and 16 hexadecimal digits.

    Args:
        kind: Error kind.
        node: Name of the failing node; empty for the source.
        exception_type: ``module.qualname`` of the exception; empty when it is not known.
        traceback: The envelope's traceback, the user's frames.
        reason: The exception's text: it stands in, its digits folded, where there is no traceback.
    """
    where = _places(traceback) if traceback else [_DIGITS.sub("0", reason[:_REASON_CHARS])]
    identity = "\0".join((kind, node, exception_type, *where))
    digest = hashlib.blake2s(
        identity.encode("utf-8", "backslashreplace"), digest_size=_DIGEST_BYTES
    ).hexdigest()
    return f"{FINGERPRINT_VERSION}-{digest}"


def envelope_fingerprint(envelope: ErrorEnvelope[Any]) -> str:
    """Return the fingerprint of *envelope*."""
    return fingerprint(
        kind=envelope.kind.value,
        node=envelope.node or "",
        exception_type=envelope.exception_type or "",
        traceback=envelope.traceback,
        reason=envelope.reason,
    )


def _places(traceback: str) -> list[str]:
    """Return what identifies each frame, each once: recursion is as deep as the record asks."""
    places: dict[str, None] = {}
    lines = traceback.splitlines()
    for index, line in enumerate(lines):
        frame = _FRAME.match(line)
        if frame is not None:
            file = frame["file"].replace("\\", "/").rpartition("/")[2]
            following = lines[index + 1] if index + 1 < len(lines) else ""
            text = following.strip() if following.startswith("    ") else ""
            places[f"{file} {frame['function']} {text}"] = None
        elif (cause := _CAUSE.match(line)) is not None:
            places[f"caused by {cause['type']}"] = None
    return list(places)
