"""The files that a flow is made of, and a hash of what is in them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path

from loom_bench.protocol.frames import Loaded, LoadFailed

_HASH_CHARACTERS = 12
_CONFIG_SUFFIXES = (".yaml", ".yml")


class Sources:
    """Module, local imports and configuration of one flow.

    Args:
        target: Path of the module, with ``:ATTRIBUTE`` when it has several flows.
        config_path: Configuration file; ``None`` looks for one beside the module.
    """

    def __init__(self, target: str, config_path: str | None) -> None:
        self.module = module_path(target)
        if config_path is None:
            configs = [self.module.with_suffix(suffix) for suffix in _CONFIG_SUFFIXES]
        else:
            configs = [Path(config_path).absolute()]
        self._always = {self.module, *configs}
        self._files = self._always

    @property
    def files(self) -> frozenset[Path]:
        """Every file whose change makes a new revision."""
        return frozenset(self._files)

    def learn(self, news: Loaded | LoadFailed) -> None:
        """Take in which files were imported; those of a failed load are added to the known ones."""
        files = {Path(file) for file in news.module_files}
        if isinstance(news, Loaded):
            self._files = self._always | files | {Path(file) for file in news.config_sources}
            return
        for diagnosis in news.diagnoses:
            files |= {Path(frame.file) for frame in diagnosis.frames}
            if diagnosis.file is not None:
                files.add(Path(diagnosis.file))
        self._files = self._files | files

    def content_hash(self) -> str:
        """Return a hash of what the files hold now; one that is absent counts as such."""
        digest = hashlib.sha256()
        for file in sorted(self._files):
            try:
                content = file.read_bytes()
            except OSError:
                continue
            digest.update(str(file).encode("utf-8", "surrogateescape") + b"\0")
            digest.update(len(content).to_bytes(8, "big") + content)
        return digest.hexdigest()[:_HASH_CHARACTERS]

    def saved_at_ms(self) -> int | None:
        """Return when the newest of the files was written; ``None`` when none is there."""
        return max(_times_ms(self._files), default=None)


def module_path(target: str) -> Path:
    """Return the absolute path of the module in *target*, links resolved."""
    path = Path(target)
    if not path.exists() and ":" in path.name:
        path = Path(target.rpartition(":")[0])
    return path.resolve()


def _times_ms(files: Iterable[Path]) -> list[int]:
    times = []
    for file in files:
        try:
            times.append(file.stat().st_mtime_ns // 1_000_000)
        except OSError:
            continue
    return times
