"""Pytest fixtures of a test that judges a snapshot: ``loom_state``, ``loom_outputs``."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from loom_bench.predicate.evidence import Case, Evidence, StepState

CASE_VARIABLE = "LOOM_CASE"


@pytest.fixture
def loom_evidence() -> Iterator[Evidence]:
    """Everything that is known of the snapshot."""
    case = msgspec.json.decode(Path(os.environ[CASE_VARIABLE]).read_bytes(), type=Case)
    with Evidence(case) as evidence:
        yield evidence


@pytest.fixture
def loom_state(loom_evidence: Evidence) -> dict[str, StepState]:
    """Step id to key to value."""
    return loom_evidence.state


@pytest.fixture
def loom_outputs(loom_evidence: Evidence) -> list[dict[str, Any]]:
    """What the stretch has given."""
    return loom_evidence.outputs
