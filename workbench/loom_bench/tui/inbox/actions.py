"""Actions of the inbox."""

from __future__ import annotations

from typing import Final

from loom_bench.tui.action import Action

_INBOX: Final = "In the inbox"

ACTIONS: Final = (
    Action("view.inbox", "i", "Inbox", "Shows the error envelopes, grouped.", _INBOX, "inbox"),
    Action(
        "inbox.ignore", "i", "Ignore", "Marks the envelope, or the whole group.", _INBOX, "ignore"
    ),
    Action("inbox.discard", "d", "Discard", "Marks it as not to be redriven.", _INBOX, "discard"),
    Action("inbox.reopen", "o", "Reopen", "Marks it as open again.", _INBOX),
    Action("inbox.undo", "u", "Undo", "Takes back the last decision.", _INBOX, "undo"),
    Action(
        "inbox.prove", "P", "Prove", "Runs open envelopes through the newest code.", _INBOX, "prove"
    ),
    Action(
        "inbox.redrive", "R", "Redrive", "Writes records again, after a dry run.", _INBOX, "redrive"
    ),
    Action("inbox.import", "I", "Import", "Takes in an exported envelope.", _INBOX, does="take_in"),
    Action("inbox.topic", "T", "Read a topic", "Reads another dead-letter topic.", _INBOX),
)
