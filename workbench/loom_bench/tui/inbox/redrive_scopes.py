"""What can be redriven from where the user stands: one envelope, its group, what is shown, all."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from loom_bench.session.envelopes.terms import InboxFilter, Selection
from loom_bench.session.envelopes.value import EnvelopeRow, InboxGroup, InboxValue
from loom_bench.tui.figures import of_many
from loom_bench.tui.inbox.tables import told


@dataclass(frozen=True)
class Scope:
    """Envelopes that may be redriven together.

    Attributes:
        title: What they are, for the user.
        selection: What they are, for the session.
    """

    title: str
    selection: Selection


def scopes_of(
    row: EnvelopeRow | None, group: InboxGroup | None, inbox: InboxValue
) -> Sequence[Scope]:
    """Return what can be redriven, the nearest first.

    Args:
        row: The envelope under the cursor.
        group: The chosen group.
        inbox: The newest value.
    """
    return tuple(_scopes(row, group, inbox))


def _scopes(
    row: EnvelopeRow | None, group: InboxGroup | None, inbox: InboxValue
) -> Iterator[Scope]:
    if row is not None:
        place = row.source or row.place
        yield Scope(f"this envelope: {place or row.id}", Selection(envelopes=(row.id,)))
    if group is not None:
        what = told(group.exception_type, group.reason)
        yield Scope(
            f"its group: {of_many(group.count, 'envelope')} at {group.node}, {what}",
            Selection(group=group.fingerprint),
        )
    if inbox.filter != InboxFilter():
        yield Scope("what the filter shows", Selection(filter=inbox.filter))
    if inbox.kept.seen:
        yield Scope(
            f"everything: {of_many(inbox.kept.seen, 'envelope')}", Selection(everything=True)
        )
