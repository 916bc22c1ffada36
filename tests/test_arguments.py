"""Wrong and odd arguments: whatever comes, a call works or is refused with the name of the argument."""

from __future__ import annotations

import datetime
import decimal
import inspect
import math
import re
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import xarray as xr
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import opendicke as od
from opendicke import analysis, units
from opendicke.analysis import tunnelling
from opendicke.grid import TAKEN
from opendicke.observables.catalogue import select

RATES: dict[str, Any] = {"omega_a": 1.0, "omega_c": 1.0, "kappa": 1.0}
COUPLINGS: dict[str, Any] = {"g_minus": 1.8, "g_plus": 0.782}
SPIN, MODE = od.Spin(n_atoms=2, omega_a=1.0), od.Mode(omega_c=1.0, kappa=1.0)
MODEL = od.DickeModel(n_atoms=2, **RATES, **COUPLINGS)  # in the bistable phase
STATE = od.SpinCoherent(2.0, 1.0)
LEVELS = analysis.energy_levels(MODEL.replace(kappa=0.0), k=14, tolerance=1e-4)
LANDSCAPE = tunnelling.Landscape.of(MODEL)
REGIONS = tunnelling.Regions.of(LANDSCAPE)
LABELS = np.array([[0, 0, 1, 1, -1, 0, 2, 2, 2, 0]], dtype=np.int8)
SPINS = np.array([[[0.3, 0.0, -0.4], [0.0, 0.0, -0.5]]])
PASSAGES = tunnelling.classify(
    np.repeat([LANDSCAPE.normal.m, LANDSCAPE.superradiant.m], 20, axis=0)[None], 1.0, REGIONS
)[1]
DECAY = np.exp(-0.1 * np.arange(8.0))
POPULATIONS = np.stack([DECAY, (1 - DECAY) / 2, (1 - DECAY) / 2], axis=-1) * np.linspace(0.9, 1.1, 6)[:, None, None]
BISTABLE: dict[str, Any] = {"s": [0.0, 0.5, 1.0], "r_ns": [0.1, 0.0, -0.2], "r_sn": [-0.1, 0.0, 0.1]}

