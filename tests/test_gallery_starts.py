"""The gallery's quench and thermal start: their numbers against independent ones, and that their checks can fail."""

import math
from pathlib import Path

import numpy as np
import pytest
import qutip
import xarray as xr
from click.testing import CliRunner
from scipy.integrate import solve_ivp

import opendicke as od
from opendicke.cli import main
from opendicke.gallery import quench, thermal_start
from opendicke.gallery.crossing import crossing
from opendicke.observables.catalogue import CHANNELS


@pytest.fixture(scope="module")
def quenched() -> dict[str, xr.Dataset]:
    return quench.run(n_atoms=(20, 40), trajectories=16, progress=False)


@pytest.fixture(scope="module")
def started() -> dict[str, xr.Dataset]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(thermal_start, "MORE", 1)
        return thermal_start.run(n_atoms=(2, 16), trajectories=16, progress=False)


def test_a_crossing_is_the_first_and_has_the_scatter_of_the_batches(quenched: dict[str, xr.Dataset]) -> None:
    """Straight lines that reach 1 at times that differ by ±10 %: the mean's time, and its jackknife error."""
    answer = quenched["n20"].copy(deep=True)
    held = answer.batch_size.values > 0
    slopes = 1 + 0.1 * np.linspace(-1, 1, answer.sizes["batch"])
    means = np.zeros(answer.batch_means.shape)
    dims = answer.batch_means.dims
    assert dims == ("batch", "time", "channel")
    means[..., CHANNELS.index("Sz")] = -slopes[:, None] * answer.time.values / 8.0
    answer["batch_means"] = answer.batch_means.copy(data=means)
    time, error = crossing(answer, "Sz", 1.0, sign=-1.0)
    mean = slopes[held].mean()
    assert time == pytest.approx(8.0 / mean, rel=2e-3)
    assert error == pytest.approx(8.0 / mean**2 * slopes[held].std() / math.sqrt(held.sum() - 1), rel=0.05)


def _kirton_keeling(n_atoms: int, photons: int, times: np.ndarray, kappa: float) -> np.ndarray:
    """Photons in the conventions of their paper: single atoms, Pauli matrices, κ of the energy."""

    def single(operator: qutip.Qobj, which: int) -> qutip.Qobj:
        parts = [qutip.qeye(photons), *[qutip.qeye(2)] * n_atoms]
        parts[which + 1] = operator
        return qutip.tensor(parts)

    a = qutip.tensor(qutip.destroy(photons), *[qutip.qeye(2)] * n_atoms)
    hamiltonian = 1.0 * a.dag() * a
    for atom in range(n_atoms):
        hamiltonian += 1.0 * single(qutip.sigmaz(), atom)
        hamiltonian += 0.9 / math.sqrt(n_atoms) * (a + a.dag()) * single(qutip.sigmax(), atom)
    start = qutip.tensor(qutip.basis(photons, 0), *[qutip.basis(2, 1)] * n_atoms)
    options = {"rtol": 1e-8, "atol": 1e-10}
    answer = qutip.mesolve(hamiltonian, start, times, [math.sqrt(kappa) * a], e_ops=[a.dag() * a], options=options)
    return np.array(answer.expect[0])


def test_the_quench_is_that_of_kirton_and_keeling() -> None:
    """Both integrators are good to 1e-6; a κ of the field in place of theirs is off by more than 0.01."""
    since = np.array([0.0, 1.0, 3.0, 6.0])
    answer = od.solve(quench.model(2), od.Normal(), quench.QUENCH + since, od.Lindblad(), ["n_photon"])
    expected = _kirton_keeling(2, 14, since, kappa=1.0)
    np.testing.assert_allclose(answer.n_photon, expected, rtol=0, atol=2e-5)
    assert np.abs(answer.n_photon - _kirton_keeling(2, 14, since, kappa=2.0)).max() > 0.01


def test_superradiant_photons_are_those_of_the_fixed_point() -> None:
    point = od.analysis.fixed_point(quench.after(), "SR+")
    assert quench.superradiant_photons() == pytest.approx(abs(point.beta) ** 2, rel=1e-12)


