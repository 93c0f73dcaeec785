"""``loom-bench check``: compile every flow in files and folders."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import click

from loom_bench.cli.app import EXIT_FAILED
from loom_bench.cli.diagnosis_text import diagnosis_lines
from loom_bench.cli.options import config_option, json_option, load_timeout_option
from loom_bench.cli.output import counted, print_json
from loom_bench.protocol.frames import Check, Checked
from loom_bench.session.asking import check_module

_SKIPPED_FOLDERS = frozenset({"__pycache__", "node_modules", "site-packages"})
_FLOW_WORD = b"StreamFlow"


class Candidate(NamedTuple):
    """A file to check.

    Attributes:
        target: Its path, perhaps with an attribute.
        named: Whether the user named it; a file found in a folder need not have a flow.
    """

    target: str
    named: bool


@click.command("check")
@click.argument("paths", metavar="PATH...", nargs=-1, required=True, type=click.Path())
@config_option
@load_timeout_option
@json_option
def check_command(
    paths: tuple[str, ...], config_path: str | None, load_timeout_s: float, as_json: bool
) -> None:
    """Compile every flow in files and folders; nothing runs.

    Every file is imported in a process of its own. The exit code is 1 when anything is wrong.
    """
    candidates = list(_candidates(paths))
    commands = [
        Check(
            target=candidate.target,
            config_path=config_path,
            time_limit_ms=round(load_timeout_s * 1000),
        )
        for candidate in candidates
    ]
    flows = issues = files = 0
    with ThreadPoolExecutor(max_workers=os.cpu_count() or 1) as pool:
        results = pool.map(check_module, commands)
        for candidate, result in zip(candidates, results, strict=True):
            if not candidate.named and _has_no_flow(result):
                continue
            files += 1
            flows += len(result.flows)
            issues += len(result.diagnoses)
            _print_result(result, as_json)
    if as_json:
        print_json({"type": "summary", "files": files, "flows": flows, "issues": issues})
    else:
        verdict = counted(issues, "issue") if issues else "no issues"
        click.echo(f"{counted(files, 'file')}, {counted(flows, 'flow')}: {verdict}")
    sys.exit(EXIT_FAILED if issues else 0)


def _candidates(paths: Iterable[str]) -> Iterator[Candidate]:
    for path in paths:
        if Path(path).is_dir():
            yield from (Candidate(str(file), False) for file in _flow_files(Path(path)))
        else:
            yield Candidate(path, True)


def _flow_files(folder: Path) -> Iterator[Path]:
    """Yield the Python files below *folder* that name StreamFlow, in order."""
    for entry in sorted(folder.iterdir()):
        if entry.is_dir():
            virtual_environment = (entry / "pyvenv.cfg").exists()
            hidden = entry.name.startswith(".") or entry.name in _SKIPPED_FOLDERS
            if not hidden and not virtual_environment and not entry.is_symlink():
                yield from _flow_files(entry)
        elif entry.suffix == ".py" and _names_a_flow(entry):
            yield entry


def _names_a_flow(file: Path) -> bool:
    try:
        return _FLOW_WORD in file.read_bytes()
    except OSError:
        return True  # the host says why it cannot be read


def _has_no_flow(result: Checked) -> bool:
    return [each.code for each in result.diagnoses] == ["no_flow"]


def _print_result(result: Checked, as_json: bool) -> None:
    for diagnosis in result.diagnoses:
        if as_json:
            print_json({"type": "issue"}, diagnosis)
        else:
            for line in diagnosis_lines(diagnosis):
                click.echo(line)
