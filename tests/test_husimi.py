"""The spin's Husimi function: closed forms at any N, and sampled states against the exact density matrix."""

import json
import math
from dataclasses import dataclass

import numpy as np
import pytest
import xarray as xr
from matplotlib.figure import Figure
from numpy.typing import NDArray
from scipy.special import gammaln, xlog1py, xlogy

import opendicke as od
from opendicke.analysis import husimi
from opendicke.plots.bloch import View
from opendicke.plots.husimi import plot_husimi_map, plot_husimi_sphere
from opendicke.spin import husimi as husimi_module
from spin_cases import coverage, random_case, rotation, states_dataset


def direction(theta: NDArray[np.float64], phi: NDArray[np.float64]) -> NDArray[np.float64]:
    parts = np.sin(theta) * np.cos(phi), np.sin(theta) * np.sin(phi), np.cos(theta) + 0 * phi
    return np.stack(np.broadcast_arrays(*parts), axis=-1)


@pytest.mark.parametrize("n_atoms", [1, 2, 10, 1000, 10**5, 10**6, 10**9])
@pytest.mark.parametrize("tilt", [0.0, 0.7, math.pi / 2, 2.9, math.pi])
def test_coherent_state_at_any_n(n_atoms: int, tilt: float) -> None:
    state = od.SpinCoherent(tilt, -2.0)
    dataset = states_dataset(n_atoms, np.ones((1, 1)), state.frame()[None])
    width = math.sqrt(2 / n_atoms)
    theta = np.unique(np.clip(tilt + width * np.linspace(-3, 3, 13), 0, math.pi))
    phi = -2.0 + min(width, 1.0) * np.linspace(-3, 3, 11)
    q = husimi(dataset, theta=theta, phi=phi).Q.values[0] * 4 * np.pi / (n_atoms + 1)
    apart = direction(theta[:, None], phi) - state.direction
    # cos²(Θ/2) = 1 − |d − d'|²/4; 1e-16 in a direction is 1e-16 N in the exponent
    expected = np.exp(xlog1py(n_atoms, -(apart**2).sum(axis=-1) / 4))
    np.testing.assert_allclose(q, expected, atol=1e-12 + 1e-15 * math.sqrt(n_atoms), rtol=1e-10 + 2e-15 * n_atoms)


@pytest.mark.parametrize(("n_atoms", "n"), [(1, 1), (10, 4), (300, 150), (1000, 1000), (10**5, 40), (10**5, 1000)])
def test_dicke_states_in_a_tilted_frame(n_atoms: int, n: int) -> None:
    """|<θ,φ|j,j−n>|² is the binomial probability of n in N trials with sin²(Θ/2), whatever the frame."""
    frame = rotation(0.4, 1.1, -2.3)
    psi = np.zeros((1, n + 1), dtype=complex)
    psi[0, n] = 1j
    middle = 2 * math.asin(math.sqrt(n / n_atoms))
    tilts = np.clip(middle + np.linspace(-4, 4, 17) / math.sqrt(n_atoms), 0, math.pi)
    points = np.array([direction(np.array(t), np.array(0.3)) for t in tilts]) @ frame
    dataset = states_dataset(n_atoms, psi, frame[None])
    found = []
    for x, y, z in points:
        there = husimi(dataset, theta=[math.atan2(math.hypot(x, y), z)], phi=[math.atan2(y, x)])
        found.append(there.Q.item() * 4 * np.pi / (n_atoms + 1))
    odd = np.sin(tilts / 2) ** 2
    log_binomial = gammaln(n_atoms + 1) - gammaln(n + 1) - gammaln(n_atoms - n + 1)
    expected = np.exp(log_binomial + xlogy(n, odd) + xlogy(n_atoms - n, np.cos(tilts / 2) ** 2))
    np.testing.assert_allclose(found, expected, rtol=1e-8, atol=1e-12)


def test_cat_and_twisted_state_at_a_hundred_thousand_atoms() -> None:
    """A cat has half of a coherent state's Q at each pole; the twisted state against its overlaps written out."""
    n_atoms = 10**5
    density = (n_atoms + 1) / (4 * np.pi)
    cat = np.zeros((1, n_atoms + 1))
    cat[0, [0, -1]] = math.sqrt(0.5)
    q = husimi(states_dataset(n_atoms, cat, np.eye(3)[None]), theta=[0.0, 0.01, math.pi / 2, math.pi], phi=[0.7])
    np.testing.assert_allclose(
        q.Q.values.ravel() / density, [0.5, 0.5 * math.cos(0.005) ** (2 * n_atoms), 0, 0.5], rtol=1e-9
    )
    m = n_atoms / 2 - np.arange(n_atoms + 1)
    strength = 24 ** (1 / 6) * (n_atoms / 2) ** (-2 / 3)
    twisted = od.SpinCoherent(math.pi / 2).dicke_amplitudes(n_atoms) * np.exp(-0.5j * strength * m**2)
    theta, phi = np.pi / 2 + np.array([-0.01, 0.0, 0.005]), np.array([-0.3, -0.1, 0.0, 0.004, 0.3])
    found = husimi(states_dataset(n_atoms, [twisted], np.eye(3)[None]), theta=theta, phi=phi).Q.values[0] / density
    bras = np.array([[od.SpinCoherent(t, p).dicke_amplitudes(n_atoms) for p in phi] for t in theta])
    np.testing.assert_allclose(found, np.abs(bras.conj() @ twisted) ** 2, rtol=1e-6, atol=1e-12)
    assert found.max() > 0.01