#: A good call of everything: the function, and its arguments.
CALLS: dict[str, tuple[Callable[..., Any], dict[str, Any]]] = {
    "DickeModel": (od.DickeModel, {"n_atoms": 2, **RATES, **COUPLINGS, "n_thermal": 0.1, "drive": 1j,
                                  "atom_drive": 0.2}),
    "balanced": (od.DickeModel.balanced, {"n_atoms": 2, **RATES, "coupling": 1.0}),
    "bad_cavity": (od.DickeModel.bad_cavity, {"n_atoms": 2, "gamma": 0.1, "kappa": 1.0, "omega_a": 0.5}),
    "tavis_cummings": (od.DickeModel.tavis_cummings, {"n_atoms": 2, **RATES, "coupling": 1.0}),
    "replace": (MODEL.replace, {"n_atoms": 3, "kappa": 2.0, "coupling": 1.0}),
    "SpinCoherent": (od.SpinCoherent, {"theta": 1.0, "phi": 0.5, "alpha": 1j, "cavity": None}),
    "Dicke": (od.Dicke, {"m": 1.0, "alpha": 0j, "cavity": od.cavities.Fock(1)}),
    "ThermalSpin": (od.ThermalSpin, {"x": 1.0, "alpha": 0j, "cavity": od.cavities.Thermal(0.1)}),
    "Spin": (od.Spin, {"n_atoms": 2, "omega_a": 1.0, "atom_drive": 0.1j}),
    "Mode": (od.Mode, {"omega_c": 1.0, "kappa": 1.0, "n_thermal": 0.5, "drive": 1j, "squeezing": 0.3j}),
    "System": (od.System, {"spins": [SPIN], "modes": [MODE], "g_minus": [[1j]], "g_plus": [[1.0]], "n_ref": 2.0}),
    "word": (od.word, {"text": "Sx Sx a† a", "symmetrised": False}),
    "Product": (od.Product, {"spins": (od.Normal(),), "modes": (od.cavities.Fock(1),)}),
    "EntangledSpins": (od.EntangledSpins, {"terms": ((od.Normal(), od.Dicke(1.0)),), "weights": (1j,),
                                           "modes": (od.cavities.Fock(1),)}),
    "SpinSqueezed": (od.SpinSqueezed, {"theta": 1.0, "phi": 0.5, "mu": 0.1, "alpha": 1j, "cavity": None}),
    "SpinSuperposition": (od.SpinSuperposition, {"angles": ((1.0, 0.5),), "weights": (1j,), "alpha": 1j}),
    "Fock": (od.cavities.Fock, {"photons": 1}),
    "Thermal": (od.cavities.Thermal, {"photons": 0.5, "alpha": 1j}),
    "Squeezed": (od.cavities.Squeezed, {"r": 0.5, "phi": 0.1, "alpha": 1j}),
    "Cat": (od.cavities.Cat, {"alpha": 1j, "phase": 0.1}),
    "Ramp": (od.Ramp, {"times": (0.0, 1.0), "values": (0.0, 1j)}),
    "Sine": (od.Sine, {"mean": 0.0, "amplitude": 1.0, "frequency": 1.0, "phase": 0.1}),
    "Samples": (od.Samples, {"times": (0.0, 1.0, 2.0, 3.0), "values": (0.0, 1j, 1.0, 2.0)}),
    "dicke_amplitudes": (STATE.dicke_amplitudes, {"n_atoms": 3}),
    "select": (select, {"observables": ["Sz"]}),
    "NuHOPS": (od.NuHOPS, {"trajectories": 3, "seed": 1, "point": 0, "tol": 1e-4, "step": 0.1, "feedback": 2.0,
                           "dtype": "float32", "precision": None, "keep_trajectories": True, "keep_states": (1.0,),
                           "control": None}),
    "GaussianTrajectories": (od.GaussianTrajectories, {
        "trajectories": 3, "seed": 1, "point": 0, "step": 0.1, "precision": None, "keep_trajectories": True,
        "keep_states": (1.0,)}),
    "HOPS": (od.HOPS, {"trajectories": 3, "seed": 1, "point": 0, "depth": 20, "step": 0.1, "precision": None,
                       "max_top_level": 1e-3, "max_memory": 1.0}),
    "TruncatedWigner": (od.TruncatedWigner, {"trajectories": 3, "seed": 1, "point": 0, "sampling": "exact", "step": 0.1,
                                             "precision": None, "keep_trajectories": True}),
    "Lindblad": (od.Lindblad, {"photons": 3, "max_top_population": 1e-6, "max_memory": 1.0, "keep_states": (1.0,)}),
    "Cumulants": (od.Cumulants, {"order": 2, "closure": "atoms"}),
    "Schroedinger": (od.Schroedinger, {"photons": 3, "max_top_population": 1e-6, "max_memory": 1.0,
                                       "keep_states": (1.0,)}),
    "Eliminated": (od.Eliminated, {"order": 1, "max_memory": 1.0, "keep_states": (1.0,)}),
    "from_experiment": (units.from_experiment, {"n_atoms": 10, "omega_a": 1.0, "detuning": -1.0, "shift": 0.1,
                                                "linewidth": 1.0, "per_atom": 0.1}),
    "raman_coupling": (units.raman_coupling, {"g0": 1.0, "rabi": 1.0, "detuning": 100.0}),
    "recoil": (units.recoil, {"mass_u": 87.0, "wavelength_nm": 780.0}),
    "cooperativity": (units.cooperativity, {"coupling": 1.0, "kappa": 1.0, "gamma": 1.0}),
    "conventions": (units.conventions, {"model": MODEL}),
    "energy_levels": (analysis.energy_levels, {"model": MODEL.replace(kappa=0.0), "k": 3, "photons": 8,
                                               "tolerance": 1e-6, "max_memory": 1.0}),
    "ground_state": (analysis.ground_state, {"model": MODEL.replace(kappa=0.0), "photons": 8, "tolerance": 1e-6}),
    "level_statistics": (analysis.level_statistics, {"levels": LEVELS, "first": 1}),
    "Precision": (od.Precision, {"variable": "Sz", "absolute": 0.1, "times": (1.0,), "minimum": 4}),
    **{f"{type(method).__name__}.limits": (method.limits, {"model": MODEL}) for method in (
        od.NuHOPS(1), od.HOPS(1), od.TruncatedWigner(1), od.GaussianTrajectories(1), od.Lindblad(), od.MeanField(),
        od.Cumulants())},
    "solve": (od.solve, {"model": MODEL, "state": STATE, "times": [0.0, 1.0], "method": od.MeanField(),
                         "observables": ["Sz"], "executor": od.Serial(), "progress": False, "timeout": 10.0}),
    "compare": (od.compare, {"model": MODEL, "state": STATE, "times": [0.0, 1.0], "methods": [od.MeanField()],
                             "observables": ["Sz"], "executor": od.Serial(), "progress": False, "timeout": 10.0}),
    "sweep": (od.sweep, {
        "model": MODEL, "grid": {"kappa": [1.0]}, "state": STATE, "times": [0.0, 1.0], "method": od.MeanField(),
        "observables": ["Sz"], "common_random_numbers": True, "keep_batches": False, "max_memory": 1.0,
        "executor": od.Serial(), "progress": False}),
    "sweep grid": (lambda kappa, coupling: od.sweep(MODEL, {"kappa": kappa, "coupling": coupling}, STATE, [1.0],
                                                    od.MeanField(), ["Sz"]), {"kappa": [1.0], "coupling": [0.5]}),
    "steady_states": (analysis.steady_states, {"model": MODEL.replace(n_atoms=1), "grid": {"coupling": [0.5]},
                                               "photons": 6, "max_top_population": 1e-3, "max_memory": 1.0,
                                               "progress": False}),
    "phase": (analysis.phase, {"model": MODEL}),
    "phase_diagram": (analysis.phase_diagram, {"model": MODEL, "g_minus": [1.0], "g_plus": [1.0, 2.0]}),
    "tricritical_point": (analysis.tricritical_point, {"model": MODEL}),
    "phase_boundaries": (analysis.phase_boundaries, {"model": MODEL, "g_max": 3.0, "points": 5}),
    "fixed_points": (analysis.fixed_points, {"model": MODEL}),
    "fixed_point": (analysis.fixed_point, {"model": MODEL, "kind": "SR+"}),
    "follow_mean_field": (analysis.follow_mean_field, {"model": MODEL, "m": [[0.3, 0.0, -0.4]], "beta": 0.1j,
                                                       "duration": 1.0, "step": 0.1}),
    "lyapunov_exponent": (analysis.lyapunov_exponent, {"model": MODEL, "state": STATE, "transient": 1.0,
                                                       "duration": 1.0, "blocks": 2, "step": 0.05}),
    "attractor": (analysis.attractor, {"model": MODEL, "state": STATE, "transient": 1.0, "attempts": 1, "step": 0.05}),
    "Cut": (tunnelling.Cut, {"origin": (1.0, 1.0), "direction": (0.0, 1.0), **RATES}),
    "Cut.model": (tunnelling.BISTABLE_CUT.model, {"s": 0.5, "n_atoms": 3}),
    "Landscape.of": (tunnelling.Landscape.of, {"model": MODEL}),
    "Landscape.state": (LANDSCAPE.state, {"basin": "s+"}),
    "LookAhead": (tunnelling.LookAhead, {"landscape": LANDSCAPE, "basin": "s"}),
    "Regions.of": (tunnelling.Regions.of, {"landscape": LANDSCAPE, "enter": 0.5, "leave": 1.0, "window": 1.0}),
    "classify": (tunnelling.classify, {"spins": SPINS, "spacing": 1.0, "regions": REGIONS, "skip": 0.0}),
    "linear_populations": (tunnelling.linear_populations, {"spins": SPINS, "landscape": LANDSCAPE}),
    "occupied": (tunnelling.occupied, {"labels": LABELS}),
    "poisson_rate": (tunnelling.poisson_rate, {"events": 3, "exposure": 1.0, "confidence": 0.9}),
    "count_rates": (tunnelling.count_rates, {"passages": PASSAGES}),
    "populations": (tunnelling.populations, {"rates": (0.1, 0.2, 0.0), "start": [1.0, 0.0, 0.0], "times": [0.0, 1.0]}),
    "fit_populations": (tunnelling.fit_populations, {"times": np.arange(8.0), "from_n": POPULATIONS,
                                                     "from_s": POPULATIONS[..., ::-1], "lag": 0.0, "batches": 3}),
    "lagged_rates": (tunnelling.lagged_rates, {"labels": LABELS, "steps": 2, "spacing": 1.0}),
    "fit_exponent": (tunnelling.fit_exponent, {"n_atoms": [10, 20], "log_rates": [-1.0, -2.0], "errors": [0.1, 0.1],
                                               "exposures": [1.0, 1.0]}),
    "crossing": (tunnelling.crossing, {**BISTABLE, "r_ns_sem": [0.1] * 3, "r_sn_sem": [0.1] * 3, "degree": 1,
                                       "samples": 5, "seed": 1}),
    "occupation": (tunnelling.occupation, {"gamma_ns": 0.1, "gamma_sn": 0.2, "time": [1.0, np.inf], "p_n": 0.5}),
    "Splitting": (tunnelling.Splitting, {"replicas": 2, "particles": 2, "basin_time": 1.0, "burn_in": 1.0, "keep": 0.5,
                                         "look": 0.2, "commit": 0.5, "seed": 1}),
}  # fmt: skip

