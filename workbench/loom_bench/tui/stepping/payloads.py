"""A value as lines, in four views: a tree, JSON, its text as it is, its bytes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from itertools import islice
from typing import Any, Final

import msgspec

from loom_bench.tui.figures import count_text
from loom_bench.tui.ink import Ink, Line
from loom_bench.tui.stepping.columns import wrapped
from loom_bench.tui.stepping.difference import (
    MARKS,
    MAX_LEAVES,
    Change,
    Path,
    difference,
    line_changes,
)
from loom_runtime.tracing.shown import ShownValue, ValueForm

_MAX_LINES: Final = 2_000
_MAX_TEXT: Final = 200_000
"""Characters of a value that are laid out; traces cut values far below that."""

_MAX_DEPTH: Final = 60
"""Levels of a tree; what is nested deeper is shown as text."""

_INKS: Final = {
    Change.SAME: Ink.PLAIN,
    Change.CHANGED: Ink.WARN,
    Change.NEW: Ink.GOOD,
    Change.GONE: Ink.BAD,
}
_NOTHING: Final = object()


class PayloadView(StrEnum):
    """How values are shown; a key goes from one to the next."""

    TREE = "tree"
    JSON = "json"
    RAW = "raw"
    HEX = "hex"

    @property
    def following(self) -> PayloadView:
        """The next one."""
        views = list(PayloadView)
        return views[(views.index(self) + 1) % len(views)]


@dataclass(frozen=True)
class Pair:
    """Lines of an input and of an output, the differences marked in both."""

    before: Sequence[Line]
    after: Sequence[Line]


def pair_lines(
    before: ShownValue | None, after: ShownValue | None, view: PayloadView, width: int
) -> Pair:
    """Return both values as lines of at most *width* cells, what differs marked.

    A side that is ``None`` has no lines, and nothing on the other side is marked then.
    """
    if before is None or after is None:
        return Pair(_plain(before, view, width), _plain(after, view, width))
    if view is PayloadView.TREE:
        old, new = decoded(before), decoded(after)
        if old is not _NOTHING and new is not _NOTHING:
            found = difference(old, new)
            return Pair(
                (*_tree(old, found.before), *_rest(before)),
                (*_tree(new, found.after), *_rest(after)),
            )
    texts = _texts(before, view, width), _texts(after, view, width)
    changes = line_changes(*([_told(text, view) for text in each] for each in texts))
    return Pair(
        (*_marked(texts[0], changes[0]), *_rest(before)),
        (*_marked(texts[1], changes[1]), *_rest(after)),
    )


def _told(line: str, view: PayloadView) -> str:
    """Return what of a line counts: in JSON neither how far it is indented nor a comma behind."""
    return line.strip().rstrip(",") if view is PayloadView.JSON else line


def _plain(value: ShownValue | None, view: PayloadView, width: int) -> Sequence[Line]:
    if value is None:
        return ()
    if view is PayloadView.TREE and (tree := decoded(value)) is not _NOTHING:
        return (*_tree(tree, {}), *_rest(value))
    texts = _texts(value, view, width)
    return (*_marked(texts, [Change.SAME] * len(texts)), *_rest(value))


def decoded(value: ShownValue) -> Any:
    """Return what the JSON of *value* stands for; something of its own when it is no JSON."""
    return _decoded(value.raw if value.raw is not None else value.text, value.form)


@lru_cache(maxsize=64)
def _decoded(content: str | bytes, form: ValueForm) -> Any:
    # What cannot be a document is not tried: repr texts such as 12 or "x" happen to be JSON too.
    if form is ValueForm.REPR or len(content) > _MAX_TEXT:
        return _NOTHING
    try:
        value = msgspec.json.decode(content)
    except (msgspec.DecodeError, RecursionError, UnicodeError):
        return _NOTHING
    return _NOTHING if _is_deep(value) else value


def _is_deep(value: Any) -> bool:
    """Whether it is nested too deeply to be compared, which goes by recursion, or to be seen."""
    level = [value]
    for _ in range(_MAX_DEPTH):
        level = [
            child
            for each in level
            if isinstance(each, dict | list)
            for child in (each.values() if isinstance(each, dict) else each)
            if isinstance(child, dict | list)
        ]
        if not level:
            return False
    return True


def _texts(value: ShownValue, view: PayloadView, width: int) -> Sequence[str]:
    """Return the lines of a value's text, each at most as wide as the column."""
    room = max(8, width - 2)
    if view is PayloadView.HEX:
        return tuple(_hex_lines(_content(value), room))
    text = value.text
    if view is not PayloadView.RAW:
        text = _indented(value)
    return tuple(islice(wrapped(text[:_MAX_TEXT], room), _MAX_LINES))


