"""Which tests begin, where two workers take one file after the other: those that take longest.

Otherwise one worker ends the run alone, with a long file that happened to come last.
"""

from __future__ import annotations

import pytest

LONGEST = (
    "tests/terminal/",
    "tests/snapshots/",
    "tests/envelopes/",
    "tests/containers/",
    "tests/bench/live/",
    "tests/delivery/",
    "tests/tui/test_hostile_text.py",
    "tests/tui/test_pictures.py",
    "tests/tui/test_looks.py",
    "tests/test_kafka_node.py",
    "tests/project/",
    "tests/samples/",
    "tests/contract/test_rows.py",
    "tests/tui/",
    "tests/bench/",
    "tests/recovery/",
)
"""Files and folders whose tests wait for processes and brokers, or draw large screens."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the tests that take longest first; the others keep their order."""
    items.sort(key=_rank)


def _rank(item: pytest.Item) -> int:
    return next(
        (rank for rank, place in enumerate(LONGEST) if item.nodeid.startswith(place)), len(LONGEST)
    )
