"""The durability benchmark's oracle sees what is lost, repeated and wrong, and nothing else."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.movements import ACCOUNTS, OutputCheck, Row, expected_rows, make_movement

_RECORDS = 3 * ACCOUNTS


@pytest.mark.parametrize("stateful", [False, True])
def test_a_perfect_output_has_no_faults(stateful: bool) -> None:
    check = OutputCheck(expected_rows(stateful, _RECORDS))
    for row in expected_rows(stateful, _RECORDS):
        check.visit(row)
    assert (check.lost, check.wrong, check.wrong_final, check.repeated) == (0, 0, 0, [0])


@given(
    missing=st.sets(st.integers(0, _RECORDS - 1), max_size=20),
    again=st.lists(st.integers(0, _RECORDS - 1), max_size=20),
)
def test_losses_and_repeats_are_counted_exactly(missing: set[int], again: list[int]) -> None:
    rows = expected_rows(False, _RECORDS)
    check = OutputCheck(rows)
    for row in rows:
        if row.id not in missing:
            check.visit(row)
    check.interrupted()
    repeated = [movement_id for movement_id in again if movement_id not in missing]
    for movement_id in repeated:
        check.visit(rows[movement_id])
    assert check.lost == len(missing)
    assert check.repeated == [0, len(repeated)]
    assert check.wrong == 0


def test_a_replay_that_ends_with_the_last_movement_leaves_the_final_state_right() -> None:
    rows = expected_rows(True, _RECORDS)
    check = OutputCheck(rows)
    for row in rows:
        check.visit(row)
    check.interrupted()
    for row in rows[ACCOUNTS:]:
        check.visit(row)
    assert check.wrong_final == 0
    assert check.repeated == [0, _RECORDS - ACCOUNTS]


def test_state_that_counted_a_movement_twice_is_wrong_in_the_row_and_at_the_end() -> None:
    rows = expected_rows(True, _RECORDS)
    check = OutputCheck(rows)
    for row in rows[:-1]:
        check.visit(row)
    right = rows[-1]
    check.visit(Row(right.id, right.account, right.count + 1, right.total))
    assert (check.lost, check.wrong, check.wrong_final) == (0, 1, 1)
    assert len(check.examples) == 1


def test_a_row_of_no_movement_is_wrong() -> None:
    check = OutputCheck(expected_rows(False, 10))
    check.visit(Row(10, make_movement(10).account, 0, 0))
    assert (check.wrong, check.distinct) == (1, 0)
