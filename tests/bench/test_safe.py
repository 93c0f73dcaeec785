"""Text from outside: nothing of it can act on a terminal, and its width is known."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loom_bench.safe import cell_width, characters_in_cells, safe, safe_lines

ANY_TEXT = st.text(st.characters(exclude_categories=()))  # lone surrogates and all


@given(ANY_TEXT)
def test_nothing_that_acts_on_a_terminal_is_left(text: str) -> None:
    shown = safe(text)
    categories = {unicodedata.category(character) for character in shown}
    assert not categories & {"Cc", "Cf", "Cs", "Zl", "Zp", "Co", "Cn"}
    shown.encode("utf-8")


@given(ANY_TEXT, st.integers(0, 30))
def test_a_cut_text_is_never_wider_than_asked(text: str, max_cells: int) -> None:
    assert cell_width(safe(text, max_cells=max_cells)) <= max_cells


@given(ANY_TEXT)
def test_what_fits_is_not_cut(text: str) -> None:
    whole = safe(text)
    assert safe(text, max_cells=cell_width(whole)) == whole


@given(ANY_TEXT)
def test_safe_text_is_left_as_it_is(text: str) -> None:
    assert safe(safe(text)) == safe(text)


@given(ANY_TEXT)
def test_a_text_has_as_many_cells_as_its_width_says(text: str) -> None:
    shown = safe(text)
    assert len(characters_in_cells(shown)) == cell_width(shown)
    assert "".join(characters_in_cells(shown)) == shown


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain [bold]text[/]", "plain [bold]text[/]"),
        ("a\tb", "a    b"),
        ("a\nb\r", "a\\nb\\r"),
        ("\x1b[31mred", "\\x1b[31mred"),
        ("\x9b31m", "\\x9b31m"),
        ("\u202egpj.exe", "\\u202egpj.exe"),
        ("\ud800", "\\ud800"),
        ("non\u00a0breaking", "non breaking"),
        ("e\u0301", "e\u0301"),
        ("\u0301", " \u0301"),
        ("a" + "\u0300" * 50, "a" + "\u0300" * 4),
        ("漢字", "漢字"),
    ],
)
def test_how_characters_are_shown(text: str, shown: str) -> None:
    assert safe(text) == shown


def test_a_cut_within_a_wide_character_leaves_no_half_of_it() -> None:
    assert safe("漢字漢字", max_cells=6) == "漢字 …"
    assert safe("漢字漢字", max_cells=5) == "漢字…"


def test_a_huge_text_is_cut_without_being_read() -> None:
    assert safe("é" * 10_000_000, max_cells=5) == "éééé…"


def test_lines_are_split_before_they_are_made_safe() -> None:
    assert safe_lines("a\nb\x1b\r\nc") == ["a", "b\\x1b", "c"]
