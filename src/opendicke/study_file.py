"""Study files: a calculation written down in TOML, checked key by key."""

from __future__ import annotations

import dataclasses
import re
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from opendicke import cavities, checks, states
from opendicke.description import replaced, restore
from opendicke.grid import STATE
from opendicke.methods.precision import Precision
from opendicke.methods.registry import METHODS
from opendicke.methods.sampled import Sampled
from opendicke.model import DickeModel, Model
from opendicke.observables.catalogue import select
from opendicke.signals import SIGNALS
from opendicke.states import SpinCoherent, State
from opendicke.system import System

#: States that have parts of their own, by their kind.
PARTED = ("product", "entangled_spins")
#: Evenly spaced numbers that a file may ask for.
MOST_POINTS = 10**8

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
# n_thermal = 0.2            # photons of the cavity's bath
# drive = [0.3, -0.1]        # real and imaginary part of what drives the cavity; atom_drive: the atoms
# Several spins or modes, instead of all the above (couplings: a row for each spin, an entry for each mode):
#     spins = [{ n_atoms = 60, omega_a = 1.0 }, { n_atoms = 40, omega_a = 1.0 }]
#     modes = [{ omega_c = 2.5, kappa = 0.5 }]
#     g_minus = [[1.1], [-1.1]]
# Instead of a number, each of these but n_atoms may be a signal, with values as for a number:
# g_minus = { kind = "ramp", times = [0.0, 50.0], values = [0.5, 1.5] }    # "samples": a smooth curve
# omega_c = { kind = "sine", mean = 2.5, amplitude = 0.1, frequency = 2.0 }

[state]              # spin coherent state times coherent cavity state
theta = 0.7853981633974483   # 0: all atoms up, pi: all down
phi = 3.141592653589793
# alpha = [0.0, 0.0]         # real and imaginary part of <a>
# cavity = { kind = "fock", photons = 2 }      # instead of alpha; thermal, squeezed, cat
# kind = "dicke"             # instead of theta and phi, with m = 0.0; thermal_spin, spin_squeezed, spin_superposition

[times]              # or: values = [0.0, 1.0, 2.5]
start = 0.0
stop = 20.0
points = 201

[method]
name = "NuHOPS"      # NAMES; other keys are its options
trajectories = 300
seed = 1
# precision = { variable = "Sz", relative = 0.01 }   # stop when this is met; trajectories is then the most

[output]             # places relative to this file
store = "runs"       # finished trajectories; delete it to start afresh
result = "result.nc"
# observables = ["Sx", "Sz", "n_photon", "Sx Sx a† a"]     # variables, and products of your own

# [sweep]            # parameters that take several values: a list, or start, stop and points
# g_minus = { start = 0.5, stop = 2.0, points = 12 }
# g_plus = [0.2, 0.4, 0.8]
# "state.theta" = [0.5, 1.0]           # parts of the state, of signals ("drive.amplitude") and of systems
# common_random_numbers = false
""".replace("NAMES", ", ".join(METHODS))


class StudyFileError(ValueError):
    """A study file says something that can't be done; the message names the file, the line and the key."""


@dataclass(frozen=True)
class StudyFile:
    """A study file, read and checked."""

    model: Model
    state: State
    times: NDArray[np.float64]
    method: Any
    result: Path
    store: Path | None
    observables: list[str] | None
    grid: dict[str, NDArray[Any]]
    common_random_numbers: bool
    reader: _Reader

    def with_trajectories(self, trajectories: int | None) -> StudyFile:
        """The same with another number of trajectories; None for its own.

        Raises:
            StudyFileError: if its method runs none.
        """
        if trajectories is None:
            return self
        if not hasattr(self.method, "trajectories"):
            raise self.reader.error("method", "name", f"{type(self.method).__name__} runs no trajectories")
        return dataclasses.replace(self, method=dataclasses.replace(self.method, trajectories=trajectories))

    def blame(self, problem: Exception) -> StudyFileError:
        """An argument's refusal by the library, with the line where the argument stands."""
        return self.reader.refused("", problem)


