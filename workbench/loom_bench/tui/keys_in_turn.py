"""Keys are taken one after another: each meets the screen that the one before has led to."""

from __future__ import annotations

from collections import deque
from time import monotonic
from typing import Final

from textual import events
from textual.app import App
from textual.dom import DOMNode
from textual.message_pump import MessagePump
from textual.widgets import Input

_ROUNDS: Final = 3
"""Ways up to the application that end before the next key is taken: the key's own, then those of a
message that its action posts and of what a panel makes of that message."""

_PATIENCE_S: Final = 5.0
"""A key waits for the one before at most so long when another is typed: whatever that does, and
however busy the machine is, keys go on."""


class KeysInTurn(App[None]):
    """An application that hands a key on when the one before it has had its effect.

    Textual hands a key to whatever has the focus when the key arrives. By itself it would do so
    while the key before is still on its way up to the action that opens another screen, or while
    that screen has no focus yet.
    """

    def __init__(self) -> None:
        super().__init__()
        self._typed: deque[events.Key | events.Paste] = deque()
        self._is_taking = False
        self._taken_s = 0.0

    async def on_event(self, event: events.Event) -> None:
        """Queue what is typed, and go on with everything else."""
        if isinstance(event, events.Key | events.Paste) and not event.is_forwarded:
            self._typed.append(event)
            if not self._is_taking or monotonic() - self._taken_s > _PATIENCE_S:
                await self._take_next()
        else:
            await super().on_event(event)

    async def _take_next(self) -> None:
        self._is_taking = bool(self._typed)
        while self._typed:
            self._taken_s = monotonic()
            way, key = self._way_up(), self._typed.popleft()
            await super().on_event(key)
            if not self._is_text(key):
                self._follow(way * _ROUNDS)
                return
        self._is_taking = False

    def _is_text(self, key: events.Key | events.Paste) -> bool:
        """Return whether *key* only writes into a field, which takes one after another anyway."""
        if not isinstance(self.focused, Input):
            return False
        return isinstance(key, events.Paste) or key.is_printable

    def _way_up(self) -> tuple[MessagePump, ...]:
        begin: DOMNode = self.focused or self.screen
        return (*(node for node in begin.ancestors_with_self if node is not self), self)

    def _follow(self, way: tuple[MessagePump, ...]) -> None:
        """Go *way*, behind all that goes it already; each of them does one thing after another."""
        for index, pump in enumerate(way):
            if pump.call_later(self._follow, way[index + 1 :]):  # one that ends takes nothing more
                return
        self._settle()

    def _settle(self) -> None:
        """Take the next key when the screen in front is there and has said what has its focus."""
        screen = self.screen

        async def settled() -> None:
            if self.screen is screen:
                await self._take_next()
            else:
                self._settle()

        if not screen.call_later(self.call_later, settled):
            self.call_later(settled)
