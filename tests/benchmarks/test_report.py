"""The line that a benchmark ends with."""

from __future__ import annotations

import msgspec
import pytest

from benchmarks.report import Bar, Report


@pytest.mark.parametrize(
    ("bar", "met"),
    [
        (Bar("ratio", 1.0, ">=", 1.0), True),
        (Bar("ratio", 0.99, ">=", 1.0), False),
        (Bar("lost", 0, "==", 0), True),
        (Bar("lost", 1, "==", 0), False),
        (Bar("repeated", 11, "<=", 10), False),
        (Bar("ratio", None, ">=", 1.0), None),
    ],
)
def test_a_bar_is_met_missed_or_not_measured(bar: Bar, met: bool | None) -> None:
    assert bar.met is met


@pytest.mark.parametrize(("value", "met"), [(2.0, True), (0.5, False), (None, False)])
def test_one_json_line_says_whether_every_bar_was_measured_and_met(
    value: float | None, met: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    Report("demo", {"rate": 5}, [Bar("ratio", value, ">=", 1.0)]).emit()
    (line,) = capsys.readouterr().out.splitlines()
    decoded = msgspec.json.decode(line)
    assert decoded["benchmark"] == "demo"
    assert decoded["figures"] == {"rate": 5}
    assert decoded["met"] is met