def load(path: Path) -> StudyFile:
    """Read and check a study file.

    Raises:
        StudyFileError: for a file that is not there or not TOML, a key that is missing, unknown or of the wrong kind,
            or a value that the model, state or method refuses.
    """
    try:
        text = path.read_text(encoding="utf-8")
        content = tomllib.loads(text)
    except OSError as problem:
        raise StudyFileError(f"{path}: cannot be read ({problem}). `opendicke init` writes an example.") from problem
    except UnicodeDecodeError as problem:
        raise StudyFileError(f"{path}: not UTF-8 text ({problem})") from problem
    except tomllib.TOMLDecodeError as problem:
        raise StudyFileError(f"{path}: not TOML: {problem}") from problem
    except RecursionError:
        raise StudyFileError(f"{path}: brackets are nested too deeply") from None
    except ValueError as problem:  # a path with a null byte, a number with thousands of digits
        raise StudyFileError(f"{path}: cannot be read ({problem})") from problem
    return _Reader(path, text, content).study()


@dataclass(frozen=True)
class _Reader:
    path: Path
    text: str
    content: dict[str, Any]

    def study(self) -> StudyFile:
        """The study, section by section."""
        self._only("", self.content, {"model", "state", "times", "method", "output", "sweep"})
        model, state, times = self._model(), self._state(), self._times()
        method = self._method(times)
        result, store, observables = self._output(method)
        grid, common = self._sweep(model, state)
        return StudyFile(model, state, times, method, result, store, observables, grid, common, self)

    def _model(self) -> Model:
        values = dict(self._section("model"))
        if "spins" in values or "modes" in values:
            system: System = self._restored("model", System, values)
            return system
        for key, told in values.items():
            if isinstance(told, dict):
                values[key] = self._signal(key, dict(told))
            elif key in ("drive", "atom_drive", "squeezing", "g_minus", "g_plus"):
                values[key] = self._complex("model", key, told)
        model: DickeModel = self._build("model", DickeModel, values)
        return model

    def _signal(self, key: str, told: dict[str, Any]) -> Any:
        """A rate that moves: a table with its ``kind`` and what that takes."""
        kind = told.pop("kind", None)
        if not isinstance(kind, str) or kind not in SIGNALS:
            expected = f"expected a kind out of {', '.join(map(repr, SIGNALS))}, got {checks.shown(kind)}"
            raise self.error("model", key, expected)
        for name, value in told.items():
            if name == "values" and isinstance(value, list):
                told[name] = tuple(self._complex("model", key, one) for one in value)
            elif name in ("mean", "amplitude"):
                told[name] = self._complex("model", key, value)
            elif isinstance(value, list):
                told[name] = tuple(value)
        return self._build("model", SIGNALS[kind], told, key=key)

    def _state(self) -> State:
        state: State
        values = dict(self._section("state"))
        kind = values.pop("kind", None)
        if kind is not None and kind not in states.KINDS:
            expected = f"expected a kind out of {', '.join(map(repr, states.KINDS))}, got {checks.shown(kind)}"
            raise self.error("state", "kind", expected)
        if kind in PARTED:
            state = self._restored("state", states.KINDS[kind], values)
            return state
        for key in {"alpha"} & set(values):
            values[key] = self._complex("state", key, values[key])
        for key in {"angles", "weights"} & set(values):
            values[key] = tuple(tuple(one) if isinstance(one, list) else one for one in values[key])
        if isinstance(values.get("weights"), tuple):
            pairs = (list(one) if isinstance(one, tuple) else one for one in values["weights"])
            values["weights"] = tuple(self._complex("state", "weights", one) for one in pairs)
        if isinstance(values.get("cavity"), dict):
            values["cavity"] = self._cavity(dict(values["cavity"]))
        state = self._build("state", states.KINDS[kind] if kind else SpinCoherent, values)
        return state

    def _cavity(self, told: dict[str, Any]) -> Any:
        """A state of the cavity: a table with its ``kind`` and what that takes."""
        kind = told.pop("kind", None)
        if not isinstance(kind, str) or kind not in cavities.KINDS:
            expected = f"expected a kind out of {', '.join(map(repr, cavities.KINDS))}, got {checks.shown(kind)}"
            raise self.error("state", "cavity", expected)
        if "alpha" in told:
            told["alpha"] = self._complex("state", "cavity", told["alpha"])
        return self._build("state", cavities.KINDS[kind], told, key="cavity")

    def _restored(self, section: str, kind: Any, values: dict[str, Any]) -> Any:
        """What has parts of its own: lists of tables, as a store holds them."""
        self._only(section, values, {item.name for item in dataclasses.fields(kind)})
        try:
            return restore(kind, values, by_hand=True)
        except (TypeError, ValueError) as problem:
            raise self.refused(section, problem) from problem

    def _complex(self, section: str, key: str, told: Any) -> Any:
        """A list of two numbers as a complex one; anything else is left as it is."""
        if not isinstance(told, list):
            return told
        try:
            return complex(*checks.real_array(key, told, (2,)))
        except (TypeError, ValueError) as problem:
            expected = f"expected [real part, imaginary part], got {checks.shown(told)}"
            raise self.error(section, key, expected) from problem

    def _times(self) -> NDArray[np.float64]:
        times = self._axis("times", "", self._section("times"))
        try:
            return checks.time_grid(times)
        except (TypeError, ValueError) as problem:
            raise self.refused("times", problem) from problem

    def _method(self, times: NDArray[np.float64]) -> Any:
        values = dict(self._section("method"))
        name = values.pop("name", None)
        if not isinstance(name, str) or name not in METHODS:
            raise self.error("method", "name", f"expected one of {', '.join(METHODS)}, got {checks.shown(name)}")
        if isinstance(values.get("precision"), dict):
            target = dict(values["precision"])
            target |= {"times": tuple(target["times"])} if isinstance(target.get("times"), list) else {}
            values["precision"] = self._build("method", Precision, target, key="precision")
            try:
                values["precision"].rows(times)
            except ValueError as problem:
                raise self.error("method", "precision", str(problem)) from problem
        return self._build("method", METHODS[name], values)

    def _output(self, method: Any) -> tuple[Path, Path | None, list[str] | None]:
        """Where the result goes, where trajectories are kept, and which variables are wanted."""
        output = self._section("output", required=False)
        self._only("output", output, {"store", "result", "observables"})
        for key in ("store", "result"):
            if not isinstance(output.get(key, "."), str) or output.get(key) == "":
                raise self.error("output", key, f"expected a path, got {checks.shown(output[key])}")
        here = self.path.parent
        result = here / output.get("result", self.path.with_suffix(".nc").name)
        if result.suffix != ".nc":
            raise self.error("output", "result", f"expected a name that ends in .nc, got {output['result']!r}")
        if "store" in output and not isinstance(method, Sampled):
            raise self.error("output", "store", f"{type(method).__name__} runs no trajectories. Remove this key.")
        names = output.get("observables")
        if names is not None:
            if not isinstance(names, list):
                raise self.error("output", "observables", f"expected a list of names, got {checks.shown(names)}")
            try:
                select(names)
            except (TypeError, ValueError) as problem:
                raise self.refused("output", problem) from problem
        return result, here / output["store"] if "store" in output else None, names

    def _sweep(self, model: Model, state: State) -> tuple[dict[str, NDArray[Any]], bool]:
        """The grid, every value of which the model takes, and whether all points share their noise."""
        values = dict(self._section("sweep", required=False))
        common = values.pop("common_random_numbers", False)
        if not isinstance(common, bool):
            raise self.error("sweep", "common_random_numbers", f"expected true or false, got {checks.shown(common)}")
        values = _flat(values)
        fields = {item.name for item in dataclasses.fields(model)} | {"coupling"}
        self._only("sweep", {name.split(".")[0]: None for name in values}, fields | {"state"})
        grid = {name: self._axis("sweep", name, asked) for name, asked in values.items()}
        for name, axis in grid.items():
            try:
                for value in axis.tolist():
                    if name.startswith(STATE):
                        replaced(state, name.removeprefix(STATE), value)
                    else:
                        model.replace(**{name: value})
            except (TypeError, ValueError) as problem:
                raise self.error("sweep", name, str(problem)) from problem
            if np.unique(axis).size != axis.size:
                raise self.error("sweep", name, f"expected different values, got {axis.tolist()}")
        return grid, common

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
            raise self.error(section, key, f"the key {missing!r} is missing")
        try:
            return kind(**values)
        except (TypeError, ValueError) as problem:
            if key:
                raise self.error(section, key, str(problem)) from problem
            raise self.refused(section, problem) from problem

    def _axis(self, section: str, key: str, values: Any) -> NDArray[Any]:
        """A list of numbers, or evenly spaced ones; whole numbers stay whole."""
        if isinstance(values, list):
            values = {"values": values}
        if not isinstance(values, dict):
            raise self.error(section, key, f"expected a list, or start, stop and points, got {checks.shown(values)}")
        if set(values) not in ({"values"}, {"start", "stop", "points"}):
            raise self.error(section, key, f"expected values, or start, stop and points, got {', '.join(values)}")
        try:
            return _numbers(values, whole=key.split(".")[-1] in ("n_atoms", "photons"))
        except (TypeError, ValueError) as problem:
            raise self.error(section, key, str(problem)) from problem

    def _section(self, name: str, *, required: bool = True) -> dict[str, Any]:
        if name not in self.content:
            if required:
                raise StudyFileError(f"{self.path}: the section [{name}] is missing")
            return {}
        section = self.content[name]
        if not isinstance(section, dict):
            raise self.error("", name, f"expected a section [{name}], got {checks.shown(section)}")
        return section

    def _only(self, section: str, values: dict[str, Any], known: set[str]) -> None:
        for key in values:
            if key not in known:
                raise self.error(section, key, f"unknown; known here: {', '.join(sorted(known))}")

    def refused(self, section: str, problem: Exception) -> StudyFileError:
        """A refusal that begins with the name of an argument, with the line of the key of that name."""
        named = re.match(r"(\w+)[^:]*: ", str(problem))
        key = named[1] if named else ""
        if not section:
            section = next((name for name, values in self.content.items() if name != "sweep" and key in values), "")
        key = key if key in self.content.get(section, {}) else ""
        return self.error(section, key, str(problem).removeprefix(f"{key}: "))

    def error(self, section: str, key: str, text: str) -> StudyFileError:
        """A complaint about a key of a section."""
        place = ".".join(part for part in (section, key) if part)
        where = f"{self.path}, line {self._line(section, key)}, {place}" if place else str(self.path)
        return StudyFileError(f"{where}: {text.removeprefix(f'{key or section}: ')}")

    def _line(self, section: str, key: str) -> int:
        """The line of a key in a section (or in a table inside it); of the section, if the key is not there."""
        lines = key_lines(self.text)
        place = f"{section}.{key}".strip(".")
        inside = [line for name, line in lines.items() if f".{name}".endswith(f".{key}") and name.startswith(section)]
        return lines.get(place) or next(iter(inside), None) or lines.get(section, 1)


