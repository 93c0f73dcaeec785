"""Lends the terminal to the user's editor."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from textual.app import SuspendNotSupported

from loom_bench.tui.editor import RunsEditor, editor_command
from loom_bench.tui.panels.spec import Place

if TYPE_CHECKING:
    from loom_bench.tui.app import WorkbenchApp


def lend_to_editor(
    app: WorkbenchApp, editor: RunsEditor, environ: Mapping[str, str], place: Place
) -> bool:
    """Open *place* in the editor, the terminal lent to it meanwhile.

    Args:
        app: Whose terminal it is.
        editor: Runs an editor's command.
        environ: Where the editor is named.
        place: What to open.

    Returns:
        Whether the editor ended well.
    """
    try:
        command = editor_command(environ, *place)
        with app.suspend():
            code = editor(command)
    except SuspendNotSupported:
        app.tell("This terminal cannot be lent to an editor.", "warning")
        return False
    except (OSError, ValueError) as failure:
        app.tell(f"The editor could not be started: {failure}. Set $EDITOR.", "error")
        return False
    if code:
        app.tell(f"The editor ended with {code}.", "warning")
    app.refresh()
    return code == 0
