"""The ring of printed lines: the newest are kept, all are counted, whatever blocks they come in."""

from hypothesis import given
from hypothesis import strategies as st

from loom_bench.session.live.log_ring import MAX_KEPT_BYTES, MAX_LINE_CHARACTERS, LogRing

BLOCKS = st.lists(st.lists(st.text("ab é", max_size=5), min_size=1, max_size=6), max_size=20)


@given(BLOCKS, st.integers(1, 12), st.booleans())
def test_the_newest_lines_are_kept_and_all_are_counted(
    blocks: list[list[str]], size: int, ended: bool
) -> None:
    ring = LogRing(size)
    every: list[str] = []
    for lines in blocks:
        every += lines
        text = "\n".join(lines)
        # A block without a line end is the beginning of a line that was cut.
        ring.add(1, "stdout", (text + "\n" if ended or not lines[-1] else text).encode())
        kept, seen = ring.shown()
        assert seen == len(every)
        assert [line.text for line in kept] == every[-size:]
        assert [kept[index].text for index in range(len(kept))] == every[-size:]
        assert [line.text for line in kept[-3:]] == every[-size:][-3:]
        assert len(kept) == min(size, len(every))


def test_a_line_is_the_same_object_for_as_long_as_it_is_kept() -> None:
    ring = LogRing(10)
    ring.add(3, "stderr", b"one\ntwo\n")
    before = ring.shown()[0][1]
    assert (before.text, before.revision, before.stream) == ("two", 3, "stderr")
    ring.add(3, "stderr", b"three\n")
    assert ring.shown()[0][1] is before


def test_what_is_shown_does_not_change_when_more_comes() -> None:
    ring = LogRing(2)
    ring.add(1, "stdout", b"one\ntwo\n")
    shown, _ = ring.shown()
    assert ring.shown()[0] is shown
    ring.add(1, "stdout", b"three\n")
    assert [line.text for line in shown] == ["one", "two"]


def test_long_lines_are_cut_and_take_bounded_room() -> None:
    ring = LogRing(5_000)
    for _ in range(1_000):
        ring.add(1, "stdout", b"x" * 64_000 + b"\n")
    lines, seen = ring.shown()
    assert seen == 1_000
    assert len(lines) <= MAX_KEPT_BYTES // 64_000
    assert len(lines[0].text) == MAX_LINE_CHARACTERS + 1
