"""Preparing a store: creating it, refusing what does not fit, telling what is broken."""

from __future__ import annotations

import pickle
import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest
from bytewax.recovery import init_db_dir

from loom_runtime import BytewaxRecoverySettings
from loom_runtime.failures import RunError
from loom_runtime.recovery.errors import (
    StoreBusyError,
    StoreDamagedError,
    StoreError,
    StoreMismatchError,
    StoreUnreachableError,
)
from loom_runtime.recovery.identity import IDENTITY_FILE, load_identity
from loom_runtime.recovery.positions import encode_position
from loom_runtime.recovery.store import backup_interval, prepare_store
from tests.recovery.stores import (
    IDENTITY,
    Row,
    part,
    plant,
    prepare,
    record_execution,
    row,
    rows_of,
    run_sql,
)


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """A store with some state, that resumes from epoch 5."""
    db_dir = tmp_path / "store"
    prepare(db_dir)
    record_execution(db_dir, 0, 1, [5])
    plant(part(db_dir, 0), [row("keys:0", 4, position(), "source"), row("keys:0", 4, None, "sink")])
    plant(part(db_dir, 1), [row(f"k{number}", 4, b"x" * 200) for number in range(200)])
    return db_dir


def position() -> bytes:
    """Return a position as the source stores it."""
    return encode_position(7, at_ms=1, revision=None, epoch=1)


def test_a_new_store_is_private_and_known(tmp_path: Path) -> None:
    db_dir = tmp_path / "deep" / "store"
    report = prepare(db_dir, partitions=4)
    assert (report.created, report.resume_epoch, report.removed_rows) == (True, 1, 0)
    assert db_dir.stat().st_mode & 0o777 == 0o700
    files = sorted(db_dir.glob("*.sqlite3"))
    assert len(files) == 4
    assert {path.stat().st_mode & 0o777 for path in db_dir.iterdir()} == {0o600}
    stored = load_identity(db_dir)
    assert stored is not None
    assert (stored.partitions, stored.identity) == (4, IDENTITY)


def test_a_store_is_prepared_again_and_again(store: Path) -> None:
    before = rows_of(part(store, 1))
    for _ in range(2):
        report = prepare(store)
        assert (report.created, report.resume_epoch, report.notes) == (False, 5, ())
    assert rows_of(part(store, 1)) == before


def test_nothing_of_ours_stays_open(store: Path) -> None:
    with prepare_store(store, IDENTITY, partitions=3, initialise=init_db_dir):
        for index in range(3):
            with closing(sqlite3.connect(part(store, index))) as connection:
                connection.execute("PRAGMA locking_mode = EXCLUSIVE")
                connection.execute("CREATE TABLE probe (a)")
        assert list(store.glob("*-wal")) == []


def test_the_number_of_parts_of_a_store_stays(store: Path) -> None:
    assert prepare(store, partitions=8).notes == (
        "the store keeps its 3 part files; 8 are for a new one",
    )


def test_a_store_of_another_flow_is_refused_and_kept(store: Path) -> None:
    plant(part(store, 2), [row("future", 9)])
    with pytest.raises(StoreMismatchError, match="it belongs to the flow") as refused:
        prepare(store, msgspec.structs.replace(IDENTITY, flow="other", topics=("else",)))
    assert "positions of topic 'keys'" in str(refused.value)
    assert "Nothing in this store was changed" in refused.value.what_next
    assert str(store) in refused.value.where
    assert len(rows_of(part(store, 2))) == 1


def test_what_is_accepted_is_reported_and_remembered(store: Path) -> None:
    more = msgspec.structs.replace(IDENTITY, topics=("keys", "more"))
    assert prepare(store, more).notes == ("topic 'more' is new to the store",)
    assert prepare(store, more).notes == ()
    with pytest.raises(StoreMismatchError, match="positions of topic 'more'"):
        prepare(store)


def test_a_crash_at_any_point_of_the_creation_is_made_good(tmp_path: Path) -> None:
    def crashing(parts: int) -> Callable[[Path, int], None]:
        def initialise(db_dir: Path, partitions: int) -> None:
            if parts:
                init_db_dir(db_dir, parts)  # type: ignore[no-untyped-call]
            raise SystemExit

        return initialise

    db_dir = tmp_path / "store"
    for parts in range(4):
        with (
            pytest.raises(SystemExit),
            prepare_store(db_dir, IDENTITY, partitions=3, initialise=crashing(parts)),
        ):
            pass
    (db_dir / "loom-store.tmp").write_text('{"half')
    assert prepare(db_dir).created
    assert not prepare(db_dir).created