def _content(value: ShownValue) -> bytes:
    return value.raw if value.raw is not None else value.text.encode("utf-8", "backslashreplace")


def _indented(value: ShownValue) -> str:
    if decoded(value) is _NOTHING:
        return value.text
    try:
        text = value.raw.decode() if value.raw is not None else value.text
        return msgspec.json.format(text, indent=2)
    except (msgspec.DecodeError, RecursionError, UnicodeError):
        return value.text


def _hex_lines(content: bytes, room: int) -> Iterator[str]:
    # 8 cells of offset, then for each byte two digits, a space, and its character.
    per_row = next((each for each in (16, 8, 6) if room >= 9 + 4 * each), 4)
    for start in range(0, min(len(content), _MAX_LINES * per_row), per_row):
        piece = content[start : start + per_row]
        digits = " ".join(f"{byte:02x}" for byte in piece)
        shown = "".join(chr(byte) if 0x20 <= byte < 0x7F else "." for byte in piece)
        yield f"{start:06x}  {digits:<{per_row * 3 - 1}}  {shown}"


def _marked(texts: Sequence[str], changes: Sequence[Change]) -> Iterator[Line]:
    for text, change in zip(texts[:_MAX_LINES], changes, strict=False):
        ink = _INKS[change]
        yield ((f"{MARKS[change]} ", ink), (text, ink))


def _tree(value: Any, changes: Mapping[Path, Change]) -> Iterator[Line]:
    """Yield a line for each member, guides before it; iterative, since data may be deep."""
    if not isinstance(value, dict | list) or not value:
        change = changes.get((), Change.SAME)
        yield ((f"{MARKS[change]} ", _INKS[change]), (_leaf_text(value), _INKS[change]))
        return
    waiting = list(reversed(_members((), value, "")))
    count = 0
    while waiting and count < MAX_LEAVES:
        path, child, guides, last = waiting.pop()
        yield _tree_line(path, child, guides + ("└ " if last else "├ "), changes)
        count += 1
        if isinstance(child, dict | list) and child:
            waiting.extend(reversed(_members(path, child, guides + ("  " if last else "│ "))))
    if waiting:
        yield ((f"  cut after {MAX_LEAVES} members", Ink.DIM),)


_Member = tuple[Path, Any, str, bool]


def _members(path: Path, value: Any, guides: str) -> list[_Member]:
    pairs = list(value.items()) if isinstance(value, dict) else list(enumerate(value))
    last = len(pairs) - 1
    return [
        ((*path, name), child, guides, index == last)
        for index, (name, child) in enumerate(pairs[:MAX_LEAVES])
    ]


def _tree_line(path: Path, child: Any, guides: str, changes: Mapping[Path, Change]) -> Line:
    name = str(path[-1])
    if isinstance(child, dict | list) and child:
        change = Change.SAME
        told = f"{len(child)} items" if isinstance(child, list) else ""
    else:
        change = changes.get(path, Change.SAME)
        told = _leaf_text(child)
    ink = _INKS[change]
    return (
        (f"{MARKS[change]} ", ink),
        (guides, Ink.DIM),
        (f"{name}  ", Ink.ACCENT if change is Change.SAME else ink),
        (told, ink if told and change is not Change.SAME else Ink.PLAIN),
    )


def _leaf_text(leaf: Any) -> str:
    if isinstance(leaf, str):
        return f'"{leaf}"'
    if leaf is None or isinstance(leaf, bool):
        return {None: "null", True: "true", False: "false"}[leaf]
    return "{}" if leaf == {} else "[]" if leaf == [] else str(leaf)


def _rest(value: ShownValue) -> Iterator[Line]:
    if value.complete:
        return
    whole = f" of {count_text(value.size)}" if value.size is not None else ""
    unit = "bytes" if value.raw is not None else "characters"
    shown = len(value.raw) if value.raw is not None else len(value.text)
    yield ((f"  cut: the first {count_text(shown)}{whole} {unit}", Ink.WARN),)
