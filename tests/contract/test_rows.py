"""Every row of the contract has a test named after it."""

import os
import re
import subprocess
import sys

import pytest

from tests.contract.rows import ROWS, Row
from tests.project.sources import REPOSITORY


@pytest.fixture(scope="module")
def collected(request: pytest.FixtureRequest) -> list[str]:
    """The ids of all tests, parameters cut off, as pytest itself finds them."""
    items, options = request.session.items, request.config.option
    chosen = options.keyword or options.markexpr
    if not chosen and {item.path for item in items} >= {*(REPOSITORY / "tests").rglob("test_*.py")}:
        return sorted({item.nodeid.partition("[")[0] for item in items})
    answer = subprocess.run(
        [sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider"],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=100,
        # What the user gives pytest in the environment may change how it lists.
        env={name: text for name, text in os.environ.items() if name != "PYTEST_ADDOPTS"},
        check=False,
    )
    assert answer.returncode == 0, answer.stdout[-2000:] + answer.stderr
    lines = answer.stdout.splitlines()
    return sorted({line.partition("[")[0] for line in lines if "::test_" in line})


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.promise)
def test_row_has_its_tests(row: Row, collected: list[str]) -> None:
    missing = [each for each in row.tests if not any(re.search(each, name) for name in collected)]
    assert missing == []


def test_promises_are_told_once() -> None:
    assert len({(row.promise, row.tests) for row in ROWS}) == len(ROWS)
    assert len(ROWS) > 80
