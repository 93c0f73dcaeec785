"""What must have become of the items that a flow read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import msgspec

from loom_runtime import ErrorEnvelope
from loom_runtime.ledger import LedgerReport
from tests.broker_fixtures import NewRecord
from tests.delivery.flows import Counted, Item
from tests.delivery.places import Place


class Fates(msgspec.Struct):
    """How often each item was written, and which failed."""

    written: Counter[int]
    failed: Counter[int]


def fates(place: Place) -> Fates:
    """Return what lies in ``out`` and ``errors``."""
    decode = msgspec.json.Decoder(ErrorEnvelope[Item]).decode
    failed: Counter[int] = Counter()
    for record in place.read("errors"):
        envelope = decode(record.value or b"")
        assert envelope.original_message is not None
        failed[envelope.original_message.payload.id] += 1
    return Fates(Counter(ids(place)), failed)


def ids(place: Place, reference: str = "out") -> list[int]:
    """Return the ids in a topic, in its order."""
    decode = msgspec.json.Decoder(Item).decode
    return [decode(record.value or b"").id for record in place.read(reference)]


def rows(place: Place, reference: str = "out") -> list[Counted]:
    """Return the rows that a tally wrote, in the topic's order."""
    decode = msgspec.json.Decoder(Counted).decode
    return [decode(record.value or b"") for record in place.read(reference)]


def expected(records: Iterable[NewRecord]) -> Fates:
    """Return what must become of items whose kind says it: written once, several times, failed."""
    written: Counter[int] = Counter()
    failed: Counter[int] = Counter()
    for record in records:
        item = msgspec.json.decode(record.value or b"", type=Item)
        if item.kind in {"task", "business"}:
            failed[item.id] += 1
        elif item.kind.startswith("x"):
            written[item.id] += int(item.kind[1:])
        elif item.kind != "drop":
            written[item.id] += 1
    return Fates(+written, failed)


def assert_nothing_lost(found: Fates, wanted: Fates) -> None:
    """Every item is where it belongs, and as often as it must be or more."""
    for name in ("written", "failed"):
        there, needed = getattr(found, name), getattr(wanted, name)
        missing = needed - there
        assert not missing, f"{name}: {missing.total()} lost, as {missing.most_common(3)}"
        assert there.keys() == needed.keys(), (
            f"{name}: {there.keys() - needed.keys()} do not belong"
        )


def assert_exact(found: Fates, wanted: Fates) -> None:
    """Every item is where it belongs, exactly as often as it must be."""
    assert_nothing_lost(found, wanted)
    assert found == wanted, f"repeated {(found.written - wanted.written).most_common(3)}"


def assert_balanced(reports: Iterable[LedgerReport]) -> None:
    """The ledger balanced at the end of every epoch."""
    for report in reports:
        assert report.balanced, report