def test_linear_photons_are_those_of_very_many_atoms() -> None:
    """At N = 10⁸ nothing saturates. 4 standard errors at each of 3 times: 2e-4; noise twice as strong is rejected."""
    since = np.array([1.0, 4.0, 10.0])
    method = od.TruncatedWigner(4000, seed=1)
    answer = od.solve(quench.model(10**8), od.Normal(), quench.QUENCH + since, method, ["n_photon"], progress=False)
    deviation = (answer.n_photon - quench.linear_photons(since)) / answer.n_photon_sem
    assert (abs(deviation) < 4).all()
    assert (abs(answer.n_photon - 2 * quench.linear_photons(since)) / answer.n_photon_sem > 4).any()
    growth = np.log(quench.linear_photons(np.array([30.0, 40.0])))
    assert growth[1] - growth[0] == pytest.approx(20 * quench.growth_rate(), rel=1e-4)


def _ideal_quench(answers: dict[str, xr.Dataset]) -> dict[str, xr.Dataset]:
    """The same with photons as expected."""
    found = dict(answers)
    for name in set(answers) - {"mean-field"}:
        n_atoms = od.DickeModel.of(answers[name]).n_atoms
        linear = quench.linear_photons(answers[name].time.values - quench.QUENCH)
        photons = np.minimum(linear, n_atoms * quench.superradiant_photons())
        found[name] = answers[name].assign(n_photon=("time", photons), n_photon_sem=("time", 0.01 + 0.01 * photons))
    return found


def test_statements_about_the_quench_can_fail(quenched: dict[str, xr.Dataset], monkeypatch: pytest.MonkeyPatch) -> None:
    delays = {20: (5.0, 0.01), 40: (5.0 + math.log(2) / (2 * quench.growth_rate()), 0.01)}
    monkeypatch.setattr(quench, "delay", lambda answer: delays[od.DickeModel.of(answer).n_atoms])
    monkeypatch.setattr(quench, "FEW", 1 / 20)
    ideal = _ideal_quench(quenched)

    def verdicts(**changed: xr.Dataset) -> list[bool]:
        return [
            one.holds for one in quench.check(ideal | {name.replace("_", "-"): one for name, one in changed.items()})
        ]

    assert verdicts() == [True] * 5
    assert verdicts(mean_field=ideal["mean-field"].assign(n_photon=ideal["mean-field"].n_photon + 0.1))[0] is False
    exact = ideal["n40"]
    early = exact.assign(n_photon=exact.n_photon.where(exact.time > 8, exact.n_photon * 4))
    assert verdicts(n40=early) == [True, False, True, True, False]
    late = exact.assign(n_photon=exact.n_photon.where(exact.time < 20, exact.n_photon * 1.5))
    assert verdicts(n40=late) == [True, True, False, True, False]
    delays[40] = (5.5, 0.01)
    assert verdicts() == [True, True, True, False, True]


def test_the_quench_is_drawn(quenched: dict[str, xr.Dataset]) -> None:
    above, below = quench.plot(quenched).axes
    labels = [text.get_text() for text in above.get_legend().get_texts()]
    assert labels == ["$N = 20$, exact", "$N = 40$, exact", "truncated Wigner", "linear theory"]
    assert below.get_xlabel() == r"time since the quench (units of $1/\omega_c$)"


def _warm(n_atoms: int, photons: float, levels: int, times: np.ndarray) -> np.ndarray:
    """⟨S^z⟩ of inverted atoms in a thermal cavity by QuTiP's master equation."""
    hamiltonian, jumps = thermal_start.model(n_atoms, photons).to_qutip(levels - 1)
    spin, dimensions = qutip.jmat(n_atoms / 2, "z"), (n_atoms + 1, levels)
    start = qutip.tensor(qutip.ket2dm(qutip.basis(dimensions[0], 0)), qutip.thermal_dm(levels, photons))
    sz = qutip.tensor(spin, qutip.qeye(levels))
    return np.array(qutip.mesolve(hamiltonian, start, times, jumps, e_ops=[sz]).expect[0])


