"""The commands on a broker in a container."""

from pathlib import Path

import pytest

from tests.cli.commands import run
from tests.containers.engine import Engine

pytestmark = pytest.mark.docker

FLOW = Path(__file__).parents[2] / "sample_flows" / "smallest.py"


@pytest.mark.parametrize("choice", ["auto", "docker"])
def test_a_flow_runs_in_full(engine: Engine, choice: str) -> None:
    done = run("run", FLOW, "--broker", choice, "--docker-image", engine.image, "--until-idle", "1")
    assert done.code == 0, done.out + done.err
    lines = done.out.splitlines()
    assert lines[0] == "docker: asking the Docker engine"
    (broker,) = (line for line in lines if line.startswith("broker: "))
    assert broker.startswith("broker: docker at 127.0.0.1:")
    assert f"{engine.image} in a container of the bench's own" in broker
    assert any("ledger balanced" in line for line in lines)
    assert lines[-1].startswith("output: 3 records")
    assert engine.containers() == []


def test_what_is_wrong_is_told_without_a_traceback(engine: Engine) -> None:
    done = run("run", FLOW, "--broker", "docker", "--docker-image", "127.0.0.1:1/none:1")
    assert done.code != 0
    assert "the image 127.0.0.1:1/none:1 is not on this machine" in done.out
    assert "Traceback" not in done.out + done.err


def test_auto_falls_back_when_the_image_cannot_be_had(engine: Engine) -> None:
    done = run(
        "run", FLOW, "--broker", "auto", "--docker-image", "127.0.0.1:1/none:1", "--until-idle", "1"
    )
    assert done.code == 0, done.out + done.err
    (broker,) = (line for line in done.out.splitlines() if line.startswith("broker: "))
    assert broker.startswith("broker: embedded at ")
    assert "The image 127.0.0.1:1/none:1 is not on this machine" in broker
    assert "The bench runs its own." in broker
