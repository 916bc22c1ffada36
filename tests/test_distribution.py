"""What is shipped: what the wheel and the source archive hold, and one version everywhere."""

import re
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path

import pytest
import yaml
from packaging.metadata import Metadata

import opendicke as od

ROOT = Path(__file__).resolve().parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def build(source: Path, *arguments: str) -> None:
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", *arguments], cwd=source, check=True, capture_output=True
    )


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    build(ROOT, "-d", str(folder))
    return folder


def names(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


def test_the_wheel_holds_the_package_and_nothing_else(built: Path) -> None:
    (wheel,) = built.glob("*.whl")
    sources = {path.relative_to(ROOT / "src").as_posix() for path in (ROOT / "src" / "opendicke").rglob("*.py")}
    about = f"opendicke-{PROJECT['version']}.dist-info"
    own = {f"{about}/{name}" for name in ("METADATA", "WHEEL", "RECORD", "entry_points.txt", "licenses/LICENSE")}
    assert names(wheel) == sources | {"opendicke/py.typed"} | own
    with zipfile.ZipFile(wheel) as archive:
        told = Metadata.from_email(archive.read(f"{about}/METADATA"), validate=True)
    assert told.license_expression == "BSD-3-Clause"
    assert set(told.provides_extra or []) == set(PROJECT["optional-dependencies"])


def test_the_source_archive_is_enough_and_holds_no_pictures(built: Path, tmp_path: Path) -> None:
    (archive,) = built.glob("*.tar.gz")
    assert archive.stat().st_size < 2**21
    with tarfile.open(archive) as file:
        held = {name.partition("/")[2] for name in file.getnames()}
        file.extractall(tmp_path, filter="data")
    assert {"pyproject.toml", "README.md", "LICENSE", "CITATION.cff", "tests/conftest.py", "Makefile"} <= held
    assert not [name for name in held if Path(name).suffix in (".png", ".pdf", ".svg", ".pyc", ".nbi", ".nbc")]
    (source,) = tmp_path.iterdir()
    build(source, "-t", "wheel", "-d", str(tmp_path))
    assert names(next(tmp_path.glob("*.whl"))) == names(next(built.glob("*.whl")))


def test_the_version_comes_from_one_place() -> None:
    """pyproject.toml states it; nothing in the sources does, and what is cited is that version."""
    version = PROJECT["version"]
    assert od.__version__ == version
    stated = re.compile(rf"""["']{re.escape(version)}["']""")
    assert not [path for path in (ROOT / "src").rglob("*.py") if stated.search(path.read_text(encoding="utf-8"))]
    cited = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert cited["version"] == version
    assert f"version = {{{version}}}" in (ROOT / "docs" / "citing.md").read_text(encoding="utf-8")


def test_pythons_that_are_named_are_those_that_are_tried() -> None:
    named = {kind.rpartition(" ")[2] for kind in PROJECT["classifiers"] if re.search(r":: 3\.\d+$", kind)}
    tried = yaml.safe_load((ROOT / ".github" / "workflows" / "tests.yml").read_text(encoding="utf-8"))
    assert named == set(tried["jobs"]["tests"]["strategy"]["matrix"]["python"])
    assert PROJECT["requires-python"] == f">={min(named, key=lambda name: int(name[2:]))}"
