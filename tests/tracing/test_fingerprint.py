"""One failure has one fingerprint, wherever it is met; another failure has another."""

import msgspec
import pytest

from loom_runtime.errors import ErrorEnvelope, ErrorKind
from loom_runtime.tracing.fingerprint import FINGERPRINT_VERSION, envelope_fingerprint

FRAME = '  File "{folder}/orders.py", line {line}, in Price.execute\n    return total / count'


def envelope(**changes: object) -> ErrorEnvelope[object]:  # type: ignore[type-var]
    plain: ErrorEnvelope[object] = ErrorEnvelope(  # type: ignore[type-var]
        kind=ErrorKind.TASK,
        reason="division by zero",
        node="Price",
        exception_type="builtins.ZeroDivisionError",
        traceback=FRAME.format(folder="/srv/app", line=12),
    )
    return msgspec.structs.replace(plain, **changes)


SAME = envelope_fingerprint(envelope())


def test_it_says_its_version() -> None:
    assert SAME.startswith(f"{FINGERPRINT_VERSION}-")


@pytest.mark.parametrize(
    "changes",
    [
        {"traceback": FRAME.format(folder="/srv/app", line=99)},
        {"traceback": FRAME.format(folder="/elsewhere/of/another", line=12)},
        {"reason": "another text"},
        {"traceback": "\n".join([FRAME.format(folder="/srv/app", line=n) for n in range(9)])},
        {"revision": "abc", "attempt": 4, "payload_type": "x"},
    ],
    ids=["line moved", "another folder", "another text", "deeper recursion", "another attempt"],
)
def test_what_changes_nothing_about_the_failure(changes: dict[str, object]) -> None:
    assert envelope_fingerprint(envelope(**changes)) == SAME


@pytest.mark.parametrize(
    "changes",
    [
        {"kind": ErrorKind.BUSINESS},
        {"node": "Total"},
        {"exception_type": "builtins.KeyError"},
        {"traceback": FRAME.format(folder="/srv", line=12).replace("count", "number")},
        {"traceback": FRAME.format(folder="/srv", line=12).replace("execute", "key")},
        {"traceback": FRAME.format(folder="/srv", line=12) + "\ncaused by KeyError: 'x'"},
        {"traceback": None},
    ],
    ids=["kind", "node", "exception", "line's text", "function", "cause", "no frames"],
)
def test_another_failure(changes: dict[str, object]) -> None:
    assert envelope_fingerprint(envelope(**changes)) != SAME


def test_without_frames_the_text_tells_and_its_numbers_do_not() -> None:
    first = envelope(traceback=None, reason="order 17 has no customer 4")
    other = envelope(traceback=None, reason="order 18 has no customer 5")
    third = envelope(traceback=None, reason="order 18 has no price")
    assert envelope_fingerprint(first) == envelope_fingerprint(other)
    assert envelope_fingerprint(first) != envelope_fingerprint(third)