def test_a_creation_that_fails_is_told(tmp_path: Path) -> None:
    class Panic(BaseException):
        pass

    def initialise(db_dir: Path, partitions: int) -> None:
        raise Panic("database or disk is full")

    with (
        pytest.raises(StoreUnreachableError, match="database or disk is full"),
        prepare_store(tmp_path, IDENTITY, partitions=3, initialise=initialise),
    ):
        pass


def test_a_folder_with_other_files_is_refused_untouched(tmp_path: Path) -> None:
    (tmp_path / "orders.py").write_text("")
    with pytest.raises(StoreDamagedError, match=r"other files: orders\.py"):
        prepare(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["orders.py"]


def test_an_empty_volume_is_no_folder_with_other_files(tmp_path: Path) -> None:
    (tmp_path / "lost+found").mkdir()
    (tmp_path / ".gitkeep").touch()
    assert prepare(tmp_path).created


def test_a_path_that_is_no_folder_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for db_dir in (tmp_path / "file", tmp_path / "file" / "store"):
        with pytest.raises(StoreUnreachableError, match="what to do: check the path of db_dir"):
            prepare(db_dir)


def test_a_folder_that_others_can_write_to_is_closed(store: Path) -> None:
    store.chmod(0o775)
    assert prepare(store).notes == (
        "other users could write to the store's folder; they no longer can",
    )
    assert store.stat().st_mode & 0o777 == 0o755


def no_part(db_dir: Path) -> None:
    part(db_dir, 1).unlink()


def no_parts(db_dir: Path) -> None:
    for index in range(3):
        part(db_dir, index).unlink()


def cut(db_dir: Path) -> None:
    whole = part(db_dir, 1).read_bytes()
    part(db_dir, 1).write_bytes(whole[: len(whole) // 2])


def overwritten(db_dir: Path) -> None:
    whole = bytearray(part(db_dir, 1).read_bytes())
    whole[len(whole) // 2 :] = b"\xaa" * (len(whole) - len(whole) // 2)
    part(db_dir, 1).write_bytes(bytes(whole))


def emptied(db_dir: Path) -> None:
    part(db_dir, 1).write_bytes(b"")


def no_sqlite(db_dir: Path) -> None:
    part(db_dir, 1).write_bytes(b"a text, and a long one at that" * 500)


def foreign(db_dir: Path) -> None:
    run_sql(db_dir / "notes.sqlite3", "CREATE TABLE notes (text TEXT)")


def later_schema(db_dir: Path) -> None:
    run_sql(part(db_dir, 1), "PRAGMA user_version = 6")


def lost_table(db_dir: Path) -> None:
    run_sql(part(db_dir, 1), "DROP TABLE fronts")


def copied(db_dir: Path) -> None:
    (db_dir / "part-1 (copy).sqlite3").write_bytes(part(db_dir, 1).read_bytes())


def no_index(db_dir: Path) -> None:
    run_sql(part(db_dir, 1), "DELETE FROM parts")


def of_another_store(db_dir: Path) -> None:
    prepare(db_dir.parent / "other", partitions=5)
    part(db_dir, 2).write_bytes(part(db_dir.parent / "other", 2).read_bytes())


def newer_execution_twice(db_dir: Path) -> None:
    run_sql(part(db_dir, 2), "INSERT INTO exs VALUES ('', 0, 1, 1)")


def thinned(db_dir: Path) -> None:
    run_sql(part(db_dir, 2), "INSERT INTO commits VALUES ('', 2, 5)")


@pytest.mark.parametrize(
    ("damage", "what"),
    [
        (no_part, "of 3 part files part-1.sqlite3 is missing"),
        (no_parts, "part-0.sqlite3, part-1.sqlite3, part-2.sqlite3 are missing"),
        (cut, "damaged"),
        (overwritten, "damaged"),
        (emptied, "the file is empty"),
        (no_sqlite, "damaged, or no SQLite file"),
        (foreign, "no part of a recovery store"),
        (later_schema, "version 6, not 5"),
        (lost_table, "without fronts"),
        (copied, "both part 1"),
        (no_index, "says 0 times which part"),
        (of_another_store, "count 3 and 5 parts"),
        (newer_execution_twice, "two part files tell of the same execution"),
        (thinned, "of different times"),
    ],
    ids=lambda each: getattr(each, "__name__", ""),
)
def test_damage_is_told(store: Path, damage: Callable[[Path], None], what: str) -> None:
    damage(store)
    with pytest.raises(StoreDamagedError) as told:
        prepare(store)
    assert what in told.value.what
    assert str(store) in told.value.where
    assert told.value.what_next


def test_errors_of_the_store_are_run_errors_and_travel(store: Path) -> None:
    no_part(store)
    with pytest.raises(RunError) as told:
        prepare(store)
    copy = pickle.loads(pickle.dumps(told.value))
    assert isinstance(copy, StoreError)
    assert str(copy) == str(told.value)


def test_a_backup_may_read_on(store: Path) -> None:
    plant(part(store, 2), [row("future", 9)])
    with closing(sqlite3.connect(part(store, 2), isolation_level=None)) as backup:
        backup.execute("BEGIN")
        assert backup.execute("SELECT count(*) FROM snaps").fetchone() == (1,)
        assert prepare(store).removed_rows == 1
        assert backup.execute("SELECT count(*) FROM snaps").fetchone() == (1,)
    assert rows_of(part(store, 2)) == set()


def test_a_program_that_writes_is_noticed(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("loom_runtime.recovery.parts._BUSY_TIMEOUT_S", 0.1)
    with closing(sqlite3.connect(part(store, 2), isolation_level=None)) as shell:
        shell.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreBusyError, match="another program uses the file"):
            prepare(store)
    assert prepare(store).resume_epoch == 5


class TestAStoreWithoutIdentity:
    """A store that plain Bytewax made, or whose identity file was lost."""

    @pytest.fixture
    def nameless(self, store: Path) -> Path:
        """The store without its identity file."""
        (store / IDENTITY_FILE).unlink()
        return store

    def test_is_taken_over_when_it_fits(self, nameless: Path) -> None:
        report = prepare(nameless)
        assert report.resume_epoch == 5
        assert report.notes == (
            "the store had no identity file; its steps and topics fit the flow",
        )
        assert prepare(nameless).notes == ()

    def test_is_not_taken_from_a_program_that_has_it_open(
        self, nameless: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("loom_runtime.recovery.parts._BUSY_TIMEOUT_S", 0.1)
        with closing(sqlite3.connect(part(nameless, 2))) as bytewax:
            bytewax.execute("SELECT * FROM parts").fetchall()
            with pytest.raises(StoreBusyError):
                prepare(nameless)
        assert prepare(nameless).resume_epoch == 5

    def test_may_never_have_been_run(self, tmp_path: Path) -> None:
        init_db_dir(tmp_path, 3)  # type: ignore[no-untyped-call]
        assert not prepare(tmp_path).created

    @pytest.mark.parametrize(
        ("planted", "what"),
        [
            (row("a", 1, b"", "sums"), "state of step 'sums' is in the store"),
            (row("keys2:0", 1, position(), "source"), "positions of topic 'keys2'"),
        ],
        ids=["step", "topic"],
    )
    def test_is_refused_for_what_it_holds(self, nameless: Path, planted: Row, what: str) -> None:
        plant(part(nameless, 2), [planted])
        with pytest.raises(StoreMismatchError) as refused:
            prepare(nameless)
        assert what in refused.value.what
        assert not (nameless / IDENTITY_FILE).exists()

    def test_of_another_flow_is_refused(self, nameless: Path) -> None:
        with pytest.raises(StoreMismatchError, match="it belongs to the flow 'counting_keys'"):
            prepare(nameless, msgspec.structs.replace(IDENTITY, flow="counting"))

    @pytest.mark.parametrize(
        ("step", "value"), [("source", 7), ("source", b"seven"), ("count", {"total": 1})]
    )
    def test_of_a_plain_bytewax_flow_is_refused(
        self, tmp_path: Path, step: str, value: object
    ) -> None:
        init_db_dir(tmp_path, 3)  # type: ignore[no-untyped-call]
        step_id = f"counting_keys.{step}"
        plant(part(tmp_path, 0), [Row(step_id, "keys:0", 1, pickle.dumps(value))])
        with pytest.raises(StoreMismatchError, match="was not written by this runtime"):
            prepare(tmp_path)


def test_the_backup_interval_is_the_settings_or_for_ever() -> None:
    settings = BytewaxRecoverySettings(db_dir="store", backup_interval_ms=1500)
    assert backup_interval(settings) == timedelta(seconds=1.5)
    assert backup_interval(BytewaxRecoverySettings(db_dir="store")) > timedelta(days=30_000)
