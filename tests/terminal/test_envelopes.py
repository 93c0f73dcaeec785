"""Error envelopes in the real program: walked, edited, fixed, proved, tested, redriven."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from loom_runtime import Message
from sample_flows import orders
from tests.cli.commands import COMMAND, environment
from tests.terminal.editing import save
from tests.terminal.terminal import Terminal, need_tmux

pytestmark = pytest.mark.timeout(600)

_SLOW_S = 180.0
"""Longest wait for what takes processes of its own: loads, traces, proofs."""

_BUG = "catalogue[order.product]"
_FIX = "catalogue.get(order.product, 0)"
_TEA = '#!/bin/sh\nexec sed -i s/unicorn/tea/ "$1"\n'
_GROUPS = re.compile(r"─groups─.*?─envelopes", re.DOTALL)
_PREVIEW = re.compile(r"│ *([\w.]+Error) *$", re.MULTILINE)
_READ = re.compile(r"│orders +\d +(\d+)")
_REDRIVE = re.compile(r"> redrive +(\d+) records")


def test_a_red_number_becomes_a_proven_fix(tmp_path: Path) -> None:
    need_tmux()
    (tmp_path / "flow").mkdir()
    file = Path(shutil.copy(orders.__file__, tmp_path / "flow" / "orders.py"))
    editor = tmp_path / "edit"
    editor.write_text(_TEA)
    editor.chmod(0o755)
    homes = {f"XDG_{name}_HOME": str(tmp_path / name) for name in ("STATE", "CONFIG", "DATA")}
    command = [*COMMAND, str(file), "--broker", "embedded"]
    with Terminal(command, tmp_path, size=(160, 45), EDITOR=str(editor), **homes) as terminal:
        failed = _filled(terminal)
        _walked(terminal)

        terminal.press("e")
        terminal.until("passes", "with the edited value", '"tea"', timeout_s=_SLOW_S)
        terminal.press("r")
        terminal.until("fails in r1", "x KeyError: 'unicorn'", timeout_s=_SLOW_S)

        # Before the fix, a test says that the record fails.
        folder = file.parent
        terminal.press("t")
        terminal.until("a test that the record fails as it did is in", timeout_s=_SLOW_S)
        (failing,) = folder.glob("test_*.py")
        assert _passes(failing)

        # The fix is saved: every open envelope is proved in the new revision.
        broken = file.read_text()
        assert _BUG in broken
        save(file, broken.replace(_BUG, _FIX))
        terminal.until("orders │ r2 │", "inbox 0 open", timeout_s=_SLOW_S)
        terminal.press("r")
        terminal.until("passes", "in r2", "out PricedOrder", timeout_s=_SLOW_S)

        # After it, one says that it passes: green with the fix, red without.
        terminal.press("t")
        terminal.until("a test that the record passes is in", timeout_s=_SLOW_S)
        (passing,) = set(folder.glob("test_*.py")) - {failing}
        assert _passes(passing)
        assert not _passes(failing)
        (tmp_path / "before").mkdir()
        (tmp_path / "before" / "orders.py").write_text(broken)
        assert not _passes(Path(shutil.copy(passing, tmp_path / "before")))

        _redriven(terminal, failed)


def _filled(terminal: Terminal) -> int:
    """Have all poison read; put aside what is no bug; return how many records failed."""
    terminal.until("RUNNING", "orders │ r1 │", timeout_s=_SLOW_S)
    terminal.press("*")
    failed = sum(map(_is_poison, orders.bench_feed()))
    terminal.until(
        *(f"{orders.ORDERS} fed", "lag 0", "balanced", f"x {failed} errors"), timeout_s=_SLOW_S
    )
    terminal.press("i")
    terminal.until(f"{failed} envelopes in 3 groups", _PREVIEW.search, timeout_s=_SLOW_S)
    for exception, key, done in (
        ("DomainError", "i", " ignored"),
        ("UnknownMessageTypeError", "d", " discarded"),
    ):
        _go_to_group(terminal, exception)
        terminal.press(key)
        terminal.until(done)
    return failed


def _is_poison(record: Message[Any] | bytes) -> bool:
    if isinstance(record, bytes):
        return True
    order = record.payload
    is_placed = isinstance(order, orders.OrderPlaced)
    return is_placed and (order.product == "unicorn" or order.quantity < 1)


def _go_to_group(terminal: Terminal, exception: str) -> None:
    """Put the cursor on the group of *exception*, which the preview beside the rows names."""
    (shown,) = _GROUPS.findall(terminal.text)
    rows = [line for line in shown.splitlines() if "Error: " in line]
    (index,) = (number for number, row in enumerate(rows) if f" {exception}: " in row)
    terminal.press("g", *["j"] * index)
    terminal.until(lambda text: [each for each in _PREVIEW.findall(text) if exception in each])


def _walked(terminal: Terminal) -> None:
    """Walk an envelope of the bug node by node, both ways."""
    _go_to_group(terminal, "KeyError")
    terminal.press("Enter")
    terminal.until(re.compile(r"orders\[\d\]@\d+ +\S+ .*KeyError: 'unicorn'").search)
    terminal.press("Enter")
    terminal.until("x KeyError: 'unicorn'", "fails in r1", _BUG, timeout_s=_SLOW_S)
    for key, node in (
        ("N", "With  with"),
        ("N", "DropTests  expand step"),
        ("N", "CheckOrder  record step"),
        ("n", "DropTests  expand step"),
        ("n", "With  with"),
        ("n", "PriceOrder  record step"),
    ):
        terminal.press(key)
        terminal.until(f" {node}")
    terminal.until("x KeyError: 'unicorn'", "locals", "catalogue")


def _redriven(terminal: Terminal, failed: int) -> None:
    """Redrive the group of the bug; every record is accounted for, and nothing is open."""
    terminal.press("R")
    terminal.until("this envelope: orders[", "1 record of 1 envelope", timeout_s=_SLOW_S)
    terminal.press("g", "Right", "G")
    text = terminal.until("its group: ", _REDRIVE.search, "into orders", timeout_s=_SLOW_S)
    count = int(_REDRIVE.findall(text)[0])
    terminal.press("Enter")
    terminal.until(f"{count}/{count}", "redrive done", timeout_s=_SLOW_S)
    terminal.press("Escape")  # by itself: a terminal takes what follows for a part of it
    terminal.until("redriven  │", lambda seen: "─ redrive ─" not in seen)
    terminal.press("F2", "4")

    def all_read(seen: str) -> bool:
        return sum(map(int, _READ.findall(seen))) == orders.ORDERS + count

    terminal.until(
        *("inbox 0 open", "lag 0", "balanced  read = written", f"x {failed} errors", all_read),
        timeout_s=_SLOW_S,
    )
    terminal.press("Q")


def _passes(test: Path) -> bool:
    """Run a test file in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", test.name],
        cwd=test.parent,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=_SLOW_S,
        check=False,
    )
    assert done.returncode in (0, 1), done.stdout + done.stderr
    return done.returncode == 0