def _flat(values: dict[str, Any]) -> dict[str, Any]:
    """Tables inside tables as dotted names: TOML reads ``drive.amplitude = [0.1, 0.2]`` as a table."""
    found: dict[str, Any] = {}
    for name, value in values.items():
        if isinstance(value, dict) and not set(value) & {"values", "start", "stop", "points"}:
            found |= {f"{name}.{inner}": told for inner, told in _flat(value).items()}
        else:
            found[name] = value
    return found


def _numbers(values: dict[str, Any], *, whole: bool) -> NDArray[Any]:
    """The numbers of ``{values}``, or of ``{start, stop, points}``; whole ones stay whole, evenly spaced if asked."""
    if "values" in values:
        checks.instance("values", values["values"], list, "a list of numbers")
        axis = checks.real_array("values", values["values"])
        listed = np.array(values["values"])
        return listed if listed.dtype.kind in "iu" else axis
    start, stop = (checks.rate(name, values[name]) for name in ("start", "stop"))
    axis = np.linspace(start, stop, checks.integer("points", values["points"], minimum=1, maximum=MOST_POINTS))
    return axis.astype(np.int64) if whole and (axis == np.round(axis)).all() and abs(axis).max() < 2**63 else axis


def key_lines(text: str) -> dict[str, int]:
    """The line on which each section and key of a TOML text first stands, by its dotted name.

    >>> key_lines("[method]\\nname = 'NuHOPS'\\nprecision = { variable = 'Sz' }")
    {'method': 1, 'method.name': 2, 'method.precision': 3, 'method.precision.variable': 3}
    """
    found: dict[str, int] = {}
    section = ""
    for number, line in enumerate(text.splitlines(), start=1):
        header = re.match(r"\s*\[+\s*([\w.]+)\s*\]", line)
        assigned = re.match(r"""\s*([\w."']+)\s*=""", line)
        if header:
            section = header[1]
        elif not assigned:
            continue
        own = re.sub("[\"']", "", assigned[1]) if assigned else ""
        place = f"{section}.{own}".strip(".")
        parts = place.split(".")
        for depth in range(1, len(parts) + 1):
            found.setdefault(".".join(parts[:depth]), number)
        for inner in re.findall(r"[{,]\s*(\w+)\s*=", line if assigned else ""):
            found.setdefault(f"{place}.{inner}", number)
    return found
