"""Records at a node and outputs of a flow are put down as bounded text, whatever they hold."""

import pytest

from loom_runtime import LoomStruct, Message
from loom_runtime.execution.sampling import (
    MAX_TEXT,
    OutputSampler,
    Sampler,
    bytes_text,
    payload_text,
)
from loom_runtime.message import MessageMeta


class Item(LoomStruct):
    id: int
    note: str = ""


class Stubborn:
    def __repr__(self) -> str:
        raise RuntimeError("no")


class Odd(LoomStruct):
    thing: Stubborn


def message(number: int, note: str = "") -> Message[Item]:
    meta = MessageMeta(message_id=str(number), key=b"k%d" % number)
    return Message(payload=Item(number, note), meta=meta)


def test_what_a_record_became_is_found_by_its_source_offset() -> None:
    sampler = Sampler()
    taking = sampler.taken([1, 2, 3], [message(1), message(2), message(3)])
    assert taking is not None
    taking.give([1, 2, 2], [message(10), message(20), message(21)])
    samples = {sample.key: sample for sample in sampler.take_out()}
    assert samples["k2"].taken == '{"id":2,"note":""}'
    assert samples["k2"].given == ('{"id":20,"note":""}', '{"id":21,"note":""}')
    assert samples["k3"].given == ()
    assert sampler.take_out() == ()


def test_what_came_in_is_put_down_before_a_step_can_change_it() -> None:
    sampler, item = Sampler(), message(1)
    taking = sampler.taken([1], [item])
    assert taking is not None
    item.payload.id = 2
    taking.give([1], [item])
    (sample,) = sampler.take_out()
    assert (sample.taken, sample.given) == ('{"id":1,"note":""}', ('{"id":2,"note":""}',))


def test_samples_are_taken_now_and_then_only() -> None:
    sampler = Sampler()
    taking = sampler.taken([1], [message(1)])
    assert taking is not None
    taking.give([], [])
    assert sampler.taken([2], [message(2)]) is None
    assert sampler.taken_raw([(2, None, b"x", None, 0)]) is None


@pytest.mark.parametrize(
    "text",
    [
        payload_text(Item(1, "x" * 10_000_000)),
        bytes_text(b"\xff" * 1_000_000),
        bytes_text(b"x" * 1_000_000),
    ],
)
def test_texts_are_bounded(text: str) -> None:
    assert len(text) <= MAX_TEXT + 1
    assert text.endswith("…")


def test_a_payload_that_json_cannot_say_is_named() -> None:
    assert payload_text(Odd(Stubborn())) == "<a Odd that JSON cannot say: RuntimeError>"
    deep: list[object] = []
    for _ in range(10_000):
        deep = [deep]
    assert "that JSON cannot say" in payload_text(deep)
    assert bytes_text(None) == "null"


def test_outputs_are_all_counted_and_the_newest_kept() -> None:
    sampler = OutputSampler()
    sampler.wrote(0, list(range(100)))
    sampler.wrote(1, ["a"])
    newest, seen = sampler.take_out()
    assert (newest, seen) == ([(0, 97), (0, 98), (0, 99), (1, "a")], 101)
    assert sampler.take_out() == ([], 101)
