"""What stands in a key: all that determines the numbers, nothing else, and the same in later versions."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest

import opendicke as od
from opendicke import description
from opendicke.ensemble.store import key_of
from opendicke.problem import Problem
from opendicke.solve import describe
from opendicke.sweep import with_point

MODEL = od.DickeModel(n_atoms=6, omega_a=1.0, omega_c=2.5, kappa=0.5, g_minus=1.1, g_plus=0.6)
STATE = od.SpinCoherent(0.8, 3.0, alpha=0.2 - 0.1j)
TIMES = np.array([0.0, 0.5])
METHOD = od.NuHOPS(trajectories=10, seed=4, keep_states=(0.5,))


@dataclasses.dataclass(frozen=True)
class Tilt:
    """A part of its own, to be nested."""

    angles: tuple[float, ...] = (0.0,)
    phase: complex = 1.0 + 0.0j
    twist: float = dataclasses.field(default=0.0, metadata=description.added("0.3", neutral=0.0))


@dataclasses.dataclass(frozen=True, kw_only=True)
class LaterModel(od.DickeModel):
    """The model of a later version, with a field whose default has even changed since it was added."""

    pump: float = dataclasses.field(default=0.0, metadata=description.added("0.2", neutral=0.0))
    shift: float = dataclasses.field(default=0.7, metadata=description.added("0.2", neutral=0.0))
    tilt: Tilt = dataclasses.field(default=Tilt(), metadata=description.added("0.3", neutral=Tilt()))


@dataclasses.dataclass(frozen=True)
class LaterState(od.SpinCoherent):
    squeezing: complex = dataclasses.field(default=0.0, metadata=description.added("0.2", neutral=0.0))


@dataclasses.dataclass(frozen=True)
class LaterMethod(od.NuHOPS):
    order: int = dataclasses.field(default=3, metadata=description.added("0.2", neutral=3))
    max_time: float = dataclasses.field(default=1e9, metadata=description.LIMIT)


LaterMethod.__name__ = "NuHOPS"
LATER = LaterModel(**dataclasses.asdict(MODEL), shift=0.0)


def key(model: od.DickeModel = MODEL, state: od.SpinCoherent = STATE, method: Any = METHOD, times: Any = TIMES) -> str:
    return key_of(describe(Problem(model, state, np.asarray(times)), method))


def test_a_new_field_changes_neither_keys_nor_streams() -> None:
    assert key(LATER) == key()
    assert with_point(METHOD, LATER).point == with_point(METHOD, MODEL).point
    state = LaterState(**dataclasses.asdict(STATE))
    method = LaterMethod(**vars(METHOD))
    assert key(state=state) == key()
    assert key(method=method) == key()
    assert key(method=dataclasses.replace(method, max_time=1.0, max_memory=0.5)) == key()


def test_a_new_field_in_use_changes_both() -> None:
    changed: list[od.DickeModel] = [LATER.replace(pump=0.1), LATER.replace(shift=0.7)]
    changed += [LATER.replace(tilt=tilt) for tilt in (Tilt((0.1,)), Tilt(phase=1j), Tilt(twist=0.1))]
    keys = [key(model) for model in (MODEL, *changed)]
    points = [with_point(METHOD, model).point for model in (MODEL, *changed)]
    assert len(set(keys)) == len(set(points)) == len(keys)
    method = LaterMethod(**vars(METHOD))
    assert key(method=dataclasses.replace(method, order=4)) != key()
    assert key(state=LaterState(**dataclasses.asdict(STATE), squeezing=0.1j)) != key()


@pytest.mark.parametrize("name", [field.name for field in dataclasses.fields(od.DickeModel)])
def test_every_parameter_of_the_model_is_in_key_and_stream(name: str) -> None:
    model = MODEL.replace(n_thermal=1.0)  # a bath that may be squeezed
    other = model.replace(**{name: getattr(model, name) + 1})
    assert key(other) != key(model)
    assert with_point(METHOD, other).point != with_point(METHOD, model).point


def test_every_option_that_determines_numbers_is_in_the_key() -> None:
    other: dict[str, Any] = {
        "seed": 5,
        "point": 1,
        "tol": 1e-5,
        "step": 0.1,
        "feedback": 1.0,
        "dtype": "float32",
        "keep_trajectories": True,
        "keep_states": (),
        "control": "gaussian",
        "hierarchy": "dressed",
    }
    left_out = {"trajectories": 20, "precision": od.Precision("Sz", relative=0.1), "max_memory": 1.0}
    assert set(other) | set(left_out) == {field.name for field in dataclasses.fields(od.NuHOPS)}
    keys = [key(), *(key(method=dataclasses.replace(METHOD, **{name: value})) for name, value in other.items())]
    assert len(set(keys)) == len(keys)
    for name, value in left_out.items():
        assert key(method=dataclasses.replace(METHOD, **{name: value})) == key()


INTS = [
    (od.NuHOPS, {"step": 1, "feedback": 2}),
    (od.HOPS, {"step": 1, "max_top_level": 1}),
    (od.TruncatedWigner, {"step": 1}),
]


@pytest.mark.parametrize(("kind", "options"), INTS, ids=lambda value: getattr(value, "__name__", ""))
def test_equal_numbers_have_one_key(kind: Any, options: dict[str, int]) -> None:
    """And the key is that of floats: those of stores written by version 1 with floats, as all defaults are, stay."""
    as_ints, as_floats = kind(10, **options), kind(10, **{name: float(value) for name, value in options.items()})
    assert key(method=as_ints) == key(method=as_floats)
    told = describe(Problem(MODEL, STATE, TIMES), as_ints)["options"]
    assert all(type(told[name]) is float for name in options)


def test_integer_parameters_have_the_key_of_real_ones() -> None:
    numbers = {"omega_a": 1, "omega_c": 2, "kappa": 1, "g_minus": 1, "g_plus": 0}
    whole = od.DickeModel(n_atoms=6, **numbers)
    real = od.DickeModel(n_atoms=6, **{name: float(value) for name, value in numbers.items()})
    assert key(whole, od.SpinCoherent(1, 2, alpha=1), times=[0.0, 1.0]) == key(
        real, od.SpinCoherent(1.0, 2.0, alpha=1.0), times=[0.0, 1.0]
    )
    assert with_point(METHOD, whole).point == with_point(METHOD, real).point


@pytest.mark.parametrize("name", description.FIRST_REALS)
def test_every_real_option_is_canonical(name: str) -> None:
    told = describe(Problem(MODEL, STATE, TIMES), METHOD)
    forms = [told | {"options": told["options"] | {name: form}} for form in (1, 1.0)]
    assert key_of(description.canonical(forms[0])) == key_of(description.canonical(forms[1]))
    none = told | {"options": told["options"] | {name: None}}
    assert description.canonical(none)["options"][name] is None


@pytest.mark.parametrize("method", [METHOD, od.HOPS(10, seed=4)], ids=lambda method: type(method).__name__)
def test_the_engine_s_numbers_are_in_the_key(method: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    before = key(method=method)
    for reader in (describe, od.NuHOPS.numerics):
        monkeypatch.setitem(reader.__globals__, "NUMERICS", 10**6)
    assert key(method=method) != before


def test_numbers_that_changed_for_some_models_are_in_the_key(monkeypatch: pytest.MonkeyPatch) -> None:
    """Little damping: what is stored from before faint components were kept has another key; all else has its own."""
    weak, strong = MODEL.replace(kappa=0.01), MODEL
    now = key(weak), key(strong)
    monkeypatch.delattr(od.NuHOPS, "numerics")
    assert key(weak) != now[0]
    assert key(strong) == now[1]


def test_state_times_and_kind_of_method_are_in_the_key() -> None:
    others = [
        key(state=od.SpinCoherent(0.9, 3.0, alpha=STATE.alpha)),
        key(state=od.SpinCoherent(0.8, 3.1, alpha=STATE.alpha)),
        key(state=od.SpinCoherent(0.8, 3.0, alpha=0.2)),
        key(times=[0.0, 0.25, 0.5]),
        key(method=od.HOPS(10, seed=4)),
        key(method=od.TruncatedWigner(10, seed=4)),
    ]
    assert len({key(), *others}) == 7


def test_descriptions_are_read_again() -> None:
    method = dataclasses.replace(METHOD, keep_trajectories=True, step=0.1, max_memory=0.5)
    problem = Problem(MODEL, STATE, TIMES)
    told = describe(problem, method)
    assert description.restore(od.DickeModel, told["model"]) == MODEL
    assert description.restore(od.SpinCoherent, told["state"]) == STATE
    again = description.restore_method(od.NuHOPS, told["options"], 10)
    # limits are those of today, and what was open is settled
    assert again == dataclasses.replace(method.settled(problem), max_memory=2.0)
    tilted = LATER.replace(tilt=Tilt((0.1, 0.2), phase=1j))
    assert description.restore(LaterModel, description.describe(tilted)) == tilted


def test_what_is_not_told_has_its_neutral_value() -> None:
    """And not its default of today: what an older version stored was run without the shift."""
    assert LaterModel(**dataclasses.asdict(MODEL)).shift == 0.7
    assert description.restore(LaterModel, description.describe(MODEL)).shift == 0.0


def test_foreign_descriptions_are_refused() -> None:
    told = description.describe(MODEL)
    with pytest.raises(ValueError, match="DickeModel has no pump in this version: a later one wrote it"):
        description.restore(od.DickeModel, told | {"pump": 1.0})
    with pytest.raises(ValueError, match="kappa of DickeModel is missing"):
        description.restore(od.DickeModel, {name: value for name, value in told.items() if name != "kappa"})


def test_numbers_of_any_kind_become_plain() -> None:
    values = {"a": np.float64(0.5), "b": (np.int64(3), 1j), "c": np.array([[1.0, 2.0]]), 4: None, "d": np.array([1j])}
    assert description.plain(values) == {"a": 0.5, "b": [3, [0.0, 1.0]], "c": [[1.0, 2.0]], "4": None, "d": [[0, 1]]}
    assert type(description.plain(values)["b"][0]) is int
    with pytest.raises(TypeError, match="a function cannot be described in a file"):
        description.plain({"rate": key})