#: Work that a good value only makes longer: numbers above 3 are left out for these.
COSTLY = {"duration", "transient", "attempts", "samples", "points", "blocks", "n_atoms", "batches", "order"}
#: A longer time or a shorter step is work too, a faster model as well.
SMALL = {"step", "times", "omega_a", "omega_c", "kappa", "coupling", "g_minus", "g_plus", "grid", "beta", "lag"}


#: Public names without arguments to check, or checked where they are tested (executors, Dataset functions).
ELSEWHERE = {"VARIABLES", "Dask", "FailedTrajectoryWarning", "Inverted", "Limits", "MeanField", "Normal",
             "OrbitNotFoundError", "plot", "report",
             "Processes", "Serial", "Store", "StoreError", "Threads", "TrajectoryError", "UnphysicalWarning",
             "analysis", "cavities", "units",
             "BISTABLE_CUT", "Classifier", "Crossing", "Escape", "Exponent", "Fit", "Landscape", "PassageCounter",
             "Passages", "Rate", "Regions", "Rates", "Watched", "WeakDampingWarning", "escape_rate",
             "instanton", "transition_line", "watch",
             "PHASES", "Attractor", "Estimate", "FixedPoint", "Fluctuations", "PhaseBoundary", "PureStates",
             "SpinState", "covariances", "fisher_information", "fisher_information_bound", "fluctuations",
             "husimi", "interval", "jackknife", "jackknife_samples", "liouvillian_spectrum", "mixedness", "negativity",
             "photon_statistics", "pure_states", "spin_state", "squeezing", "steady_state", "tunnelling"}  # fmt: skip


