"""Study files: a calculation written down in TOML, checked key by key."""

from __future__ import annotations

import dataclasses
import re
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from opendicke.methods.cumulants import Cumulants
from opendicke.methods.hops import HOPS
from opendicke.methods.lindblad import Lindblad
from opendicke.methods.mean_field import MeanField
from opendicke.methods.nuhops import NuHOPS
from opendicke.methods.precision import Precision
from opendicke.methods.truncated_wigner import TruncatedWigner
from opendicke.model import DickeModel
from opendicke.states import SpinCoherent

METHODS: dict[str, Any] = {
    method.__name__: method for method in (NuHOPS, HOPS, TruncatedWigner, Lindblad, MeanField, Cumulants)
}

EXAMPLE = """\
# A study for `opendicke run` (and, with a [sweep], `opendicke sweep`). Rates in one unit of your choice, times in
# its inverse; hbar = 1.

[model]
n_atoms = 100
omega_a = 1.0
omega_c = 2.5
kappa = 0.5          # decay rate of the field: the photon number decays at 2 kappa
g_minus = 1.13
g_plus = 1.13

[state]              # spin coherent state times coherent cavity state
theta = 0.7853981633974483   # 0: all atoms up, pi: all down
phi = 3.141592653589793
# alpha = [0.0, 0.0]         # real and imaginary part of <a>

[times]              # or: values = [0.0, 1.0, 2.5]
start = 0.0
stop = 20.0
points = 201

[method]
name = "NuHOPS"      # NuHOPS, HOPS, TruncatedWigner, Lindblad, MeanField, Cumulants; other keys are its options
trajectories = 300
seed = 1
# precision = { variable = "Sz", relative = 0.01 }   # stop when this is met; trajectories is then the most

[output]             # places relative to this file
store = "runs"       # finished trajectories; delete it to start afresh
result = "result.nc"
# observables = ["Sx", "Sy", "Sz", "n_photon"]

# [sweep]            # parameters that take several values: a list, or start, stop and points
# g_minus = { start = 0.5, stop = 2.0, points = 12 }
# g_plus = [0.2, 0.4, 0.8]
# common_random_numbers = false
"""


class StudyFileError(ValueError):
    """A study file says something that can't be done; the message names the file, the line and the key."""


@dataclass(frozen=True)
class StudyFile:
    """A study file, read and checked."""

    model: DickeModel
    state: SpinCoherent
    times: NDArray[np.float64]
    method: Any
    result: Path
    store: Path | None = None
    observables: tuple[str, ...] | None = None
    grid: dict[str, NDArray[np.float64]] = field(default_factory=dict)
    common_random_numbers: bool = False


def load(path: Path) -> StudyFile:
    """Read and check a study file.

    Raises:
        StudyFileError: for a file that is not there or not TOML, a key that is missing, unknown or of the wrong kind,
            or a value that the model, state or method refuses.
    """
    try:
        text = path.read_text()
        content = tomllib.loads(text)
    except OSError as problem:
        raise StudyFileError(f"{path}: cannot be read ({problem}). `opendicke init` writes an example.") from problem
    except tomllib.TOMLDecodeError as problem:
        raise StudyFileError(f"{path}: not TOML: {problem}") from problem
    return _Reader(path, text, content).study()


