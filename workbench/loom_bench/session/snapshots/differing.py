"""In what outputs, failures and final states of two replays differ, kept on disk, not in memory.

Outputs are paired by source record and sink, those of one record in order; outputs without a source
record by sink, key and order.
"""

from __future__ import annotations

import heapq
import re
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, Final, Self

import msgspec

from loom_bench.session.snapshots.comparison_value import (
    DifferenceKind,
    ErrorDifference,
    OutputDifference,
    StateDifference,
    ValueDifference,
)
from loom_runtime.recovery.history.epochs import flow_id
from loom_runtime.recovery.history.files import OpenStore, looking
from loom_runtime.recovery.history.state import stateful_steps
from loom_runtime.recovery.history.values import differences, json_text, show_value
from loom_runtime.recovery.identity import SINK_STEP, SOURCE_STEP
from loom_runtime.replay.capture import Captured, read_captured

LEFT: Final = 0
AGAIN: Final = 1
RIGHT: Final = 2

_ROWS_AT_ONCE: Final = 5_000

_SCHEMA: Final = """
CREATE TABLE taken (side INTEGER, seq INTEGER, sink TEXT, place TEXT, at INTEGER, key BLOB,
                    value BLOB, format TEXT);
CREATE TABLE failed (side INTEGER, place TEXT, at INTEGER, why TEXT);
"""

_PAIR: Final = """
CREATE TABLE paired AS SELECT *, row_number() OVER (
    PARTITION BY side, sink, place, at, CASE WHEN at < 0 THEN key END ORDER BY seq) AS nth
    FROM taken;
CREATE INDEX by_place ON paired (side, sink, place, at, nth);
CREATE INDEX failed_at ON failed (side, place, at);
"""


class Ignored:
    """Rules of fields that are left out.

    Args:
        rules: ``path``, ``sink:path`` or ``state:step:path``; ``*`` stands for any part.
    """

    def __init__(self, rules: Sequence[str]) -> None:
        self._patterns = [
            re.compile(".*".join(map(re.escape, rule.split("*"))) + r"(?:[.\[].*)?", re.DOTALL)
            for rule in rules
        ]

    def has(self, place: str, path: str) -> bool:
        """Return whether the field *path* of *place* is left out."""
        texts = (path, f"{place}:{path}")
        return any(each.fullmatch(text) for each in self._patterns for text in texts)


