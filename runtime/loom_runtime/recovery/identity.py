"""Whose state a recovery store holds, kept in a file beside it."""

from __future__ import annotations

import os
from enum import StrEnum
from pathlib import Path
from typing import Final

import msgspec

from loom_runtime.compiler.plan import CompiledNode, CompiledPlan, NodeKind
from loom_runtime.model import LoomFrozenStruct
from loom_runtime.recovery.errors import StoreDamagedError
from loom_runtime.recovery.state_schema import StateSchema, schema_of
from loom_runtime.wire.dispatch import type_name

FORMAT_VERSION: Final = 1
"""Version of the identity file's layout."""

IDENTITY_FILE: Final = "loom-store.json"

SOURCE_STEP: Final = "source"
SINK_STEP: Final = "sink"
"""Step ids of the ends, which also keep rows in the store."""


class StatefulStepIdentity(LoomFrozenStruct, frozen=True, kw_only=True):
    """A node that keeps state.

    Attributes:
        node: Name of the node.
        kind: What it is.
        state_type: Stable name of its state's type; empty for records that a batch or window
            holds, which describe themselves.
        schema: Form of that type; ``None`` when it has no form that could be told.
    """

    node: str
    kind: NodeKind
    state_type: str = ""
    schema: StateSchema | None = None


class StoreIdentity(LoomFrozenStruct, frozen=True, kw_only=True):
    """What a store and a plan must agree on.

    Attributes:
        format: Version of this layout.
        flow: Name of the flow.
        topics: Physical source topics, sorted.
        steps: Nodes that keep state, by step id.
    """

    format: int = FORMAT_VERSION
    flow: str
    topics: tuple[str, ...]
    steps: dict[str, StatefulStepIdentity]


class StoreStage(StrEnum):
    """How far a store's creation has come."""

    CREATING = "creating"
    READY = "ready"


class IdentityFile(LoomFrozenStruct, frozen=True, kw_only=True):
    """What the file says.

    Attributes:
        stage: ``creating`` until every part file is there; such a store was never run.
        partitions: Part files of the store.
        identity: Whose it is.
    """

    stage: StoreStage
    partitions: int
    identity: StoreIdentity


def identity_of(plan: CompiledPlan) -> StoreIdentity:
    """Return what *plan* demands of its store."""
    return StoreIdentity(
        flow=plan.name,
        topics=tuple(sorted(plan.source.topics)),
        steps={
            node.state_id: _step_identity(node) for node in plan.nodes if node.state_id is not None
        },
    )


def store_step_id(flow: str, step: str) -> str:
    """Return the id under which the store keeps the rows of *step*.

    Bytewax puts the flow's id before it, and takes no period inside either.
    """
    return f"{flow.replace('.', '_')}.{step}"


def load_identity(db_dir: Path) -> IdentityFile | None:
    """Return what the identity file in *db_dir* says; ``None`` when there is none.

    Raises:
        StoreDamagedError: When it cannot be understood.
    """
    path = db_dir / IDENTITY_FILE
    try:
        text = path.read_bytes()
    except FileNotFoundError:
        return None
    try:
        version = msgspec.json.decode(text, type=_AnyVersion).identity.format
        if version == FORMAT_VERSION:
            return msgspec.json.decode(text, type=IdentityFile)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise StoreDamagedError(
            f"the store's identity file cannot be understood: {error}",
            where=str(path),
            what_next="restore it from a backup; without it, delete that one file and the next "
            "start compares the step ids in the store itself",
        ) from error
    raise StoreDamagedError(
        f"the store's identity file has format {version}; this runtime reads {FORMAT_VERSION}",
        where=str(path),
        what_next="run the flow with the loom_runtime that wrote it, or a newer one",
    )


def save_identity(db_dir: Path, content: IdentityFile) -> None:
    """Write the identity file, whole or not at all.

    Raises:
        OSError: When the file system refuses.
    """
    path = db_dir / IDENTITY_FILE
    temporary = path.with_suffix(".tmp")
    text = msgspec.json.format(msgspec.json.encode(content), indent=2)
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
    sync_folder(db_dir)


def sync_folder(folder: Path) -> None:
    """Make renames in *folder* last through a power failure."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


class _FormatOnly(msgspec.Struct):
    format: int


class _AnyVersion(msgspec.Struct):
    identity: _FormatOnly


def _step_identity(node: CompiledNode) -> StatefulStepIdentity:
    if node.state_type is None:
        return StatefulStepIdentity(node=node.name, kind=node.kind)
    try:
        schema = schema_of(node.state_type)
    except (TypeError, NameError):
        schema = None
    return StatefulStepIdentity(
        node=node.name, kind=node.kind, state_type=type_name(node.state_type), schema=schema
    )
