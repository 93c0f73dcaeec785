"""Asks a host of its own one question: does this module compile, what is its plan."""

from __future__ import annotations

from collections import deque
from queue import Empty, SimpleQueue

from loom_bench.protocol.diagnosis import Diagnosis
from loom_bench.protocol.frames import Check, Checked, Load, Loaded, LoadFailed
from loom_bench.session.endings import ended
from loom_bench.session.host_process import HostEnded, HostNews, HostProcess, OutputLine
from loom_bench.session.load_deadline import LOOK_INTERVAL_S, LoadDeadline

_LAST_LINES = 20


def check_module(command: Check) -> Checked:
    """Import a module in a host and compile every flow of it.

    Raises:
        OSError: When no process can be started.
    """
    answer = _ask(command)
    if isinstance(answer, Checked):
        return answer
    return Checked(flows=(), diagnoses=answer if isinstance(answer, tuple) else ())


def load_plan(command: Load) -> Loaded | tuple[Diagnosis, ...]:
    """Compile one flow in a host; returns its plan, or what is wrong with it.

    Raises:
        OSError: When no process can be started.
    """
    answer = _ask(command)
    return () if isinstance(answer, Checked) else answer


def _ask(command: Check | Load) -> Checked | Loaded | tuple[Diagnosis, ...]:
    news: SimpleQueue[HostNews] = SimpleQueue()
    last_lines: deque[str] = deque(maxlen=_LAST_LINES)
    host = HostProcess(news.put)
    try:
        host.send(command)
        deadline = LoadDeadline(command.target, command.time_limit_ms, host.stack_dump)
        while True:
            try:
                item = news.get(timeout=LOOK_INTERVAL_S)
            except Empty:
                diagnosis = deadline.passed()
                if diagnosis is None:
                    continue
                return (diagnosis,)
            if isinstance(item, Checked | Loaded):
                return item
            if isinstance(item, LoadFailed):
                return item.diagnoses
            if isinstance(item, OutputLine) and item.stream == "stderr":
                last_lines.append(item.text)
            if isinstance(item, HostEnded):
                return (ended(command.target, item, host.stack_dump(), list(last_lines)),)
    finally:
        host.close()
