"""What a flow prints: at once line by line, in blocks under flood, all of it and in order."""

import re
from collections.abc import Iterator
from pathlib import Path
from queue import SimpleQueue

import pytest

from loom_bench.protocol.frames import Load
from loom_bench.session.host_process import HostProcess, StreamName
from tests.bench.modules import write_module


class Printed:
    """A host whose module prints, and what came of it."""

    def __init__(self) -> None:
        self.blocks: SimpleQueue[bytes] = SimpleQueue()
        self.host = HostProcess(lambda _: None, self._take)

    def _take(self, stream: StreamName, block: bytes) -> None:
        if stream == "stdout":
            self.blocks.put(block)

    def load(self, folder: Path, text: str) -> None:
        self.host.send(Load(target=str(write_module(folder, "prints.py", text))))

    def lines(self, last: str) -> list[str]:
        """Return the lines up to *last*; fails when it does not come."""
        data = b""
        while not re.search(rf"^{last}$".encode(), data, re.MULTILINE):
            data += self.blocks.get(timeout=20)
        return data.decode().splitlines()


@pytest.fixture
def printed() -> Iterator[Printed]:
    made = Printed()
    yield made
    made.host.close()


def test_a_line_shows_while_the_code_that_printed_it_holds_the_interpreter(
    printed: Printed, tmp_path: Path
) -> None:
    text = """
    import re
    print("here")
    re.match("(a+)+$", "a" * 64 + "b")  # holds the interpreter for ever
    """
    printed.load(tmp_path, text)
    assert printed.lines("here") == ["here"]


def test_a_flood_comes_whole_and_in_order_and_its_end_while_the_flow_sleeps(
    printed: Printed, tmp_path: Path
) -> None:
    text = """
    import time
    for number in range(30_000):
        print("line", number)
    time.sleep(600)
    """
    printed.load(tmp_path, text)
    assert printed.lines("line 29999") == [f"line {number}" for number in range(30_000)]


def test_after_a_flood_lines_show_at_once_again(printed: Printed, tmp_path: Path) -> None:
    text = """
    import re, sys, time
    while sys.stdout.line_buffering:
        print("line")
    while not sys.stdout.line_buffering:
        time.sleep(0.01)
    print("here")
    re.match("(a+)+$", "a" * 64 + "b")  # holds the interpreter for ever
    """
    printed.load(tmp_path, text)
    assert printed.lines("here")[-1] == "here"


def test_a_process_that_is_forked_under_flood_prints_nothing_twice(
    printed: Printed, tmp_path: Path
) -> None:
    text = """
    import os
    for number in range(3_000):
        print("line", number)
    child = os.fork()
    if child == 0:
        print("child")
        os._exit(0)
    os.waitpid(child, 0)
    print("parent")
    """
    printed.load(tmp_path, text)
    lines = printed.lines("parent")
    assert lines == [*(f"line {number}" for number in range(3_000)), "child", "parent"]
