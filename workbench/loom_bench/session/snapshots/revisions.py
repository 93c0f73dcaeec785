"""The source of every revision that the bench ran, kept so that it can be run again."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import msgspec

from loom_bench.protocol.frames import Loaded
from loom_bench.revision_name import revision_name
from loom_bench.session.live.sources import module_path
from loom_bench.session.live.stores import state_home
from loom_bench.session.snapshots.value import KeptRevision

_MANIFEST = "revision.json"
_FILES = "files"
_CONFIG_SUFFIXES = (".yaml", ".yml")


class _Manifest(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    kept_at_ms: int
    module: str
    config: str | None
    files: tuple[str, ...]
    size_bytes: int
    origin: str
    other_origins: tuple[str, ...] = ()

    def is_of(self, module: Path) -> bool:
        """Return whether *module* was this at some time; copies of a flow share revisions."""
        return str(module) in (self.origin, *self.other_origins)


class RevisionFiles(NamedTuple):
    """Where the code of a revision can be run from.

    Attributes:
        target: Path of the module, with ``:ATTRIBUTE`` when one was named.
        config_path: Its configuration file; ``None`` looks for one beside the module.
    """

    target: str
    config_path: str | None


class Revisions:
    """The kept revisions of one flow module.

    Args:
        target: Path of the module, with ``:ATTRIBUTE`` when it has several flows.
        home: Folder that they are kept in; the user's state folder when ``None``.
    """

    def __init__(self, target: str, home: Path | None = None) -> None:
        self._module = module_path(target)
        self._attribute = target.rpartition(".py:")[2] if ".py:" in target else ""
        self._home = home or state_home().parent / "revisions"

    def keep(self, loaded: Loaded) -> bool:
        """Keep the source that a host has loaded; return whether it is kept now.

        It is not when the files have changed since they were loaded.

        Raises:
            OSError: When the file system refuses.
        """
        name = loaded.revision
        if not name:
            return False
        folder = self._home / name
        if folder.exists():
            self._claim(folder)
            return True
        files = [Path(file) for file in (*loaded.module_files, *loaded.config_sources)]
        self._home.mkdir(mode=0o700, parents=True, exist_ok=True)
        work = Path(tempfile.mkdtemp(prefix=".keeping-", dir=self._home))
        try:
            manifest = self._copy(name, files, loaded.config_sources, work)
            if manifest is None:
                return False
            with contextlib.suppress(OSError):  # another session has just kept it
                work.rename(folder)
            return folder.exists()
        finally:
            shutil.rmtree(work, ignore_errors=True)

    def listed(self) -> tuple[KeptRevision, ...]:
        """Return the revisions of this module that are kept, newest last."""
        if not self._home.is_dir():
            return ()
        found = [self._manifest(path) for path in self._home.iterdir()]
        ours = [each for each in found if each is not None and each.is_of(self._module)]
        return tuple(
            KeptRevision(
                name=each.name,
                kept_at_ms=each.kept_at_ms,
                files=each.files,
                size_bytes=each.size_bytes,
            )
            for each in sorted(ours, key=lambda each: (each.kept_at_ms, each.name))
        )

    def find(self, name: str) -> RevisionFiles | None:
        """Return where a kept revision lies; a beginning of its name will do. ``None`` when there
        is none, or more than one."""
        if len(name) < 4 or not self._home.is_dir():
            return None
        found = [path for path in self._home.iterdir() if path.name.startswith(name)]
        manifest = self._manifest(found[0]) if len(found) == 1 else None
        if manifest is None:
            return None
        root = found[0] / _FILES
        target = str(root / manifest.module)
        return RevisionFiles(
            f"{target}:{self._attribute}" if self._attribute else target,
            None if manifest.config is None else str(root / manifest.config),
        )

    def _copy(
        self, name: str, files: list[Path], configs: Iterable[str], work: Path
    ) -> _Manifest | None:
        root = Path(os.path.commonpath([str(file.parent) for file in [self._module, *files]]))
        target = work / _FILES
        target.mkdir()
        for file in files:
            copy = target / file.relative_to(root)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, copy)
            copy.chmod(0o600)
        module = target / self._module.relative_to(root)
        copies = [target / file.relative_to(root) for file in files]
        if revision_name(module, copies) != name:
            return None
        _link_beside(files, root, target)
        config = next((Path(each).relative_to(root) for each in configs), None)
        manifest = _Manifest(
            name=name,
            kept_at_ms=time.time_ns() // 1_000_000,
            module=str(self._module.relative_to(root)),
            config=None if config is None else str(config),
            files=tuple(str(file.relative_to(root)) for file in files),
            size_bytes=sum(copy.stat().st_size for copy in copies),
            origin=str(self._module),
        )
        _write(work / _MANIFEST, manifest)
        return manifest

    def _claim(self, folder: Path) -> None:
        """Note that a revision which another copy of the module has kept is this one's too."""
        manifest = self._manifest(folder)
        if manifest is None or manifest.is_of(self._module):
            return
        others = (*manifest.other_origins, str(self._module))
        work = folder / f".{_MANIFEST}-{os.getpid()}"
        _write(work, msgspec.structs.replace(manifest, other_origins=others))
        work.replace(folder / _MANIFEST)

    def _manifest(self, folder: Path) -> _Manifest | None:
        try:
            return msgspec.json.decode((folder / _MANIFEST).read_bytes(), type=_Manifest)
        except (OSError, msgspec.MsgspecError, UnicodeDecodeError):
            return None


def _write(path: Path, manifest: _Manifest) -> None:
    path.write_bytes(msgspec.json.format(msgspec.json.encode(manifest)))
    path.chmod(0o600)


def _link_beside(files: list[Path], root: Path, target: Path) -> None:
    """Link the data that lies beside the modules: code that opens it by its own path finds it.

    Links to source and configuration are not made: they would bring in another revision.
    """
    for folder in {file.parent for file in files}:
        for entry in folder.iterdir():
            hidden = entry.name.startswith((".", "__"))
            link = target / entry.relative_to(root)
            skipped = entry.suffix in (".py", *_CONFIG_SUFFIXES) or hidden or link.exists()
            if not skipped and not (entry.is_dir() and any(entry.glob("*.py"))):
                with contextlib.suppress(OSError):
                    link.symlink_to(entry)
