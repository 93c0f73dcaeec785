"""Nothing of the machines that the project was made on, or of registries, stands in its files."""

import re

import pytest

from tests.project.sources import REPOSITORY, files

_LITERALS = (
    # Where packages come from is the user's own setting, never ours.
    "pypi" + ".org",
    "files.python" + "hosted",
    "repo" + ".maven",
    "repo1" + ".maven",
    "maven" + ".org",
    "registry" + ".npmjs",
    "docker" + ".io/",
    "ghcr" + ".io",
    "index" + "-url",
    "extra-index" + "-url",
)
_PATTERNS = (
    # Home folders and work folders of some machine.
    re.compile(r"(?<![\w.$~<])/(?:work|root|Users)/\w"),
    re.compile(r"(?<![\w.$~<])/home/(?!user\b)\w"),
)
_TEXT = frozenset(
    {".py", ".md", ".toml", ".yaml", ".yml", ".json", ".xml", ".cfg", ".txt", ".tcss", ".sh", ""}
)


def test_no_registry_and_no_machine_is_named() -> None:
    found = []
    for path in files():
        if path.suffix not in _TEXT or path.name == ".coverage":
            continue
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            if _names_one(line):
                found.append(f"{path.relative_to(REPOSITORY)}:{number}: {line.strip()[:120]}")
    assert found == []


@pytest.mark.parametrize(
    "line",
    [
        "see https://" + "pypi" + ".org/project/x",
        "--extra-index" + "-url https://example.com",
        'open("/' + 'work/data.csv")',
        "cd /" + "root/project",
        "/" + "home/somebody/x",
    ],
)
def test_a_line_that_names_one_is_found(line: str) -> None:
    assert _names_one(line)


@pytest.mark.parametrize("line", ["~/.cache", "/home/user/flow.py", "framework/work/x", "/tmp/x"])
def test_a_line_that_names_none_is_not(line: str) -> None:
    assert not _names_one(line)


def _names_one(line: str) -> bool:
    lowered = line.lower()
    return any(word in lowered for word in _LITERALS) or any(
        pattern.search(line) for pattern in _PATTERNS
    )
