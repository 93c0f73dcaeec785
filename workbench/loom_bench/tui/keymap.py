"""The user's own keys: a TOML file of action ids and keys; mistakes in it are told, not fatal."""

from __future__ import annotations

import tomllib
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from loom_bench.safe import safe
from loom_bench.tui.actions import ACTIONS, BY_ID

_MAX_SHOWN_CELLS = 60


@dataclass(frozen=True)
class Keymap:
    """Keys by action id, and what was wrong in the file.

    Attributes:
        keys: Keys, comma-separated, of the actions that the user changed.
        problems: One sentence each.
    """

    keys: Mapping[str, str] = field(default_factory=dict)
    problems: tuple[str, ...] = ()


def keymap_path(environ: Mapping[str, str], home: Path) -> Path:
    """Return where the file lies: ``loom-bench/keys.toml`` in the user's configuration folder."""
    configured = environ.get("XDG_CONFIG_HOME", "")
    folder = Path(configured) if configured.startswith("/") else home / ".config"
    return folder / "loom-bench" / "keys.toml"


def read_keymap(path: Path) -> Keymap:
    """Read the file; no file is an empty keymap.

    It holds lines such as ``"run.pause" = "P"`` or ``"list.down" = ["down", "n"]``.
    """
    try:
        entries = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return Keymap()
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as failure:
        return Keymap(
            problems=(f"{safe(str(path))}: {safe(str(failure))}; the usual keys are used",)
        )
    keys: dict[str, str] = {}
    problems: list[str] = []
    for action_id, wanted in _flat(entries).items():
        shown = safe(action_id, max_cells=_MAX_SHOWN_CELLS)
        names = [wanted] if isinstance(wanted, str) else wanted
        if action_id not in BY_ID:
            problems.append(f"keys.toml: there is no action {shown}; the help lists them all")
        elif not isinstance(names, list) or not all(_is_key(name) for name in names):
            problems.append(f"keys.toml: {shown} needs a key or a list of keys")
        else:
            keys[action_id] = ",".join(names)
    problems.extend(_clashes(keys))
    return Keymap(keys, tuple(problems))


def _flat(entries: Mapping[str, object]) -> dict[str, object]:
    """Return dotted names: ``run.pause = "P"`` unquoted makes a table in TOML."""
    flat: dict[str, object] = {}
    for name, entry in entries.items():
        if isinstance(entry, dict):
            flat.update({f"{name}.{inner}": value for inner, value in entry.items()})
        else:
            flat[name] = entry
    return flat


def _is_key(name: object) -> bool:
    return isinstance(name, str) and bool(name) and name.isprintable() and "," not in name


def _clashes(keys: Mapping[str, str]) -> list[str]:
    """Tell keys that mean two things in one place; the user's choice wins there."""
    taken: dict[tuple[str, str], list[str]] = defaultdict(list)
    for action in ACTIONS:
        for key in keys.get(action.id, action.keys).split(","):
            taken[action.where, key].append(action.id)
    return [
        f"keys.toml: {safe(key, max_cells=_MAX_SHOWN_CELLS)} means {' and '.join(ids)}"
        for (_, key), ids in taken.items()
        if len(ids) > 1 and any(action_id in keys for action_id in ids)
    ]