def test_random_states_agree_with_the_lab_basis() -> None:
    """Amplitudes, phases and frame together, against coherent states written out in the lab."""
    random = np.random.default_rng(5)
    for n_atoms in (1, 2, 7, 30):
        psi = random.normal(size=(3, n_atoms + 1)) + 1j * random.normal(size=(3, n_atoms + 1))
        psi /= np.linalg.norm(psi, axis=1)[:, None]
        q = husimi(states_dataset(n_atoms, psi, np.repeat(np.eye(3)[None], 3, axis=0)), points_per_width=2.0)
        bras = np.array(
            [[od.SpinCoherent(t, p).dicke_amplitudes(n_atoms) for p in q.phi.values] for t in q.theta.values]
        )
        single = np.abs(bras.conj() @ psi.T) ** 2 * (n_atoms + 1) / (4 * np.pi)
        np.testing.assert_allclose(q.Q[0], single.mean(axis=-1), rtol=0, atol=1e-12)
        np.testing.assert_allclose(q.Q_sem[0], single.std(axis=-1, ddof=1) / math.sqrt(3), rtol=0, atol=1e-7)


def test_norm_on_the_sphere_and_in_windows() -> None:
    frames = np.array([rotation(0.3 * k, 0.2 + 0.1 * k, 1.0) for k in range(20)])
    psi = np.zeros((20, 9), dtype=complex)
    psi[:, ::2] = [0.8, 0.5, -0.3, 0.1, 0.1]
    psi /= np.linalg.norm(psi, axis=1)[:, None]
    for n_atoms in (8, 30, 1000, 20000):
        dataset = states_dataset(n_atoms, psi, frames)
        whole = husimi(dataset)
        np.testing.assert_allclose(whole.norm, 1.0, rtol=0, atol=1e-9)
        by_weights = (whole.Q * whole.theta_weight * whole.phi_weight).sum().item()
        assert by_weights == pytest.approx(whole.norm.item(), abs=1e-12)
    around = np.linspace(-np.pi, np.pi, 500, endpoint=False)
    assert husimi(dataset, theta=np.linspace(0, np.pi, 2001), phi=around).norm.item() == pytest.approx(1, abs=1e-4)
    # the same turn with its end counted twice has trapezoid weights, and the same integral
    assert husimi(
        dataset, theta=np.linspace(0, np.pi, 2001), phi=np.append(around, np.pi)
    ).norm.item() == pytest.approx(1, abs=1e-4)
    half = husimi(dataset, theta=np.linspace(0, np.pi / 2, 1001), phi=around)
    assert half.norm.item() < 1 + 1e-6


def test_points_left_out_are_below_the_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    random = np.random.default_rng(2)
    psi = random.normal(size=(4, 12)) + 1j * random.normal(size=(4, 12))
    psi /= np.linalg.norm(psi, axis=1)[:, None]
    dataset = states_dataset(200, psi, np.array([rotation(*random.uniform(0, 3, 3)) for _ in range(4)]))
    grid = {"theta": np.linspace(0, np.pi, 60), "phi": np.linspace(0, 6.2, 100)}
    cut = husimi(dataset, **grid)
    monkeypatch.setattr(husimi_module, "reach_of", lambda n_atoms, size: math.pi)
    full = husimi(dataset, **grid)
    density = 201 / (4 * np.pi)
    gap = float(np.abs(full.Q - cut.Q).max())
    assert 0 < gap < density * husimi_module.NEGLIGIBLE
    monkeypatch.setattr(husimi_module, "reach_of", lambda n_atoms, size: 0.5)
    assert float(np.abs(full.Q - husimi(dataset, **grid).Q).max()) > density * husimi_module.NEGLIGIBLE


@dataclass
class Sampled:
    """Exact and sampled Q of one random case, at directions where there is weight."""

    exact: NDArray[np.float64]
    mean: NDArray[np.float64]
    sem: NDArray[np.float64]


def sampled_case(seed: int, frame_sign: float = 1.0) -> Sampled:
    case = random_case(seed)
    grid = {"theta": np.linspace(0.3, 2.8, 4), "phi": np.linspace(0, 5.2, 5)}
    exact = husimi(case.exact, **grid)
    sampled = husimi(
        case.sampled.assign(psi_frame=case.sampled.psi_frame * [[1, 1, 1], [frame_sign] * 3, [1, 1, 1]]), **grid
    )
    there = exact.Q.values > 0.02 * exact.Q.values.max()
    return Sampled(exact.Q.values[there], sampled.Q.values[there], sampled.Q_sem.values[there])