class Strange:
    """Breaks in every way that an object may break in."""

    def __repr__(self) -> str:
        raise RuntimeError("no name")

    def __bool__(self) -> bool:
        raise RuntimeError("neither")

    def __eq__(self, other: object) -> bool:
        raise RuntimeError("nothing is like this")

    __hash__ = None  # type: ignore[assignment]


ODD: list[Any] = [
    None, True, False, np.True_, "", "no", "Sz", "0.5", "time", b"1", 0, 1, -1, 3, 10**400, -(10**400),
    2**70, 0.0, 1.0, -0.5, 0.5, 1e-320, 1e-200, 1e200, 1.7e308, math.nan, math.inf, -math.inf, 1j, complex(math.nan, 0),
    Fraction(1, 3), Fraction(10**400), decimal.Decimal("0.1"), np.float32(0.5), np.int8(1), np.complex64(1j),
    np.timedelta64(1, "s"), np.datetime64("2020-01-01"), datetime.timedelta(1), object(), len, float,
    od.MeanField, od.NuHOPS(2), od.MeanField(), MODEL, STATE, LANDSCAPE, REGIONS, [], (), {}, {1: 2}, {"kappa": 1.0},
    {0.5, 1.0}, [1.0], [True, False], ["a"], [None], [1j], [[1.0], [2.0, 3.0]], [10**400, 1], [Fraction(1, 2)],
    [math.nan], range(2), np.array(1.0), np.array([]), np.array([1.0, 2.0]), np.array(["a", "b"]), np.array([True]),
    np.zeros((2, 2)), np.zeros((2, 0)), np.array([1, None]), np.array([0.5], dtype=np.float32), np.array([1e-320, 1.0]),
    np.ma.array([1.0, 2.0], mask=[False, True]), np.ma.masked, np.array(["2020"], dtype="datetime64[D]"),
    [np.ma.masked], xr.DataArray([0.5, 1.0]), xr.Dataset(), slice(None), ..., NotImplemented, iter([1.0]),
    (x for x in ()),
]  # fmt: skip
#: And what cannot even be shown.
UNSHOWABLE: list[Any] = [Strange(), [Strange()], 10**5000, [10**5000]]


def simple() -> st.SearchStrategy[Any]:
    """Numbers and sequences of numbers beside the odd ones."""
    number = st.one_of(st.floats(width=32), st.floats(), st.integers(-3, 40), st.integers())
    odd = st.integers(0, len(ODD) - 1).map(ODD.__getitem__)  # sampled_from wants what can be hashed
    return st.one_of(odd, odd, number, st.lists(number, max_size=4), st.text(max_size=3))


