"""The README's table of keys is what the registry of actions says."""

from __future__ import annotations

from pathlib import Path

import pytest

from loom_bench.tui.action import Action
from loom_bench.tui.actions import groups, key_text
from loom_bench.tui.screens import SCREENS

_README = Path(__file__).parents[2] / "README.md"


def _told(action: Action) -> str:
    keys = " ".join(f"`{key}`" for key in key_text(action.keys).split(" "))
    return f"{keys} {action.title[0].lower()}{action.title[1:]}"


def key_table() -> str:
    """The table, in Markdown: what works on the main screen."""
    elsewhere = {spec.id for spec in SCREENS} | {"stepping"}
    opened = {f"view.{screen_id}" for screen_id in elsewhere}
    rows = [
        (name, [_told(each) for each in actions if each.id not in opened])
        for name, actions in groups()
        if not elsewhere & {each.where for each in actions}
    ]
    told = [f"| {name} | {', '.join(actions)} |" for name, actions in rows]
    return "\n".join(["| | keys |", "| --- | --- |", *told])


def test_the_readme_names_every_key_of_the_main_screen() -> None:
    table = key_table()
    assert table in _README.read_text(encoding="utf-8"), f"README.md needs this table:\n{table}"


def test_the_readme_shows_the_screen() -> None:
    shown = _README.parent / "docs" / "workbench.svg"
    assert f"({shown.relative_to(_README.parent)})" in _README.read_text(encoding="utf-8")
    picture = shown.read_text(encoding="utf-8")
    assert "RUNNING" in picture
    assert "balanced" in picture


@pytest.mark.parametrize(
    ("name", "seen"),
    [
        ("inbox", "passes in r2"),
        ("stepping", "KeyError"),
        ("stepping-edited", "with the edited value"),
        ("stop", "STOPPED at PriceOrder"),
        ("redrive", "its group: "),
    ],
)
def test_the_readme_shows_what_happens_to_failures(name: str, seen: str) -> None:
    assert f"(docs/{name}.svg)" in _README.read_text(encoding="utf-8")
    assert seen in (_README.parent / "docs" / f"{name}.svg").read_text(encoding="utf-8")
