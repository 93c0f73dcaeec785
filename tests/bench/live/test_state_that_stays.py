"""On a broker that outlives the session, the flow's state does too."""

from pathlib import Path

import pytest

from loom_bench.broker.embedded import EmbeddedBroker
from loom_bench.session.value import Phase
from tests.bench.live.sessions import STATEFUL_FLOW, Live, OutputReader
from tests.broker_fixtures import NewRecord, Topics

pytestmark = pytest.mark.usefixtures("nothing_is_left")


class Place:
    """A flow on the tests' broker, as on a broker of the user's own."""

    def __init__(self, folder: Path, topics: Topics) -> None:
        self.folder = folder
        self._topics = topics
        self.orders, self.numbered = topics.create("orders"), topics.create("numbered")
        self.text = STATEFUL_FLOW.replace('"orders"', f'"{self.orders}"').replace(
            '"numbered"', f'"{self.numbered}"'
        )

    def write(self, *ids: int) -> None:
        self._topics.produce(
            self.orders, [NewRecord(b'{"id": %d}' % each, partition=0) for each in ids]
        )

    def open(self, text: str | None = None) -> Live:
        return Live(self.folder, text or self.text, broker=self._topics.bootstrap)

    def counts(self, live: Live, number: int) -> list[int]:
        with OutputReader(live.value, self.numbered, partitions=1) as reader:
            reader.until_count(number)
            return [record["count"] for record in reader.records]


@pytest.fixture
def place(
    tmp_path: Path, topics: Topics, broker: EmbeddedBroker, monkeypatch: pytest.MonkeyPatch
) -> Place:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return Place(tmp_path, topics)


def test_state_and_position_go_on_in_the_next_session(place: Place) -> None:
    place.write(1, 2)
    with place.open() as live:
        value = live.until_reading("Number", more_than=1)
        assert not value.broker.owned
        assert not value.feed.available
        live.session.drain()
        live.until_phase(Phase.STOPPED)
    place.write(3)
    with place.open() as live:
        live.until_reading("Number")
        assert place.counts(live, 3) == [1, 2, 3]
    (store,) = (place.folder / "state" / "loom-bench" / "stores").iterdir()
    assert store.stat().st_mode & 0o077 == 0


def test_a_session_that_opens_on_state_that_does_not_fit_asks_before_it_runs(place: Place) -> None:
    place.write(1, 2)
    with place.open() as live:
        live.until_reading("Number", more_than=1)
        live.session.drain()
        live.until_phase(Phase.STOPPED)
    place.write(3)
    with place.open(place.text.replace("Number", "Counted")) as live:
        value = live.until_revision(1, "waiting")
        assert value.conflict is not None
        assert value.conflict.gone == ("Number",)
        assert value.phase is Phase.STOPPED
        assert value.plan is not None
        live.session.decide({"Number": "Counted"}, (), keep_old=False)
        live.until_reading("Counted")
        assert place.counts(live, 3) == [1, 2, 3]


def test_a_second_session_on_the_same_flow_says_so(place: Place) -> None:
    place.write(1)
    with place.open() as first:
        first.until_reading("Number")
        with place.open() as second:
            value = second.until_phase(Phase.FAILED)
            assert "in use by another run" in value.diagnoses[0].message
            assert value.diagnoses[0].hint
        first.until_reading("Number")