@dataclass(frozen=True)
class _Reader:
    path: Path
    text: str
    content: dict[str, Any]

    def study(self) -> StudyFile:
        """The study, section by section."""
        self._only("", self.content, {"model", "state", "times", "method", "output", "sweep"})
        output = self._section("output", required=False)
        self._only("output", output, {"store", "result", "observables"})
        sweep = dict(self._section("sweep", required=False))
        common = sweep.pop("common_random_numbers", False)
        here = self.path.parent
        return StudyFile(
            model=self._build("model", DickeModel, self._section("model")),
            state=self._state(),
            times=self._axis("times", self._section("times")),
            method=self._method(),
            result=here / str(output.get("result", self.path.with_suffix(".nc").name)),
            store=here / str(output["store"]) if "store" in output else None,
            observables=tuple(output["observables"]) if "observables" in output else None,
            grid={name: self._axis(f"sweep.{name}", values) for name, values in sweep.items()},
            common_random_numbers=bool(common),
        )

    def _state(self) -> SpinCoherent:
        values = dict(self._section("state"))
        if isinstance(values.get("alpha"), list):
            values["alpha"] = complex(*values["alpha"])
        state: SpinCoherent = self._build("state", SpinCoherent, values)
        return state

    def _method(self) -> Any:
        values = dict(self._section("method"))
        name = values.pop("name", None)
        if name not in METHODS:
            raise self._error("method", "name", f"expected one of {', '.join(METHODS)}, got {name!r}")
        if isinstance(values.get("precision"), dict):
            target = dict(values["precision"])
            target |= {"times": tuple(target["times"])} if "times" in target else {}
            values["precision"] = self._build("method", Precision, target, key="precision")
        return self._build("method", METHODS[name], values)

    def _build(self, section: str, kind: Any, values: dict[str, Any], key: str = "") -> Any:
        """``kind(**values)``, with its complaints turned into ours."""
        known = {item.name for item in dataclasses.fields(kind)}
        self._only(section, values, known)
        needed = {
            item.name
            for item in dataclasses.fields(kind)
            if item.default is dataclasses.MISSING and item.default_factory is dataclasses.MISSING
        }
        for missing in sorted(needed - set(values)):
            raise self._error(section, key, f"the key {missing!r} is missing")
        try:
            return kind(**values)
        except (TypeError, ValueError) as problem:
            blamed = str(problem).split(":")[0].split("[")[0]
            raise self._error(section, key or blamed, str(problem)) from problem

    def _axis(self, place: str, values: Any) -> NDArray[np.float64]:
        """A list of numbers, or evenly spaced ones."""
        section, _, key = place.partition(".")
        if isinstance(values, list):
            values = {"values": values}
        if not isinstance(values, dict):
            raise self._error(section, key, f"expected a list, or start, stop and points, got {values!r}")
        try:
            if set(values) == {"values"}:
                return np.array(values["values"], dtype=np.float64)
            if set(values) == {"start", "stop", "points"}:
                return np.linspace(float(values["start"]), float(values["stop"]), int(values["points"]))
        except (TypeError, ValueError) as problem:
            raise self._error(section, key, f"expected numbers, got {values!r}") from problem
        raise self._error(section, key, f"expected values, or start, stop and points, got {', '.join(values)}")

    def _section(self, name: str, *, required: bool = True) -> dict[str, Any]:
        if name not in self.content:
            if required:
                raise StudyFileError(f"{self.path}: the section [{name}] is missing")
            return {}
        section = self.content[name]
        if not isinstance(section, dict):
            raise self._error("", name, f"expected a section [{name}], got {section!r}")
        return section

    def _only(self, section: str, values: dict[str, Any], known: set[str]) -> None:
        for key in values:
            if key not in known:
                raise self._error(section, key, f"unknown; known here: {', '.join(sorted(known))}")

    def _error(self, section: str, key: str, text: str) -> StudyFileError:
        line = self._line(section, key)
        place = ".".join(part for part in (section, key) if part)
        return StudyFileError(f"{self.path}, line {line}, {place}: {text}")

    def _line(self, section: str, key: str) -> int:
        """The line of a key in a section; of the section, if the key is not there."""
        current, found = "", 1
        for number, line in enumerate(self.text.splitlines(), start=1):
            header = re.match(r"\s*\[+\s*([\w.]+)\s*\]", line)
            if header:
                current = header[1]
                found = number if section and current.split(".")[0] == section else found
                if not section and current == key:
                    return number
            elif key and current == section and re.match(rf"\s*{re.escape(key)}\s*[=.]", line):
                return number
        return found