def too_much(name: str, value: Any) -> bool:
    """Whether ``value`` is only a larger piece of work, or a function (of ``sweep``'s, whose errors are its own)."""
    if name == "model" and callable(value):
        return True
    if name not in COSTLY | SMALL:
        return False
    try:
        sizes = np.abs(np.array(value if np.ndim(value) else [value], dtype=float))
    except Exception:
        return False
    sizes = sizes[np.isfinite(sizes) & (sizes <= 1e30) & (sizes > 0)]
    return bool(sizes.size) and bool(
        (sizes > 30).any() or (name == "step" and ((sizes < 0.01) & (sizes > 1e-30)).any())
    )


@pytest.mark.parametrize("name", CALLS)
def test_the_good_calls_are_good(name: str) -> None:
    function, arguments = CALLS[name]
    function(**arguments)


def check(name: str, changes: dict[str, Any]) -> None:
    """The call works, or its refusal names one of the arguments that were changed."""
    function, arguments = CALLS[name]
    try:
        function(**arguments | changes)
    except (TypeError, ValueError) as refusal:
        text = str(refusal)
    except RuntimeError as failure:
        if "Pass a smaller step" not in str(failure):  # the one that is documented
            raise
        return
    except TimeoutError:
        assert "timeout" in changes
        return
    else:
        return
    named = [*inspect.signature(function).parameters, *arguments]
    assert any(re.search(rf"\b{argument}\b", text) for argument in named), f"{name}: {text}"
    assert ": expected " in text
    assert len(text) < 1000


