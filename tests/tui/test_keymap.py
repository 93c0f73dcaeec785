"""The registry of actions, and the file with which users change its keys."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from textual.keys import Keys

from loom_bench.tui.actions import ACTIONS, BY_ID, key_text
from loom_bench.tui.keymap import keymap_path, read_keymap
from loom_bench.tui.performing import perform
from tests.tui import values
from tests.tui.running_app import bench


def test_ids_and_keys_are_used_once_where_they_meet() -> None:
    assert len(BY_ID) == len(ACTIONS)
    for place in ("list", "graph"):
        keys = Counter(
            key
            for action in ACTIONS
            if action.where in (place, "app", "screen")
            for key in action.keys.split(",")
        )
        assert [key for key, count in keys.items() if count > 1] == []


def test_every_action_of_the_application_does_something() -> None:
    from loom_bench.tui.performing import _DEEDS  # noqa: PLC0415

    assert callable(perform)
    assert set(_DEEDS) == {each.id for each in ACTIONS if each.where in ("app", "screen")}


def test_keys_are_written_as_people_write_them() -> None:
    assert key_text("question_mark,f1") == "? f1"
    assert key_text("ctrl+d,plus") == "^d +"
    assert Keys.Escape.value == "escape"


def test_no_file_changes_nothing(tmp_path: Path) -> None:
    keymap = read_keymap(tmp_path / "keys.toml")
    assert not keymap.keys
    assert not keymap.problems


def test_a_key_or_several_may_be_given(tmp_path: Path) -> None:
    file = tmp_path / "keys.toml"
    file.write_text('"run.pause" = "P"\nlist.down = ["down", "N"]\n')
    keymap = read_keymap(file)
    assert keymap.keys == {"run.pause": "P", "list.down": "down,N"}
    assert not keymap.problems


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("run.pause = ", "the usual keys are used"),
        ('run.fly = "x"', "there is no action run.fly"),
        ("run.pause = 3", "run.pause needs a key"),
        ('run.pause = ["p", 3]', "run.pause needs a key"),
        ('run.pause = ""', "run.pause needs a key"),
        ('run.pause = "\\u001b"', "run.pause needs a key"),
        ('run.pause = "r"', "r means run.pause and run.reload"),
        ('"[/b]" = "r"', "there is no action [/b]"),
        ("[[run]]\npause = 1", "there is no action run"),
    ],
)
def test_what_is_wrong_is_told(text: str, problem: str, tmp_path: Path) -> None:
    file = tmp_path / "keys.toml"
    file.write_text(text)
    assert any(problem in told for told in read_keymap(file).problems)


def test_a_file_that_is_no_text_is_told(tmp_path: Path) -> None:
    file = tmp_path / "keys.toml"
    file.write_bytes(b"\xff\xfe\x00")
    assert read_keymap(file).problems


def test_the_file_lies_in_the_configuration_folder(tmp_path: Path) -> None:
    assert keymap_path({}, tmp_path) == tmp_path / ".config/loom-bench/keys.toml"
    assert keymap_path({"XDG_CONFIG_HOME": "/x"}, tmp_path) == Path("/x/loom-bench/keys.toml")
    assert keymap_path({"XDG_CONFIG_HOME": "x"}, tmp_path).is_relative_to(tmp_path)


@pytest.mark.asyncio
async def test_the_users_keys_work_and_are_shown(tmp_path: Path) -> None:
    folder = tmp_path / "config" / "loom-bench"
    folder.mkdir(parents=True)
    (folder / "keys.toml").write_text('run.pause = "P"\nrun.fly = "x"\nlist.down = "N"\n')
    environ = {"XDG_CONFIG_HOME": str(tmp_path / "config")}
    async with bench(values.running(), environ=environ) as seen:
        assert "there is no action run.fly" in seen.text
        assert "P pause" in seen.text
        await seen.press("p")
        assert not seen.session.asked("pause")
        await seen.press("P")
        assert seen.session.asked("pause") == [()]
        await seen.press("4", "N")
        selected = seen.app.main.pages.panels[0].table.selected
        assert selected is not None
        assert selected.row.partition == 1