def test_sampled_states_agree_with_the_master_equation() -> None:
    """40 random cases of up to 20 points; t with 95 degrees of freedom: 95 % are within 1.985 standard errors.

    Points of one case are correlated: from case to case the share scatters by 10 %, so that the mean of 40 has a
    standard error of 1.6 %: a correct method falls below 90 % for 0.1 % of all sets of seeds, and exceeds 99 % for 1 %.
    """
    good = [sampled_case(seed) for seed in range(40)]
    share = coverage([(case.mean - case.exact) / case.sem for case in good], 95)
    assert 0.90 < share < 0.99
    mirrored = [sampled_case(seed, frame_sign=-1.0) for seed in range(40)]
    assert coverage([(case.mean - case.exact) / case.sem for case in mirrored], 95) < 0.90


def test_a_grid_too_large_is_refused_with_a_window() -> None:
    dataset = states_dataset(10**7, np.ones((1, 1)), od.SpinCoherent(1.0, 0.5).frame()[None])
    with pytest.raises(ValueError, match=r"max_memory.*Pass theta and phi.*57.3 to 57.3 degrees, phi = 28.6"):
        husimi(dataset)
    with pytest.raises(ValueError, match="points_per_width"):
        husimi(states_dataset(100, np.ones((1, 1)), np.eye(3)[None]), points_per_width=0.2)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"theta": [1.0]}, "phi"),
        ({"theta": [1.0, 0.5], "phi": [0.0]}, "theta"),
        ({"theta": [1.0, 3.5], "phi": [0.0]}, "theta"),
        ({"theta": [1.0], "phi": [0.0, 7.0]}, "phi"),
        ({"times": [3.0]}, "times: expected times out of the times whose states were kept"),
    ],
)
def test_bad_arguments_are_refused(options: dict[str, list[float]], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        husimi(states_dataset(4, np.ones((1, 1)), np.eye(3)[None]), **options)
    with pytest.raises(ValueError, match="keep_states"):
        husimi(xr.Dataset(attrs={"model": json.dumps({"n_atoms": 4})}))


def test_a_limit_of_memory_is_in_gib() -> None:
    """The default grid of 8000 atoms has 597 x 1194 points: 22 MB with its standard error and two working arrays."""
    dataset = states_dataset(8000, np.ones((1, 1)), np.eye(3)[None])
    needed = 8 * 4 * 597 * 1194 / 2**30
    assert husimi(dataset, max_memory=1.01 * needed).sizes["phi"] == 1194
    with pytest.raises(ValueError, match=r"max_memory = 0.021 GiB, got 597 x 1194 points at 1 times \(0.0212 GiB\)"):
        husimi(dataset, max_memory=0.99 * needed)
    with pytest.raises(ValueError, match="max_memory: expected a number > 0"):
        husimi(dataset, max_memory=0)
    with pytest.raises(TypeError, match="memory_limit"):
        husimi(dataset, memory_limit=2**30)


def test_pictures_show_the_state_where_it_is() -> None:
    """Seen from the state's own direction, its bright spot is in the middle of the sphere."""
    state = od.SpinCoherent(math.radians(60), math.radians(40))
    q = husimi(states_dataset(50, np.ones((1, 1)), state.frame()[None]))
    image = plot_husimi_sphere(q, Figure().add_subplot(), view=View(azimuth=40, elevation=30), pixels=101)
    drawn = np.ma.filled(image.get_array(), np.nan)
    assert np.unravel_index(np.nanargmax(drawn), drawn.shape) == pytest.approx((50, 50), abs=3)
    assert drawn[50, 50] == pytest.approx(51 / (4 * np.pi), rel=0.03)
    beside = plot_husimi_sphere(q, Figure().add_subplot(), view=View(azimuth=40, elevation=0), pixels=101)
    row, column = np.unravel_index(np.nanargmax(np.ma.filled(beside.get_array(), np.nan)), (101, 101))
    assert (row - 50, column - 50) == pytest.approx((25, 0), abs=3)  # sin 30° up
    behind = plot_husimi_sphere(q, Figure().add_subplot(), view=View(azimuth=220, elevation=-30), pixels=101)
    assert np.nanmax(np.ma.filled(behind.get_array(), np.nan)) < 1e-3
    axes = Figure().add_subplot()
    mesh = plot_husimi_map(q, axes)
    peak = np.unravel_index(mesh.get_array().argmax(), mesh.get_array().shape)
    assert q.theta[peak[0]] == pytest.approx(math.radians(60), abs=0.1)
    assert q.phi[peak[1]] == pytest.approx(math.radians(40), abs=0.1)
    assert axes.yaxis_inverted()
    small = plot_husimi_map(q, Figure().add_subplot(), cells=20)  # means over 3 x 5 points
    assert small.get_array().shape == (16, 20)
    assert np.mean(small.get_array()) == pytest.approx(float(q.Q.mean()), rel=0.05)
