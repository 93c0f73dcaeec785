"""Two revisions on the same records: what differs is told, what differs by itself is set apart."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from loom_bench.broker.embedded import EmbeddedBroker
from loom_bench.session.snapshots.comparing import Comparer
from loom_bench.session.snapshots.comparison_value import CompareRequest, DifferenceKind
from loom_bench.session.snapshots.differing import Ignored, same_type
from loom_bench.session.snapshots.replay_value import StopWhen
from loom_runtime.recovery.history.forks import list_forks
from tests.snapshots.grounds import flow_text, ran, whole_epochs

pytestmark = pytest.mark.timeout(400)

ORDERS = 1_200


def other(folder: Path, text: str) -> str:
    """Write another revision of the module; its name stays, as types are known by it."""
    folder.mkdir()
    path = folder / "orders.py"
    path.write_text(text)
    return str(path)


def test_outputs_errors_and_state_that_differ_are_told_field_by_field(
    tmp_path: Path, broker: EmbeddedBroker
) -> None:
    ground = ran(tmp_path, broker, "compared", orders=ORDERS)
    epochs = whole_epochs(ground.store)
    epoch = epochs[len(epochs) // 2]
    mended = other(tmp_path / "mended", flow_text("compared", orders=ORDERS, poison=100))
    request = CompareRequest(epoch=epoch.number, revision=mended, against="current")
    found = Comparer(ground, request, report=tmp_path / "report.json").run()
    report = json.loads((tmp_path / "report.json").read_bytes())
    assert (report["equal"], report["errors_fixed"]) == (False, found.errors_fixed)
    fixed = [n for n in range(ORDERS) if n % 50 == 3 and n % 100 != 3]
    assert found.equal is False
    assert 0 < found.errors_fixed <= len(fixed)
    assert found.errors_new == 0
    assert all(each.kind == "fixed" for each in found.errors if each.kind != "same")
    added = [each for each in found.outputs if each.kind is DifferenceKind.ADDED]
    assert len(added) == found.errors_fixed
    changed = [each for each in found.outputs if each.kind is DifferenceKind.CHANGED]
    assert {field.path for each in changed for field in each.fields} <= {"count", "total"}
    assert {field.path for each in found.state for field in each.fields} == {"count", "total"}
    assert found.state_differing > 0
    assert list_forks(ground.store) == []


def test_fields_are_left_out_by_rules() -> None:
    ignored = Ignored(("at_ms", "out:*.id", "state:Number:total"))
    assert ignored.has("out", "at_ms")
    assert ignored.has("out", "at_ms.inner")
    assert ignored.has("out", "rows[3].id")
    assert ignored.has("state:Number", "total")
    assert not ignored.has("other", "rows[3].id")
    assert not ignored.has("out", "total")
    assert not ignored.has("out", "at_ms_too")


@pytest.mark.parametrize(
    ("before", "after", "same"),
    [
        ('"flights:Departure"', '"copied:Departure"', True),
        ('"shop.flights:Box[flights:Item]"', '"shop.copied:Box[copied:Item]"', True),
        ('"flights:Departure"', '"copied:Arrival"', False),
        ('"flights:Departure"', '"other:Departure"', False),
        ('"myflights:Departure"', '"mycopied:Departure"', False),
        ("1", None, False),
    ],
)
def test_a_copy_of_a_module_has_the_same_types(before: str, after: str | None, same: bool) -> None:
    assert same_type(before, after, ("flights", "copied")) is same
    assert not same_type(before, after, ("flights", "flights"))


def test_what_differs_by_itself_is_set_apart(tmp_path: Path, broker: EmbeddedBroker) -> None:
    ground = ran(tmp_path, broker, "unstable", orders=400)
    text = flow_text("unstable", orders=400).replace(
        "[Numbered(order.id, after.count, after.total)]",
        "[Numbered(order.id, after.count, __import__('time').time_ns())]",
    )
    noisy = other(tmp_path / "noisy", text)
    epochs = whole_epochs(ground.store)
    request = CompareRequest(epoch=epochs[len(epochs) // 2].number, revision=noisy, against=noisy)
    found = Comparer(ground, request).run()
    assert found.equal is True
    assert found.outputs_unstable > 0
    assert all(each.unstable for each in found.outputs)
    counts = other(tmp_path / "counts", text.replace("after.count, __", "after.count + 1, __"))
    request = CompareRequest(epoch=request.epoch, revision=counts, against=noisy)
    found = Comparer(ground, request).run()
    assert found.outputs_differing > 0
    assert {field.path for each in found.outputs for field in each.fields} == {"count"}


@pytest.mark.parametrize("records", [None, 1_500])
def test_a_state_that_all_partitions_share_meets_their_records_in_the_same_order(
    tmp_path: Path, broker: EmbeddedBroker, records: int | None
) -> None:
    name = f"shared{records}"
    ground = ran(tmp_path, broker, name, orders=9_000)
    text = flow_text(name, orders=9_000).replace("return message.payload.account", "return 'all'")
    shared = other(tmp_path / "shared", text)
    request = CompareRequest(
        epoch=whole_epochs(ground.store)[0].number,
        revision=shared,
        against=shared,
        stop=StopWhen(records=records),
    )
    found = Comparer(ground, request).run()
    assert found.left is not None
    assert found.left.records == (records or 6_000)
    assert (found.equal, found.outputs, found.state) == (True, (), ())