@pytest.mark.parametrize("name", CALLS)
@settings(max_examples=25, derandomize=True, deadline=None, database=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_whatever_comes(name: str, data: st.DataObject) -> None:
    arguments = CALLS[name][1]
    changed = data.draw(st.lists(st.sampled_from(sorted(arguments)), min_size=1, max_size=2, unique=True))
    changes = {argument: data.draw(simple()) for argument in changed}
    if not any(too_much(argument, value) for argument, value in changes.items()):
        check(name, changes)


@pytest.mark.parametrize("name", CALLS)
def test_every_odd_value_in_every_place(name: str) -> None:
    for argument in CALLS[name][1]:
        for value in [*ODD, *UNSHOWABLE]:
            if not too_much(argument, value):
                check(name, {argument: value})


def test_every_public_callable_is_here() -> None:
    missing = {*od.__all__, *analysis.__all__, *tunnelling.__all__} - {*CALLS} - ELSEWHERE - {"DickeModel.balanced"}
    assert not missing, f"give {missing} a good call in CALLS"


@pytest.mark.parametrize(
    ("change", "name"),
    [
        ({"model": 5}, "model"),
        ({"basin": "x"}, "basin"),
        ({"start": ["n"]}, "start"),
        ({"method": od.MeanField()}, "method"),
        ({"options": 5}, "options"),
        ({"duration": "long"}, "duration"),
        ({"regions": 0}, "regions"),
        ({"skip": -1}, "skip"),
        ({"look": 0}, "look"),
    ],
)
def test_long_calls_refuse_before_they_begin(change: dict[str, Any], name: str) -> None:
    calls = {tunnelling.watch: {"model": MODEL, "start": "n", "duration": 1.0, "method": od.NuHOPS(1)},
             tunnelling.escape_rate: {"model": MODEL, "basin": "n", "options": None, "method": None}}  # fmt: skip
    taken = [call for call in calls if name in inspect.signature(call).parameters]
    assert taken
    for call in taken:
        with pytest.raises((TypeError, ValueError), match=f"^{name}: expected"):
            call(**calls[call] | change)


@pytest.mark.parametrize(
    "method", [od.NuHOPS(1, step=1e-25), od.HOPS(1, step=1e-25), od.TruncatedWigner(1, step=1e-25)]
)
def test_more_steps_than_there_can_be(method: Any) -> None:
    with pytest.raises(ValueError, match=r"^times, step: expected at most \d+ noise steps, got '1 / 1e-25'"):
        od.solve(MODEL, STATE, [1.0], method, executor=od.Serial())


@pytest.mark.parametrize(
    ("call", "name"),
    [("occupation", "gamma_ns"), ("occupation", "gamma_sn"), ("occupation", "time"), ("crossing", "r_sn_sem"),
     ("populations", "rates"), ("populations", "start"), ("populations", "times")],
)  # fmt: skip
def test_negative_rates_times_and_errors_in_arrays_are_refused(call: str, name: str) -> None:
    function, arguments = CALLS[call]
    negative = np.array(arguments[name], dtype=float)
    negative.flat[-1] = -355.0
    with pytest.raises(ValueError, match=rf"^{name}: expected numbers >= 0, got"):
        function(**arguments | {name: negative})


def test_what_was_taken_and_meant_something_else() -> None:
    with pytest.raises(TypeError, match=r"^omega_a: expected a real number, got 'x'"):
        tunnelling.Cut((1.0, 1.0), (0.0, 1.0), omega_a="x")  # type: ignore[arg-type]
    for confidence in (3, 0.0, 1, -0.5):
        with pytest.raises(ValueError, match=r"^confidence: expected a number between 0 and 1"):
            tunnelling.poisson_rate(0, 1.0, confidence)
    for word in ("no", "", b"1", 1, 0.0, None):
        with pytest.raises(TypeError, match=r"^keep_trajectories: expected True or False"):
            od.NuHOPS(1, keep_trajectories=word)  # type: ignore[arg-type]


def test_numbers_of_other_kinds_become_plain_ones() -> None:
    method = od.NuHOPS(np.int64(3), step=Fraction(1, 4), keep_states=np.array([1.0]), keep_trajectories=np.True_)
    assert method == od.NuHOPS(3, step=0.25, keep_states=(1.0,), keep_trajectories=True)
    kinds = [type(getattr(method, name)) for name in ("trajectories", "step", "keep_states", "keep_trajectories")]
    assert kinds == [int, float, tuple, bool]
    assert type(od.NuHOPS(3, step=1).step) is float


# Names in Datasets that xarray takes for something else


def datasets() -> dict[str, xr.Dataset]:
    """One of everything that the library returns."""
    short: dict[str, Any] = {"executor": od.Serial(), "progress": False}
    sampled = od.NuHOPS(2, seed=1, keep_trajectories=True, keep_states=(1.0,))
    wigner = od.TruncatedWigner(2, seed=1, keep_trajectories=True)
    lindblad = od.Lindblad(keep_states=(1.0,))
    answers = {
        repr(method): od.solve(MODEL, STATE, [0.0, 1.0], method, **short) for method in (sampled, wigner, lindblad)
    }
    return answers | {
        "compare": od.compare(MODEL, STATE, [0.0, 1.0], [od.MeanField()], **short),
        "sweep": od.sweep(MODEL, {"coupling": [1.0, 2.0]}, STATE, [0.0, 1.0], sampled, **short),
        "phases": analysis.phase_diagram(MODEL, [1.0], [1.0]),
        "steady states": analysis.steady_states(MODEL, {"coupling": [0.5, 1.0]}),
    }


def test_no_dimension_is_an_option_of_xarray() -> None:
    """``sel(method="MeanField")`` selected nothing and said nothing."""
    calls = ("sel", "isel", "interp", "reindex", "drop_sel", "drop_isel", "head", "tail", "thin", "shift", "roll",
             "rolling", "coarsen", "pad", "chunk")  # fmt: skip
    options = {name for call in calls for name in inspect.signature(getattr(xr.Dataset, call)).parameters}
    assert {"method", "tolerance", "drop", "missing_dims"} <= options
    for name, dataset in datasets().items():
        assert not options & {*map(str, dataset.dims), *map(str, dataset.coords)}, name
        hidden = {str(one) for one in dataset.variables if hasattr(xr.Dataset, str(one))}
        assert not hidden, f"{name}: dataset.{hidden} is a method of xarray's"


@pytest.mark.parametrize(
    "taken", ["method", "tolerance", "drop", "missing_dims", "time", "Sz", "trajectories", "a b", 3]
)
def test_a_sweeps_parameters_have_names_of_their_own(taken: Any) -> None:
    with pytest.raises(ValueError, match=r"^grid: expected names of parameters"):
        od.sweep(lambda **_: MODEL, {taken: [1.0]}, STATE, [1.0], od.MeanField(), progress=False)
    options = {*inspect.signature(xr.Dataset.sel).parameters, *inspect.signature(xr.Dataset.isel).parameters}
    options |= {*inspect.signature(xr.Dataset.interp).parameters}
    assert {name for name in options if not name.endswith("kwargs")} <= TAKEN
