"""The ``streaming.runtime`` section: workers, cluster, epochs, recovery, async backend."""

from __future__ import annotations

from typing import Literal

from loom_runtime.model import LoomFrozenStruct


class BytewaxRecoverySettings(LoomFrozenStruct, frozen=True, forbid_unknown_fields=True):
    """Where a flow's state and positions are kept.

    Attributes:
        db_dir: Folder of the recovery store; created when absent, private to the user.
        backup_interval_ms: How long superseded snapshots are kept, milliseconds; ``None`` keeps
            them all.
        partitions: SQLite files of a new store. Bytewax loads a store in time that grows with the
            square of the keys per file: 100,000 keys took 15.6 s in one file, 2.1 s in sixteen.
    """

    db_dir: str
    backup_interval_ms: int | None = None
    partitions: int = 8

    def __post_init__(self) -> None:
        """Refuse numbers that mean nothing."""
        if self.partitions < 1:
            raise ValueError(f"recovery.partitions is {self.partitions}; the least is 1")
        if self.backup_interval_ms is not None and self.backup_interval_ms < 0:
            raise ValueError("recovery.backup_interval_ms must not be negative")


class BytewaxRuntimeConfig(LoomFrozenStruct, frozen=True, forbid_unknown_fields=True):
    """How a flow runs.

    Attributes:
        workers_per_process: Worker threads of this process.
        process_id: Index of this process in *addresses*; ``None`` outside a cluster.
        addresses: ``host:port`` of every process of the cluster, this one included.
        epoch_interval_ms: Length of an epoch: how often offsets are committed and state is kept.
        recovery: Where state and positions are kept; ``None`` keeps none.
        async_backend: Event loop library of ``WithAsync``.
        use_uvloop: Whether asyncio runs on uvloop.
        force_shutdown_timeout_ms: How long to wait for coroutines at shutdown; ``None`` waits for
            ever.
    """

    workers_per_process: int = 1
    process_id: int | None = None
    addresses: tuple[str, ...] | None = None
    epoch_interval_ms: int = 100
    recovery: BytewaxRecoverySettings | None = None
    async_backend: Literal["asyncio", "trio"] = "asyncio"
    use_uvloop: bool = False
    force_shutdown_timeout_ms: int | None = None

    def __post_init__(self) -> None:
        """Refuse numbers and combinations that mean nothing."""
        if self.workers_per_process < 1:
            raise ValueError(f"workers_per_process is {self.workers_per_process}; the least is 1")
        if self.epoch_interval_ms < 1:
            raise ValueError(f"epoch_interval_ms is {self.epoch_interval_ms}; the least is 1")
        if (self.process_id is None) != (self.addresses is None):
            raise ValueError("a cluster needs both process_id and addresses")
        if self.addresses is not None and self.process_id not in range(len(self.addresses)):
            raise ValueError(
                f"process_id {self.process_id} is no index of {len(self.addresses)} addresses"
            )
