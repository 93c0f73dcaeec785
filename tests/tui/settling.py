"""Waits until an application has nothing left to do, instead of until the processor is idle.

Textual's pilot sleeps 40 ms for every key, and up to two seconds where other work makes the
processor look busy; what a test sees then depends on how fast the machine is.
"""

from __future__ import annotations

import asyncio
import time
from typing import Any

from textual._context import active_app

_WORKERS_LIMIT_S = 5.0


async def settled(*_: float) -> None:
    """Return when every message is handled, every worker has ended, and what came of it is painted.

    Stands in for Textual's ``wait_for_idle``. Timers of the application are not waited for.
    """
    loop: Any = asyncio.get_running_loop()
    started_s = time.monotonic()
    while True:
        await asyncio.sleep(0)
        app = active_app.get()
        if loop._ready:  # somebody else's turn has come
            continue
        if not app._running or not app.screen_stack:
            return
        screen = app.screen
        if screen._update_timer._active.is_set() or screen._callbacks:
            screen._on_timer_update()  # paints now what it would paint at the next tick
        elif any(not worker.is_finished for worker in app.workers):
            if time.monotonic() - started_s > _WORKERS_LIMIT_S:
                return
            await asyncio.sleep(0.001)
        else:
            return
