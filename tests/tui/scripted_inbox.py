"""A fake inbox: it shows the values it is given and writes down what it is asked for."""

from __future__ import annotations

from typing import Any

from loom_bench.session.envelopes.terms import (
    InboxFilter,
    RedriveTarget,
    Selection,
    TriageState,
)
from loom_bench.session.envelopes.value import InboxValue
from loom_runtime.tracing.shown import EditedMessage


class ScriptedInbox:
    """Fakes the inbox of a session for screens. Nothing changes but by :meth:`now_shows`.

    Attributes:
        calls: What was asked for, in order: the name of the method, then its arguments.
    """

    def __init__(self, value: InboxValue | None = None) -> None:
        self._value = value or InboxValue()
        self.calls: list[tuple[Any, ...]] = []

    def now_shows(self, value: InboxValue) -> None:
        """Publish *value* from now on."""
        self._value = value

    def asked(self, name: str) -> list[tuple[Any, ...]]:
        """Return the arguments of every call of the method *name*."""
        return [call[1:] for call in self.calls if call[0] == name]

    def value(self) -> InboxValue:
        return self._value

    def give_way(self) -> None:
        """Be in nobody's way."""

    def set_filter(self, wanted: InboxFilter) -> None:
        self.calls.append(("set_filter", wanted))

    def show_rows(self, fingerprint: str | None, first: int, count: int) -> None:
        self.calls.append(("show_rows", fingerprint, first, count))

    def read_topic(self, topic: str) -> None:
        self.calls.append(("read_topic", topic))

    def open_envelope(self, envelope: str | None) -> None:
        self.calls.append(("open_envelope", envelope))

    def retry(self, value: bytes | None = None) -> None:
        self.calls.append(("retry", value))

    def go_on_with(self, node: str, message: EditedMessage) -> None:
        self.calls.append(("go_on_with", node, message))

    def write_test(self, path: str | None = None) -> None:
        self.calls.append(("write_test", path))

    def export(self, path: str) -> None:
        self.calls.append(("export", path))

    def import_file(self, path: str) -> None:
        self.calls.append(("import_file", path))

    def set_state(self, selection: Selection, state: TriageState) -> None:
        self.calls.append(("set_state", selection, state))

    def undo(self) -> None:
        self.calls.append(("undo",))

    def prove(self) -> None:
        self.calls.append(("prove",))

    def cancel_proof(self) -> None:
        self.calls.append(("cancel_proof",))

    def plan_redrive(self, selection: Selection, target: RedriveTarget) -> None:
        self.calls.append(("plan_redrive", selection, target))

    def start_redrive(
        self, *, rate_per_s: float | None = None, typed_address: str | None = None
    ) -> None:
        self.calls.append(("start_redrive", rate_per_s, typed_address))

    def cancel_redrive(self) -> None:
        self.calls.append(("cancel_redrive",))
