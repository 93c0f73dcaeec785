"""Asks whether a predicate holds: an expression or a pytest, each in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

import msgspec

from loom_bench.protocol.diagnosis import Diagnosis
from loom_bench.session.snapshots.replay_run import ReplayFailedError

_LIMIT_S: Final = 120.0
_PYTEST_FAILED: Final = 1
_MAX_TEXT: Final = 2_000


class Predicate:
    """What holds while all is well.

    Args:
        expression: An expression over ``state``, ``outputs`` and ``records``; empty for none.
        pytest: A pytest file or node id; empty for none.
    """

    def __init__(self, expression: str, pytest: str) -> None:
        self._expression = expression
        self._pytest = pytest

    @property
    def wants_outputs(self) -> bool:
        """Whether outputs may matter: then every look takes a replay."""
        if not self._pytest:
            return "outputs" in self._expression
        path = Path(self._pytest.partition("::")[0])
        return path.is_file() and b"loom_outputs" in path.read_bytes()

    def holds(
        self,
        store: Path,
        epoch: int,
        *,
        captured: Path | None = None,
        upto: dict[str, int] | None = None,
        records: int = 0,
    ) -> bool:
        """Return whether it holds for the state at the end of *epoch*.

        Args:
            store: Folder of the store.
            epoch: The epoch.
            captured: Outputs of the stretch; ``None`` for none.
            upto: Source offsets up to which outputs count.
            records: Records of the stretch.

        Raises:
            ReplayFailedError: When it cannot be told.
        """
        case = {
            "store": str(store.absolute()),
            "epoch": epoch,
            "captured": "" if captured is None else str(captured.absolute()),
            "upto": upto or {},
            "expression": self._expression,
            "records": records,
        }
        with tempfile.NamedTemporaryFile(prefix="loom-case-", suffix=".json") as file:
            file.write(msgspec.json.encode(case))
            file.flush()
            return self._asked(file.name)

    def _asked(self, case: str) -> bool:
        command = [sys.executable, "-m", "loom_bench.predicate", case]
        if self._pytest:
            command = [
                sys.executable,
                "-m",
                "pytest",
                "-q",
                "-x",
                "-p",
                "loom_bench.predicate.fixtures",
                "-p",
                "no:cacheprovider",
                self._pytest,
            ]
        try:
            done = subprocess.run(  # noqa: S603 - the user's own predicate
                command,
                capture_output=True,
                timeout=_LIMIT_S,
                check=False,
                stdin=subprocess.DEVNULL,
                env={**os.environ, "LOOM_CASE": case, "LOOM_REPLAY": "1"},
            )
        except subprocess.TimeoutExpired as error:
            raise _cannot(f"it took longer than {_LIMIT_S:g} s") from error
        if done.returncode == 0:
            return True
        if done.returncode == _PYTEST_FAILED:
            return False
        text = (done.stderr or done.stdout).decode("utf-8", "replace").strip()
        raise _cannot(text[-_MAX_TEXT:] or f"exit code {done.returncode}")


def _cannot(why: str) -> ReplayFailedError:
    return ReplayFailedError(
        Diagnosis(
            code="predicate",
            message=f"whether the predicate holds cannot be told: {why}",
            hint="An expression is over state[step][key], outputs, records; a key may not be there "
            "yet: state[step].get(key, {}). A pytest takes loom_state and loom_outputs.",
        )
    )