class CapturedPair:
    """What several replays gave, side by side in a file.

    Args:
        path: The file; made anew and deleted at the end.
        ignored: Fields that are left out.
    """

    def __init__(self, path: Path, ignored: Ignored) -> None:
        self._path = path
        self._ignored = ignored
        path.unlink(missing_ok=True)
        self._connection = sqlite3.connect(path, isolation_level=None)
        path.chmod(0o600)
        self._connection.executescript(
            "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA cache_size = -50000;"
            + _SCHEMA
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()
        self._path.unlink(missing_ok=True)

    def take(self, side: int, capture: Path) -> None:
        """Take in what one replay gave; envelopes apart, which its failures tell of.

        Raises:
            OSError: When it cannot be read.
        """
        execute = self._connection.executemany
        self._connection.execute("BEGIN")
        for chunk in _chunks(enumerate(read_captured(capture))):
            execute(
                "INSERT INTO taken VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                [
                    (
                        side,
                        seq,
                        each.sink,
                        each.partition,
                        each.offset,
                        each.key,
                        each.value,
                        each.format,
                    )
                    for seq, each in chunk
                    if each.kind == "record"
                ],
            )
            execute(
                "INSERT INTO failed VALUES (?, ?, ?, ?)",
                [
                    (side, each.partition, each.offset, _reason(each))
                    for _, each in chunk
                    if each.kind == "failure"
                ],
            )
        self._connection.execute("COMMIT")

    def pair(self) -> None:
        """Pair outputs; when every side is taken in."""
        self._connection.executescript(_PAIR)

    def outputs(self, left: int, right: int) -> Iterator[OutputDifference]:
        """Yield the outputs in which two sides differ, ignored fields left out."""
        with closing(self._connection.cursor()) as cursor:
            cursor.execute(
                f"SELECT l.sink, l.place, l.at, l.nth, l.key, l.value, l.format, r.nth, r.key, "  # noqa: S608
                f"r.value, r.format FROM paired AS l LEFT JOIN paired AS r {_SAME_PLACE} "
                "AND r.side = ? WHERE l.side = ? AND "
                "(r.nth IS NULL OR r.value IS NOT l.value OR r.key IS NOT l.key)",
                (right, left),
            )
            for sink, place, at, _, key, value, form, nth, other_key, other, other_form in cursor:
                if nth is None:
                    text = _text(value, form)
                    yield _output(DifferenceKind.REMOVED, sink, place, at, key, text, None)
                    continue
                fields = tuple(
                    self._fields(sink, (key, value, form), (other_key, other, other_form))
                )
                if fields:
                    yield msgspec.structs.replace(
                        _output(
                            DifferenceKind.CHANGED,
                            sink,
                            place,
                            at,
                            key,
                            _text(value, form),
                            _text(other, other_form),
                        ),
                        fields=fields,
                    )
            cursor.execute(
                f"SELECT r.sink, r.place, r.at, r.key, r.value, r.format FROM paired AS r "  # noqa: S608
                f"LEFT JOIN paired AS l {_SAME_PLACE} AND l.side = ? "
                "WHERE r.side = ? AND l.nth IS NULL",
                (left, right),
            )
            for sink, place, at, key, value, form in cursor:
                text = _text(value, form)
                yield _output(DifferenceKind.ADDED, sink, place, at, key, None, text)

    def errors(self, left: int, right: int) -> Iterator[ErrorDifference]:
        """Yield the records that fail on one side or both."""
        query = (
            "SELECT place, at, min(CASE WHEN side = ? THEN why END), "
            "min(CASE WHEN side = ? THEN why END) FROM failed WHERE side IN (?, ?) "
            "GROUP BY place, at ORDER BY place, at"
        )
        for place, at, before, after in self._connection.execute(query, (left, right, left, right)):
            kind = "same" if before and after else "fixed" if before else "new"
            yield ErrorDifference(
                kind=kind,  # type: ignore[arg-type]
                partition=place,
                offset=at,
                left=before or "",
                right=after or "",
            )

    def _fields(
        self,
        sink: str,
        left: tuple[bytes | None, bytes | None, str],
        right: tuple[bytes | None, bytes | None, str],
    ) -> Iterator[ValueDifference]:
        if left[0] != right[0] and not self._ignored.has(sink, "@key"):
            yield ValueDifference(path="@key", left=json_text(left[0]), right=json_text(right[0]))
        for each in differences(_data(left[1], left[2]), _data(right[1], right[2])):
            if not self._ignored.has(sink, each.path):
                yield ValueDifference(path=each.path, left=each.before, right=each.after)


_SAME_PLACE: Final = (
    "ON r.sink = l.sink AND r.place = l.place AND r.at = l.at AND r.nth = l.nth "
    "AND (r.at >= 0 OR r.key IS l.key)"
)


def state_differences(
    left: Path, right: Path, ignored: Ignored, modules: tuple[str, str] = ("", "")
) -> Iterator[StateDifference]:
    """Yield the keys in whose last value two stores differ.

    Args:
        left: Folder of a store.
        right: Folder of the other one.
        ignored: Fields that are left out.
        modules: Names of the modules that the two were run from: a record that a node holds tells
            its type by module and class, and a copy of a module in another file is no change.

    Raises:
        StoreError: When one cannot be read.
    """
    with looking(left) as one, looking(right) as other:
        steps = sorted({*_step_ids(one), *_step_ids(other)})
        for step in steps:
            for key, before, after in _side_by_side(_values(one, step), _values(other, step)):
                if before == after:
                    continue
                old, new = show_value(before), show_value(after)
                if before is None or after is None:
                    kind = DifferenceKind.ADDED if before is None else DifferenceKind.REMOVED
                    fields: tuple[ValueDifference, ...] = (
                        ValueDifference(path="", left=old.text, right=new.text),
                    )
                else:
                    kind = DifferenceKind.CHANGED
                    fields = tuple(
                        ValueDifference(path=each.path, left=each.before, right=each.after)
                        for each in differences(old.data, new.data)
                        if not ignored.has(f"state:{step}", each.path)
                        and not same_type(each.before, each.after, modules)
                    )
                if fields:
                    yield StateDifference(kind=kind, step_id=step, key=key, fields=fields)


