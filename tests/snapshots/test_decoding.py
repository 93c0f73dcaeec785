"""What another program pickled is decoded for a screen when the user asks, and not before."""

from __future__ import annotations

from pathlib import Path

from loom_bench.session.snapshots.desk import SnapshotDesk
from loom_bench.session.snapshots.desk_work import Whereabouts
from tests.bench.processes import await_true
from tests.cli.foreign_store import foreign_store


def test_it_is_decoded_once_the_user_asks(tmp_path: Path) -> None:
    theirs, db_dir, ran = foreign_store(tmp_path)
    desk = SnapshotDesk(lambda: Whereabouts(target=str(theirs)))
    try:
        desk.open(str(db_dir))
        desk.show_key("count", "basket")
        await_true(lambda: desk.value.history is not None, "it is shown", timeout_s=60)
        assert _texts(desk)[0] != "Basket(3 apples)"
        assert not ran.exists()
        desk.decode_key("count", "basket")
        await_true(lambda: ran.exists() and not desk.value.busy, "it is decoded", timeout_s=60)
        await_true(lambda: _texts(desk)[0] == "Basket(3 apples)", "it shows", timeout_s=60)
        assert "No module named 'nowhere'" in (_texts(desk)[1] or "")
        assert desk.value.problem is None
    finally:
        desk.close()


def _texts(desk: SnapshotDesk) -> list[str | None]:
    history = desk.value.history
    return [] if history is None else [row.text for row in history.rows]
