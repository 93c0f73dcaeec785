"""Any flow over any records: its outputs, its envelopes and its ledger are what an oracle says."""

from __future__ import annotations

from collections import Counter
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from loom_runtime import ErrorKind, Message, MessageMeta
from tests.nodes.any_flow import FLOWS, End, Part, Split, ended, nodes_of, results
from tests.nodes.running import Item, config_of, run, runner_of


def fate(ends: list[End]) -> str:
    if any(isinstance(end, ErrorKind) for end in ends):
        return "errored"
    return "written" if any(isinstance(end, int) for end in ends) else "filtered"


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(FLOWS, st.lists(st.integers(0, 20) | st.none(), max_size=25), st.integers(1, 8))
def test_any_flow_gives_what_the_oracle_gives_and_its_ledger_balances(
    parts: tuple[Part, ...], values: list[int | None], batch_size: int
) -> None:
    """A record whose value is ``None`` does not decode."""
    ends: list[list[End]] = [
        [ErrorKind.WIRE] if value is None else list(map(ended, results(parts, value)))
        for value in values
    ]
    config: dict[str, Any] = config_of()
    config["kafka"]["consumer"]["batch_size"] = batch_size
    terminal = bool(parts) and isinstance(parts[-1], Split)
    runner = runner_of(*nodes_of(parts), output=not terminal, config=config)
    records: list[Any] = [
        b"{"
        if value is None
        else Message(
            payload=Item(str(number), value),
            meta=MessageMeta(message_id=str(number), produced_at_ms=number),
        )
        for number, value in enumerate(values)
    ]
    run(runner, records)

    written = Counter((m.payload.id, m.payload.value) for m in runner.output)
    assert written == Counter(
        (str(number), end)
        for number, of_record in enumerate(ends)
        for end in of_record
        if isinstance(end, int)
    )
    failed = Counter(kind for kind, envelopes in runner.errors.items() for _ in envelopes)
    assert failed == Counter(e for of_record in ends for e in of_record if isinstance(e, ErrorKind))
    assert runner.ledger is not None
    totals = runner.ledger.totals()
    fates = Counter(map(fate, ends))
    for name in ("written", "errored", "filtered"):
        assert totals[name] == fates[name], name
    assert totals["consumed"] == len(values)
    assert all(report.balanced for report in runner.reports)