def same_type(before: str | None, after: str | None, modules: tuple[str, str]) -> bool:
    """Return whether two JSON texts name one class in a module and in its copy.

    Args:
        before: One text; ``None`` for none.
        after: The other one.
        modules: Names of module and copy, packages left out.
    """
    one, other = modules
    if one == other or before is None or after is None:
        return False
    pattern = rf"\b{re.escape(one)}(?=:)"
    return before.startswith('"') and re.sub(pattern, lambda _: other, before) == after


def count_keys(folder: Path) -> int:
    """Return how many keys a store's last state has."""
    with looking(folder) as store:
        return sum(1 for step in _step_ids(store) for _ in _values(store, step))


def _step_ids(store: OpenStore) -> list[str]:
    flow = flow_id(store)
    ids = [
        each if flow is None else each.removeprefix(f"{flow}.") for each in stateful_steps(store)
    ]
    return [each for each in ids if each not in (SOURCE_STEP, SINK_STEP)]


def _values(store: OpenStore, step: str) -> Iterator[tuple[str, bytes]]:
    """Yield key and pickled value of a step's last state, in the order of keys."""
    flow = flow_id(store)
    full_id = step if flow is None else f"{flow}.{step}"
    query = (
        "SELECT state_key, max(snap_epoch), ser_change FROM snaps WHERE step_id = ? AND "
        "snap_epoch < ? GROUP BY state_key ORDER BY state_key"
    )
    scans = [file.scan(query, (full_id, store.resume_epoch)) for file in store.files]
    for key, _, blob in heapq.merge(*scans, key=lambda row: str(row[0])):
        if blob is not None:
            yield key, blob


def _side_by_side(
    left: Iterator[tuple[str, bytes]], right: Iterator[tuple[str, bytes]]
) -> Iterator[tuple[str, bytes | None, bytes | None]]:
    one, other = next(left, None), next(right, None)
    while one is not None or other is not None:
        if other is None or (one is not None and one[0] < other[0]):
            assert one is not None  # noqa: S101 - for the type checker
            yield one[0], one[1], None
            one = next(left, None)
        elif one is None or other[0] < one[0]:
            yield other[0], None, other[1]
            other = next(right, None)
        else:
            yield one[0], one[1], other[1]
            one, other = next(left, None), next(right, None)


def _chunks(items: Iterable[Any]) -> Iterator[list[Any]]:
    chunk = []
    for item in items:
        chunk.append(item)
        if len(chunk) == _ROWS_AT_ONCE:
            yield chunk
            chunk = []
    yield chunk


def _reason(failure: Captured) -> str:
    kind, why = (failure.key or b"").decode(), (failure.value or b"").decode(errors="replace")
    return f"{failure.sink}: {kind.rpartition('.')[2]}: {why}"


def _output(
    kind: DifferenceKind,
    sink: str,
    place: str,
    at: int,
    key: bytes | None,
    left: str | None,
    right: str | None,
) -> OutputDifference:
    return OutputDifference(
        kind=kind,
        sink=sink,
        partition=place,
        offset=at,
        key=(key or b"").decode("utf-8", "backslashreplace"),
        left=left,
        right=right,
    )


def _data(value: bytes | None, form: str) -> Any:
    if value is None:
        return None
    decode = msgspec.json.decode if form == "json" else msgspec.msgpack.decode
    try:
        return decode(value)
    except (msgspec.MsgspecError, ValueError, TypeError, RecursionError):
        return value.decode("utf-8", "backslashreplace")


def _text(value: bytes | None, form: str) -> str:
    if value is not None and form == "json":
        return value.decode("utf-8", "backslashreplace")
    return json_text(_data(value, form))