def test_a_warm_start_is_that_of_the_master_equation(monkeypatch: pytest.MonkeyPatch) -> None:
    """4.5 standard errors at each of 4 times: 3e-5; that of the vacuum's start is rejected."""
    monkeypatch.setattr(thermal_start, "PHOTONS", 0.5)
    state, photons, _ = thermal_start.starts()["warm"]
    times = np.array([0.5, 1.5, 3.0, 6.0])
    method = od.NuHOPS(600, seed=1)
    answer = od.solve(thermal_start.model(3, photons), state, times, method, ["Sz"], progress=False)
    expected = _warm(3, 0.5, 20, np.concatenate([[0.0], times]))[1:]
    assert (abs(answer.Sz - expected) < 4.5 * answer.Sz_sem).all()
    cold = od.solve(thermal_start.model(3, 0.0), od.Inverted(), times, od.Lindblad(), ["Sz"])
    assert (abs(answer.Sz - cold.Sz) > 4.5 * answer.Sz_sem).any()


def test_the_pulse_is_that_of_truncated_wigner() -> None:
    """The cavity there gets warm before the coupling is on: up to 0.002. 4.5 standard errors at 4 times: 3e-5."""
    number, wait, times = 60, 20.0, np.array([1.0, 2.0, 3.0, 4.0])
    state, photons, _ = thermal_start.starts()["warm"]
    model = thermal_start.model(number, photons)
    exact = od.solve(model, state, times, od.NuHOPS(64, seed=1), ["Sz"], progress=False)
    later = model.replace(coupling=od.Ramp((wait, wait), (0.0, thermal_start.COUPLING)))
    method = od.TruncatedWigner(1000, seed=2)
    wigner = od.solve(later, od.Inverted(), wait + times, method, ["Sz"], progress=False)
    error = np.hypot(exact.Sz_sem, wigner.Sz_sem.values)
    # truncated Wigner is off by about 1/N per atom, so by less than one atom
    assert (abs(exact.Sz - wigner.Sz.values) < 4.5 * error + 1).all()
    cold = od.solve(model.replace(n_thermal=0.0), od.Inverted(), times, method, ["Sz"], progress=False)
    assert (abs(exact.Sz - cold.Sz) > 4.5 * error + 1).any()


@pytest.mark.parametrize("up", [True, False])
def test_linear_theory_solves_the_equations_of_two_oscillators(up: bool) -> None:
    """A = ⟨a†a⟩, B = ⟨b†b⟩, and the correlation C; atoms that start up make pairs, those that start down swap."""
    g, kappa, photons = thermal_start.COUPLING, thermal_start.KAPPA, thermal_start.PHOTONS

    def change(_: float, y: np.ndarray) -> list[float]:
        a, b, c = y
        pairs = 1.0 if up else -1.0
        drive = a + b + 1 if up else a - b
        return [-2 * kappa * (a - photons) + pairs * 2 * g * c, 2 * g * c, -kappa * c + g * drive]

    times = np.array([0.3, 1.0, 2.0, 4.0])
    solved = solve_ivp(change, (0.0, 4.0), [photons, 0.0, 0.0], t_eval=times, rtol=1e-10, atol=1e-10)
    found = thermal_start.linear_emission(times, photons) if up else thermal_start.linear_absorption(times)
    np.testing.assert_allclose(found, solved.y[1], rtol=1e-7, atol=1e-8)


def test_the_equilibrium_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    """By the master equation; with a cavity that is colder it does not."""
    monkeypatch.setattr(thermal_start, "PHOTONS", 0.5)
    state, photons, _ = thermal_start.starts()["equilibrium"]
    model, mean = thermal_start.model(3, photons), thermal_start.equilibrium(3)[0]
    answer = od.solve(model, state, [0.0, 1.0, 4.0], od.Lindblad(), ["Sz", "Sz2"])
    np.testing.assert_allclose(answer.Sz + 1.5, mean, rtol=0, atol=1e-6)
    np.testing.assert_allclose(answer.Sz2 - answer.Sz**2, thermal_start.equilibrium(3)[1], rtol=0, atol=1e-6)
    colder = od.solve(model.replace(n_thermal=0.3), state, [4.0], od.Lindblad(), ["Sz"])
    assert abs(colder.Sz.item() + 1.5 - mean) > 0.05


