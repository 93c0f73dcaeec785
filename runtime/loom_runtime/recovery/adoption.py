"""Takes over a store that has no identity file, by what its rows say."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from loom_runtime.recovery.difference import (
    StoreDifference,
    missing_step,
    missing_topic,
    other_flow,
)
from loom_runtime.recovery.errors import NotPlainError
from loom_runtime.recovery.identity import SINK_STEP, SOURCE_STEP, StoreIdentity, store_step_id
from loom_runtime.recovery.parts import PartFile
from loom_runtime.recovery.pickled import read_pickled
from loom_runtime.recovery.positions import decode_position

_EVERY_EPOCH = 2**62


def identity_differences(
    files: Sequence[PartFile], identity: StoreIdentity
) -> list[StoreDifference]:
    """Return what in the rows of a store does not fit *identity*."""
    found = {step_id for file in files for step_id in file.steps()}
    known = {store_step_id(identity.flow, each): each for each in (*_ENDS, *identity.steps)}
    flows = sorted({step_id.partition(".")[0] for step_id in found})
    flow_id = store_step_id(identity.flow, "").removesuffix(".")
    if flows and flow_id not in flows:
        return [other_flow(flows[0], identity.flow)]
    differences = [
        missing_step(step_id.removeprefix(f"{flow_id}."))
        for step_id in sorted(found - known.keys())
    ]
    source = store_step_id(identity.flow, SOURCE_STEP)
    topics = {
        key.rpartition(":")[0] for file in files for key, _, _ in file.latest(source, _EVERY_EPOCH)
    }
    differences += [missing_topic(each) for each in sorted(topics - set(identity.topics))]
    return [*differences, *_foreign_values(files, found & known.keys(), source)]


_ENDS = (SOURCE_STEP, SINK_STEP)


def _foreign_values(
    files: Sequence[PartFile], step_ids: set[str], source: str
) -> Iterator[StoreDifference]:
    for step_id in sorted(step_ids):
        samples = (file.sample(step_id) for file in files)
        blob = next((each for each in samples if each is not None), None)
        try:
            value = None if blob is None else read_pickled(blob)
            if step_id == source and value is not None:
                decode_position(value)
        except NotPlainError as error:
            yield StoreDifference(
                f"the state of step {step_id!r} was not written by this runtime: {error}",
                "let the program go on with it that wrote it",
            )
