"""The wheel holds what users need and nothing else, and works without the checkout."""

import shutil
import subprocess
import sys
import sysconfig
import venv
import zipfile
from email.message import Message
from email.parser import Parser
from pathlib import Path

import pytest

from tests.project.sources import REPOSITORY


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from a copy of the checkout without network."""
    source = tmp_path_factory.mktemp("source")
    for name in ("runtime", "workbench", "sample_flows", "tests"):
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(REPOSITORY / name, source / name, ignore=ignored)
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(REPOSITORY / name, source)
    folder = tmp_path_factory.mktemp("wheel")
    _pip("wheel", str(source), "--no-deps", "--no-build-isolation", "--wheel-dir", str(folder))
    (built,) = folder.glob("*.whl")
    return built


def test_wheel_has_both_packages_the_license_and_nothing_else(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    tops = {name.partition("/")[0] for name in names}
    assert tops == {"loom_runtime", "loom_bench", "loom_bench-0.1.0.dist-info"}
    assert "loom_bench-0.1.0.dist-info/licenses/LICENSE" in names
    assert {"loom_runtime/py.typed", "loom_bench/py.typed"} <= set(names)
    assert [name for name in names if "test" in Path(name).stem.split("_")] == []
    kinds = {Path(name).suffix for name in names if not name.startswith("loom_bench-")}
    assert kinds <= {".py", ".typed", ".tcss"}


def test_wheel_tells_which_python_it_needs_and_whose_it_is(wheel: Path) -> None:
    metadata = _metadata(wheel)
    python = {each.strip() for each in str(metadata["Requires-Python"]).split(",")}
    assert python == {">=3.11", "<3.13"}
    assert metadata["License-Expression"] == "Apache-2.0"
    assert "bytewax==0.21.1" in (metadata.get_all("Requires-Dist") or ())
    assert metadata["Description-Content-Type"] == "text/markdown"


def test_wheel_works_without_the_checkout(wheel: Path, tmp_path: Path) -> None:
    home = tmp_path / "venv"
    venv.create(home, with_pip=False, symlinks=True)
    python = home / "bin" / "python"
    _pip("--python", str(python), "install", "--no-index", "--no-deps", str(wheel))
    purelib = home / "lib" / f"python{sysconfig.get_python_version()}" / "site-packages"
    # Dependencies come from where the tests run; a .pth inside that folder, which leads to the
    # checkout, counts for nothing there.
    (purelib / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    shutil.copy(REPOSITORY / "sample_flows" / "smallest.py", tmp_path)

    def loom_bench(*arguments: str) -> str:
        command = [str(home / "bin" / "loom-bench"), *arguments]
        return subprocess.run(
            command, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=True
        ).stdout

    assert loom_bench("--version") == "loom-bench 0.1.0\n"
    assert loom_bench("check", "smallest.py") == "1 file, 1 flow: no issues\n"
    lines = loom_bench("run", "smallest.py", "--until-idle", "1").splitlines()
    assert lines[-1] == "output: 3 records, 0 envelopes, 0 dead letters"
    code = "import loom_runtime, loom_bench; print(loom_runtime.__file__, loom_bench.__file__)"
    where = subprocess.run(
        [python, "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=True
    ).stdout.split()
    assert all(Path(file).is_relative_to(purelib) for file in where)


def _metadata(wheel: Path) -> Message:
    archive = zipfile.ZipFile(wheel)
    (name,) = [each for each in archive.namelist() if each.endswith(".dist-info/METADATA")]
    return Parser().parsestr(archive.read(name).decode())


def _pip(*arguments: str) -> None:
    command = [sys.executable, "-m", "pip", "--quiet", *arguments]
    subprocess.run(command, capture_output=True, text=True, timeout=100, check=True)