def test_late_excitations_are_means_and_variances(started: dict[str, xr.Dataset]) -> None:
    answer = started["absorbing-n16"]
    (mean, error), (variance, _) = thermal_start.late_excitations(answer)
    last = slice(-(answer.sizes["time"] // 3), None)
    up = float(answer.Sz[last].mean()) + 8
    assert mean == pytest.approx(up, rel=1e-12)
    plain = float(answer.Sz2[last].mean()) - (up - 8) ** 2
    assert plain < variance < 1.5 * plain  # the jackknife takes off the bias of a square
    assert 0 < error < 16 / math.sqrt(16)


def test_statements_about_the_thermal_start_can_fail(
    started: dict[str, xr.Dataset], monkeypatch: pytest.MonkeyPatch
) -> None:
    """16 atoms with n̄ = 7 are as 2 atoms. Made up: delays, late excitations; computed: the ringing, the start."""
    monkeypatch.setattr(thermal_start, "FEW", 1.0)
    expected = math.log(8) / (2 * thermal_start.growth_rate())
    delays = {(0.0, 16): 4.0, (7.0, 16): 4.0 - expected, (0.0, 2): 4.0 - expected, (7.0, 2): 1.0}
    late = {number: [(one, 0.1) for one in thermal_start.equilibrium(number)] for number in (2, 16)}

    def delay(answer: xr.Dataset) -> tuple[float, float]:
        model = od.DickeModel.of(answer)
        return delays[float(model.n_thermal), model.n_atoms], 0.01

    monkeypatch.setattr(thermal_start, "delay", delay)
    monkeypatch.setattr(thermal_start, "late_excitations", lambda answer: late[od.DickeModel.of(answer).n_atoms])
    ideal = dict(started)
    for name, photons in (("vacuum-n16", 0.0), ("warm-n16", 7.0)):
        linear = thermal_start.linear_emission(started[name].time.values, photons)
        ringing = np.where(linear < 16, 8 - linear, 8 * np.sin(started[name].time.values))
        ideal[name] = started[name].assign(Sz=("time", ringing))

    def verdicts(**changed: xr.Dataset) -> list[bool]:
        return [one.holds for one in thermal_start.check(ideal | {f"{name}-n16": one for name, one in changed.items()})]

    assert verdicts() == [True] * 9
    flat = xr.full_like(ideal["vacuum-n16"].Sz, 8.0)
    assert verdicts(vacuum=ideal["vacuum-n16"].assign(Sz=flat)) == [False, True, True, True, False, *[True] * 4]
    assert verdicts(warm=ideal["warm-n16"].assign(Sz=flat)) == [True, False, *[True] * 7]
    delays[7.0, 16] = 3.5
    assert verdicts() == [True, True, False, False, *[True] * 5]
    late[16][0] = (16 * 7 / 15, 0.05)  # independent atoms
    late[2][1] = (thermal_start.equilibrium(2)[1] + 1.0, 0.1)
    assert verdicts()[5:] == [False] * 4


def test_the_thermal_start_is_drawn(started: dict[str, xr.Dataset]) -> None:
    above, below = thermal_start.plot(started).axes
    labels = [text.get_text() for text in above.get_legend().get_texts()]
    assert labels == ["$N = 2$, vacuum", r"$N = 2$, $\bar n = 7$", "$N = 16$, vacuum", r"$N = 16$, $\bar n = 7$"]
    assert [text.get_text() for text in below.get_legend().get_texts()][-1] == "linear theory"


@pytest.mark.parametrize(("name", "part"), [("quench", "wigner-n10"), ("thermal-start", "vacuum-n2")])
def test_the_commands_write_pictures_and_data(
    name: str, part: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (quench, thermal_start):
        monkeypatch.setattr(module, "check", lambda datasets: [])
    for piece, duration in ((quench, "DURATION"), (thermal_start, "PULSE"), (thermal_start, "ABSORPTION")):
        monkeypatch.setattr(piece, duration, 2.0)
    number = part.rpartition("n")[2]
    arguments = ["--n-atoms", number, "--trajectories", "16", "--output", str(tmp_path), "--quiet"]
    done = CliRunner().invoke(main, ["gallery", name, *arguments])
    assert done.exit_code == 0, done.output
    assert {f"{name}.png", f"{name}.pdf", f"{name}-{part}.nc"} <= {path.name for path in tmp_path.iterdir()}
