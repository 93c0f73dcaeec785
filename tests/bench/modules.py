"""Writes flow modules for tests that load them in real host processes."""

from pathlib import Path
from textwrap import dedent

SMALL_FLOW = """
from loom_runtime import FromTopic, IntoTopic, LoomStruct, Message, Process, RecordStep, StreamFlow


class Order(LoomStruct):
    id: int


class Copy(RecordStep[Order, Order]):
    def execute(self, message: Message[Order]) -> Order:
        return message.payload


flow = StreamFlow(
    "orders",
    source=FromTopic("orders", payload=Order),
    process=Process(Copy),
    output=IntoTopic("copies", payload=Order),
)
"""


def write_module(folder: Path, name: str, text: str) -> Path:
    """Write *text*, its indentation removed, as ``folder/name``; returns the path."""
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(dedent(text))
    return path


def write_flow(folder: Path, name: str = "orders.py", more: str = "") -> Path:
    """Write a small flow, with *more* code after it."""
    return write_module(folder, name, SMALL_FLOW + dedent(more))


def line_of(path: Path, text: str) -> int:
    """The number of the first line that has *text* in it."""
    lines = path.read_text().splitlines()
    return next(number for number, line in enumerate(lines, start=1) if text in line)
