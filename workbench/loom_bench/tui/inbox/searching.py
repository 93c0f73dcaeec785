"""The filter of the inbox as it is typed: words, and fields such as ``key:`` and ``offset:``."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from loom_bench.session.envelopes.terms import InboxFilter, TriageState

HINT: Final = "words, or key: node: offset:100-200 state:open,fixed"

_OFFSETS: Final = re.compile(r"(\d{0,19})(-?)(\d{0,19})")


def parse_search(text: str) -> InboxFilter:
    """Return the filter that *text* asks for.

    What cannot be an offset or a state is looked for as a word: the list then shows that nothing
    has it, and the summary how it was understood.
    """
    words: list[str] = []
    found: dict[str, str] = {}
    offsets: tuple[int | None, int | None] = (None, None)
    states: tuple[TriageState, ...] = ()
    for word in text.split():
        name, colon, rest = word.partition(":")
        if not colon:
            words.append(word)
        elif name in ("key", "node"):
            found[name] = rest
        elif name == "offset" and (match := _OFFSETS.fullmatch(rest)):
            offsets = _range(*match.groups())
        elif name == "state" and (known := _states(rest)) is not None:
            states = known
        else:
            words.append(word)
    return InboxFilter(
        text=" ".join(words),
        key=found.get("key", ""),
        node=found.get("node", ""),
        from_offset=offsets[0],
        to_offset=offsets[1],
        states=states,
    )


def search_text(wanted: InboxFilter) -> str:
    """Return *wanted* as it would be typed."""
    return " ".join(_parts(wanted))


def _parts(wanted: InboxFilter) -> Iterator[str]:
    if wanted.text:
        yield wanted.text
    if wanted.key:
        yield f"key:{wanted.key}"
    if wanted.node:
        yield f"node:{wanted.node}"
    low, high = wanted.from_offset, wanted.to_offset
    if low is not None or high is not None:
        one = low is not None and low == high
        yield f"offset:{low}" if one else f"offset:{_bound(low)}-{_bound(high)}"
    if wanted.states:
        yield f"state:{','.join(wanted.states)}"


def _bound(offset: int | None) -> str:
    return "" if offset is None else str(offset)


def _range(low: str, dash: str, high: str) -> tuple[int | None, int | None]:
    first = int(low) if low else None
    last = int(high) if high else None if dash else first
    return first, last


def _states(text: str) -> tuple[TriageState, ...] | None:
    """Return the states that *text* begins to name; ``None`` when it names something else."""
    states: list[TriageState] = []
    for word in filter(None, text.lower().split(",")):
        fitting = [state for state in TriageState if state.value.startswith(word)]
        if not fitting:
            return None
        states.extend(fitting)
    return tuple(dict.fromkeys(states))
