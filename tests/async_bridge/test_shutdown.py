"""Shutting a bridge down: once, in time, past coroutines that will not end."""

from __future__ import annotations

import subprocess
import sys
import textwrap
import threading
from concurrent.futures import ThreadPoolExecutor

import anyio
import anyio.lowlevel
import pytest
from structlog.testing import capture_logs

from tests.async_bridge.bridges import (
    LONG_S,
    Blocking,
    Loop,
    add,
    bridge_on,
    closed,
    events,
    threads_of_bridges,
)


def test_after_shutdown_a_coroutine_is_refused_and_closed(loop: Loop) -> None:
    bridge = bridge_on(loop)
    bridge.shutdown()
    late = add(1, 2)
    with pytest.raises(RuntimeError, match=r"add cannot run: this async bridge was shut down"):
        bridge.run(late)
    assert closed(late)


def test_shutdown_twice_and_from_two_threads_is_one(loop: Loop) -> None:
    bridge = bridge_on(loop)
    with ThreadPoolExecutor(2) as threads:
        for done in [threads.submit(bridge.shutdown) for _ in range(4)]:
            done.result(LONG_S)
    bridge.shutdown()
    assert not threads_of_bridges()


def test_shutdown_lets_running_coroutines_end(loop: Loop) -> None:
    bridge = bridge_on(loop)
    (release,) = bridge.run(events(1))
    running = threading.Event()

    async def work() -> str:
        running.set()
        await release.wait()
        return "done"

    async def let_go() -> None:
        release.set()

    with ThreadPoolExecutor(2) as threads:
        result = threads.submit(bridge.run, work())
        assert running.wait(LONG_S)
        release_result = threads.submit(bridge.run, let_go())
        release_result.result(LONG_S)
        bridge.shutdown()
        assert result.result(LONG_S) == "done"


def test_past_the_shutdown_timeout_coroutines_are_cancelled_with_a_warning(loop: Loop) -> None:
    bridge = bridge_on(loop, shutdown_timeout_ms=20)
    running = threading.Event()

    async def sleep() -> None:
        running.set()
        await anyio.sleep(LONG_S)

    with ThreadPoolExecutor(1) as threads, capture_logs() as logs:
        result = threads.submit(bridge.run, sleep())
        assert running.wait(LONG_S)
        bridge.shutdown()
        with pytest.raises(RuntimeError, match="gave no result: it was cancelled"):
            result.result(LONG_S)
    (log,) = logs
    assert log["log_level"] == "warning"
    assert "coroutines cancelled at shutdown" in log["event"]
    assert "sleep" in str(log["coroutines"])


def test_past_the_shutdown_timeout_a_stuck_thread_is_abandoned_with_a_warning(loop: Loop) -> None:
    bridge = bridge_on(loop, shutdown_timeout_ms=20)
    blocking = Blocking()
    with ThreadPoolExecutor(2) as threads, capture_logs() as logs:
        stuck = threads.submit(bridge.run, blocking.block())
        assert blocking.entered.wait(LONG_S)
        unstarted = add(1, 2)
        behind = threads.submit(bridge.run, unstarted)
        bridge.shutdown()
        with pytest.raises(RuntimeError, match="gave no result: the bridge was shut down"):
            stuck.result(LONG_S)
        with pytest.raises(RuntimeError, match="shut down"):
            behind.result(LONG_S)
        assert closed(unstarted)
    (log,) = logs
    assert log["log_level"] == "warning"
    assert "async bridge thread abandoned" in log["event"]
    bridge.shutdown()
    blocking.release()
    assert blocking.left.wait(LONG_S)
    for thread in threads_of_bridges():
        thread.join(LONG_S)


def test_an_abandoned_thread_does_not_keep_the_interpreter(loop: Loop) -> None:
    program = textwrap.dedent(
        f"""
        import threading
        from loom_runtime.async_bridge import AsyncBridge, build_backend_options

        async def block():
            threading.Event().wait({LONG_S * 4})

        bridge = AsyncBridge({loop[0]!r}, build_backend_options({loop[0]!r}, {loop[1]}), 1)
        try:
            bridge.run(block(), timeout=0.01)
        except TimeoutError:
            print("timed out")
        bridge.shutdown()
        print("shut down")
        """
    )
    ended = subprocess.run(
        [sys.executable, "-W", "error", "-c", program],
        capture_output=True,
        text=True,
        timeout=LONG_S,
        check=False,
        env={"PYTHONPATH": ":".join(path for path in sys.path if path)},
    )
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.splitlines()[0] == "timed out"
    assert ended.stdout.splitlines()[-1] == "shut down"
    assert "abandoned" in ended.stdout + ended.stderr
