"""Dead letters of every kind that is known are traced by a flow that reads their source topic."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from loom_bench.session.envelopes.headless import HeadlessInbox
from loom_bench.session.envelopes.terms import Origin
from loom_bench.session.envelopes.value import InboxValue
from loom_runtime.tracing.trace import TraceOutcome
from tests.broker_fixtures import Topics
from tests.cli.test_errors import Shop
from tests.envelopes.foreign_writers import connect, spring, streams


def is_traced(envelope: str, value: InboxValue) -> bool:
    """Whether an envelope is open and its trace was asked for."""
    opened = value.opened
    return opened is not None and opened.row.id == envelope and opened.trace is not None


def test_foreign_letters_are_traced(tmp_path: Path, topics: Topics) -> None:
    shop = Shop(tmp_path, topics)
    place, letters = shop.place, topics.create("letters")
    for offset, write in enumerate((connect, streams, spring)):
        order = b'{"number": %d, "product": "tea"}' % offset
        place.write_letter(letters, b"k", order, write(place.source, 0, offset))
    # loom-kernel's envelopes do not name their flow.
    place.write_envelopes(place.envelope(1, "b", flow=None))

    traced = {}
    with HeadlessInbox(str(shop.path), topics.bootstrap, None, 60_000, traced=True) as headless:
        headless.inbox.read_topic(letters)
        value = headless.until(lambda value: value.kept.seen == 6, "six letters did not come")
        for row in value.window.rows:
            headless.inbox.open_envelope(row.id)
            headless.until(
                partial(is_traced, row.id),
                f"{row.id} is not traced",
            )
            traced[row.origin] = headless.traced().trace

    assert set(traced) == set(Origin) - {Origin.DEAD_LETTER}
    assert {trace.outcome for trace in traced.values()} == {TraceOutcome.WRITTEN}
    assert traced[Origin.SPRING].record.value == b'{"number": 2, "product": "tea"}'
    assert traced[Origin.LOOM_KERNEL].record.value == b'{"number": 1, "product": "unicorn"}'
