"""Whether a fork can be replayed with a revision, and what would be missing."""

from __future__ import annotations

from pathlib import Path

from loom_bench.broker.watermarks import log_bounds
from loom_bench.protocol.frames import Loaded
from loom_bench.session.live.stores import find_conflict
from loom_bench.session.snapshots.value import Compatibility, Finding, Fit, MissingRecords
from loom_runtime.places import partition_text_of
from loom_runtime.recovery.difference import difference
from loom_runtime.recovery.history.cutting import source_positions
from loom_runtime.recovery.history.files import looking
from loom_runtime.recovery.identity import StoreIdentity, load_identity

_GRAVITY = (Fit.FITS, Fit.WARNED, Fit.REFUSED)


def check_fit(folder: Path, loaded: Loaded, *, fork: str, revision: str) -> Compatibility:
    """Return whether the fork in *folder* can be replayed with what *loaded* is.

    Args:
        folder: Folder of the fork.
        loaded: The compiled revision; its brokers, asked as its configuration says, are to have the
            records.
        fork: Name of the fork, to be told.
        revision: Name of the revision, to be told.

    Raises:
        StoreError: When the fork cannot be read.
    """
    stored, current = load_identity(folder), loaded.identity
    findings: list[Finding] = []
    gone: tuple[str, ...] = ()
    new: tuple[str, ...] = ()
    suggested: dict[str, str] = {}
    if stored is None:
        findings.append(
            Finding(
                fit=Fit.WARNED,
                what="the fork does not say whose it is",
                what_next="its steps are compared when it is run",
            )
        )
    elif current is not None:
        findings += _state_findings(stored.identity, current)
        conflict = find_conflict(folder, current)
        if conflict is not None:
            gone, new = conflict.gone, conflict.new
            suggested = suggest(stored.identity, current, gone, new)
    missing, more = _missing(folder, loaded)
    findings += more
    gravest = max((each.fit for each in findings), key=_GRAVITY.index, default=Fit.FITS)
    return Compatibility(
        fork=fork,
        revision=revision,
        fit=gravest,
        findings=tuple(findings),
        gone=gone,
        new=new,
        suggested=suggested,
        missing=missing,
    )


def suggest(
    stored: StoreIdentity, current: StoreIdentity, gone: tuple[str, ...], new: tuple[str, ...]
) -> dict[str, str]:
    """Return the new step for each lost one, where one only reads its state."""
    found: dict[str, str] = {}
    for old in gone:
        fits = [
            each
            for each in new
            if each not in found.values()
            and stored.steps[old].kind is current.steps[each].kind
            and stored.steps[old].schema == current.steps[each].schema
        ]
        if len(fits) == 1:
            found[old] = fits[0]
    return found


def _state_findings(stored: StoreIdentity, current: StoreIdentity) -> list[Finding]:
    return [
        Finding(
            fit=Fit.REFUSED if each.refused else Fit.WARNED,
            what=each.what,
            what_next=each.what_next,
        )
        for each in difference(stored, current)
    ]


def _missing(folder: Path, loaded: Loaded) -> tuple[tuple[MissingRecords, ...], list[Finding]]:
    with looking(folder) as store:
        positions = source_positions(store, store.resume_epoch - 1)
    needed = {key: position.offset for key, position in positions.items()}
    bounds = log_bounds(loaded.source_brokers, needed, loaded.security.reading)
    if isinstance(bounds, str):
        what = f"the broker was not asked which records it still has: {bounds}"
        return (), [Finding(fit=Fit.WARNED, what=what)]
    missing, findings = [], []
    for key, offset in needed.items():
        if key not in bounds:
            findings.append(
                Finding(
                    fit=Fit.REFUSED,
                    what=f"the broker has no {partition_text_of(key)}, which the fork reads from "
                    f"offset {offset}",
                    what_next="name the broker that has it",
                )
            )
            continue
        begins, ends = bounds[key]
        if offset < begins:
            missing.append(
                MissingRecords(
                    partition=key, needed_from=offset, log_begins=begins, gone=begins - offset
                )
            )
            findings.append(
                Finding(
                    fit=Fit.WARNED,
                    what=f"{partition_text_of(key)}: {begins - offset:,} records are gone at most: "
                    f"the fork goes on at offset {offset} and the log begins at {begins}",
                    what_next="fork a later epoch",
                )
            )
        elif offset > ends:
            findings.append(
                Finding(
                    fit=Fit.REFUSED,
                    what=f"{partition_text_of(key)} ends at offset {ends}, and the fork goes on at "
                    f"{offset}: this is another log",
                    what_next="name the broker that has the records",
                )
            )
    return tuple(missing), findings
