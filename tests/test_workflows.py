"""What a public host would run is what `make` runs: the files are parsed, and the targets that they name are there."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parent.parent
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
TARGETS = set(re.findall(r"(?m)^([a-z][a-z-]*):", (ROOT / "Makefile").read_text(encoding="utf-8")))
#: `make`, variables, targets.
COMMAND = re.compile(r"make((?: [A-Z]+=\S+)*(?: [a-z-]+)(?: [A-Z]+=\S+)*)")


def read(path: Path) -> Any:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def not_make(command: str) -> str:
    """What of a command is no `make` of something that the Makefile makes; empty if nothing."""
    found = COMMAND.fullmatch(command.strip())
    if found is None:
        return command
    return " ".join(word for word in found[1].split() if "=" not in word and word not in TARGETS)


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_workflows_run_make_and_nothing_else(path: Path) -> None:
    steps = [step for job in read(path)["jobs"].values() for step in job["steps"]]
    assert [step["run"] for step in steps if "run" in step and not_make(step["run"])] == []
    own = ("actions/", "pypa/gh-action-pypi-publish@")
    assert all(step["uses"].startswith(own) and "@" in step["uses"] for step in steps if "uses" in step)
    assert all(job.get("permissions", {}).keys() <= {"id-token"} for job in read(path)["jobs"].values())
    assert read(path)["permissions"] == {"contents": "read"}


def test_other_commands_are_found() -> None:
    assert not_make("make PYTHON=python test") == ""
    assert not_make("make PYTHON=python tset") == "tset"
    assert not_make("make test; rm -rf x")
    assert not_make("pip install twine")


def test_pre_commit_runs_the_checks_of_make_test() -> None:
    (hook,) = read(ROOT / ".pre-commit-config.yaml")["repos"][0]["hooks"]
    assert not_make(hook["entry"]) == ""
    assert re.search(r"(?m)^test: check$", (ROOT / "Makefile").read_text(encoding="utf-8"))


def test_the_long_run_has_ten_times_the_statistics_and_every_test() -> None:
    rules = (ROOT / "Makefile").read_text(encoding="utf-8")
    (command,) = re.findall(r"(?m)^test-slow:.*\n\t(.*)$", rules)
    assert "OPENDICKE_TEST_STATISTICS=10" in command
    assert '-m "slow or not slow"' in command
    runs = [step.get("run", "") for step in read(ROOT / ".github/workflows/nightly.yml")["jobs"]["slow"]["steps"]]
    assert "make PYTHON=python test-slow" in runs


def test_forms_ask_for_the_doctor() -> None:
    forms = sorted((ROOT / ".github" / "ISSUE_TEMPLATE").glob("*.yml"))
    assert [path.stem for path in forms] == ["bug", "wish"]
    for form in forms:
        fields = {field["id"]: field for field in read(form)["body"]}
        assert "opendicke doctor" in fields["doctor"]["attributes"]["label"]
        assert all(field["type"] == "textarea" for field in fields.values())
    assert fields.keys() >= {"physics", "check"}
