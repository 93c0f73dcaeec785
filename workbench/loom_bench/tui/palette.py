"""The command palette: every action that works everywhere, found by its name."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING

from textual.command import DiscoveryHit, Hit, Hits, Provider

from loom_bench.tui.action import Action
from loom_bench.tui.actions import ACTIONS, key_text

if TYPE_CHECKING:
    from loom_bench.tui.app import WorkbenchApp


def _title(action: Action) -> str:
    return f"{action.title}  {key_text(action.keys)}"


class ActionProvider(Provider):
    """Offers the registry's actions."""

    def _offered(self) -> Iterator[Action]:
        return (action for action in ACTIONS if action.where == "app")

    @property
    def _bench(self) -> WorkbenchApp:
        app: WorkbenchApp = self.app  # type: ignore[assignment]
        return app

    async def discover(self) -> Hits:
        """Yield every action."""
        for action in self._offered():
            deed = partial(self._bench.action_perform, action.id)
            yield DiscoveryHit(_title(action), deed, help=action.help)

    async def search(self, query: str) -> Hits:
        """Yield the actions whose name or explanation fits *query*."""
        matcher = self.matcher(query)
        for action in self._offered():
            text = _title(action)
            score = matcher.match(text)
            if score > 0:
                deed = partial(self._bench.action_perform, action.id)
                yield Hit(score, matcher.highlight(text), deed, help=action.help)
