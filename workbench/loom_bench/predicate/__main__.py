"""``python -m loom_bench.predicate CASE``: exit code 0 when it holds, 1 when not, 2 when it cannot
be told, with the reason on standard error."""

from __future__ import annotations

import sys
from pathlib import Path

import msgspec

from loom_bench.predicate.evidence import Case, Evidence


def judge(case: Case) -> bool:
    """Return whether the expression of *case* holds; raises what the expression raises."""
    with Evidence(case) as evidence:
        names = {
            "state": evidence.state,
            "outputs": evidence.outputs,
            "records": evidence.records,
        }
        return bool(eval(case.expression, names))  # noqa: S307 - the user's own, in its own process


def main() -> int:
    """Judge the case in the file that the command line names."""
    case = msgspec.json.decode(Path(sys.argv[1]).read_bytes(), type=Case)
    try:
        return 0 if judge(case) else 1
    except Exception as error:  # noqa: BLE001 - an expression may raise anything
        sys.stderr.write(f"{type(error).__name__}: {error}\n")
        return 2


if __name__ == "__main__":
    sys.exit(main())
