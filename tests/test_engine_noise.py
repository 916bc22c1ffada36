"""Moments of the noise against closed forms; statistics are fixed-seed, with bounds in standard errors."""

import numpy as np
import pytest

from opendicke.engine.noise import LONGEST, OrnsteinUhlenbeck, _closed_transition, _long_responses, transition

PATHS = 20_000
#: Largest |z| allowed among at most 150 real numbers: a correct sampler fails with probability 150 × 6e-7 = 1e-4.
LARGEST_Z = 5.0
RATES = [(2.5, 0.5), (-1.3, 2.0), (0.7, 0.0), (0.0, 1e-6), (3.0, 40.0)]


def moments(steps: np.ndarray, omega_c: float, kappa: float, paths: int = PATHS, seed: int = 3) -> np.ndarray:
    """I0 and I1 of every step of many paths: (paths, 2 × steps)."""
    source, rng = OrnsteinUhlenbeck(steps, omega_c, kappa), np.random.default_rng(seed)
    drawn = [source.sample(rng) for _ in range(paths)]
    i0 = np.array([path.middle for path in drawn]) * steps
    i1 = np.array([path.slope for path in drawn]) * steps**3 / 12
    return np.concatenate([i0, i1], axis=1)


def covariance(steps: np.ndarray, omega_c: float, kappa: float) -> np.ndarray:
    """E[X Y*] of the same numbers, by quadrature over both times of E[z*_t z_s] = exp(iω(t−s) − κ|t−s|)."""
    nodes, weights = np.polynomial.legendre.leggauss(40)
    nodes, weights = (nodes + 1) / 2, weights / 2
    starts = np.cumsum(steps) - steps
    size = steps.size
    exact = np.zeros((2 * size, 2 * size), dtype=complex)
    a = kappa - 1j * omega_c
    for i, h in enumerate(steps):
        for k in range(i):
            # Different steps: the integrand is smooth and factorises at the later step's start.
            late = [h * weights @ (np.exp(-a * h * nodes) * (h * (nodes - 0.5)) ** power) for power in (0, 1)]
            g, gap = steps[k], starts[i] - starts[k]
            early = [g * weights @ (np.exp(-a * (gap - g * nodes)) * (g * (nodes - 0.5)) ** power) for power in (0, 1)]
            for p in range(2):
                for q in range(2):
                    exact[p * size + i, q * size + k] = late[p] * early[q]
                    exact[q * size + k, p * size + i] = np.conj(late[p] * early[q])
        # The same step: integrate over s < t, and add the mirror image.
        t = h * nodes
        inner = t[:, None] * nodes
        for p in range(2):
            for q in range(2):
                kernel = np.exp(-a * (t[:, None] - inner)) * (inner - h / 2) ** q
                below = h * weights @ ((t - h / 2) ** p * t * (kernel @ weights))
                mirror = np.exp(-a * (t[:, None] - inner)) * (inner - h / 2) ** p
                above = np.conj(h * weights @ ((t - h / 2) ** q * t * (mirror @ weights)))
                exact[p * size + i, q * size + i] = below + above
    return exact


def covariance_z(numbers: np.ndarray, exact: np.ndarray) -> float:
    """Largest deviation of E[X Y*] and of E[X Y] = 0, in standard errors."""
    worst = 0.0
    for other, target in ((numbers.conj(), exact), (numbers, np.zeros_like(exact))):
        products = numbers[:, :, None] * other[:, None, :]
        scale = np.sqrt(np.outer(np.diag(exact).real, np.diag(exact).real))
        for part in (np.real, np.imag):
            error = part(products).std(axis=0) / np.sqrt(numbers.shape[0])
            gap = np.abs(part(products).mean(axis=0) - part(target))
            worst = max(worst, float((gap / np.maximum(error, 1e-9 * scale + 1e-300)).max()))
    return worst


@pytest.mark.parametrize(("omega_c", "kappa"), RATES)
def test_covariance_of_sampled_moments(omega_c: float, kappa: float) -> None:
    """Uneven steps; E[I I*], E[I I] = 0 and correlations between steps. False alarms: 1e-4 for each case."""
    steps = np.array([0.3, 0.3, 0.05, 0.7])
    assert covariance_z(moments(steps, omega_c, kappa), covariance(steps, omega_c, kappa)) < LARGEST_Z


@pytest.mark.parametrize(
    "wrong", [(-2.5, 0.5), (2.5, 0.25), (2.5, 1.0)], ids=["sign of omega_c", "half kappa", "double kappa"]
)
def test_wrong_noise_is_seen(wrong: tuple[float, float]) -> None:
    steps = np.array([0.3, 0.3, 0.05, 0.7])
    assert covariance_z(moments(steps, *wrong), covariance(steps, 2.5, 0.5)) > 2 * LARGEST_Z


def test_a_wrong_normalisation_is_seen() -> None:
    steps = np.array([0.3, 0.3, 0.05, 0.7])
    assert covariance_z(moments(steps, 2.5, 0.5) / np.sqrt(2), covariance(steps, 2.5, 0.5)) > 2 * LARGEST_Z
    assert covariance_z(moments(steps, 2.5, 0.5).real * np.sqrt(2), covariance(steps, 2.5, 0.5)) > 2 * LARGEST_Z


@pytest.mark.parametrize(("omega_c", "kappa"), RATES)
@pytest.mark.parametrize("h", [1e-4, 0.1, 0.4])
def test_transition_has_the_exact_covariance(h: float, omega_c: float, kappa: float) -> None:
    """Without sampling: with z0 stationary, (z*(h), I0, I1) has closed-form second moments (here κh up to 16)."""
    mean, root = transition(h, omega_c, kappa)
    whole = np.outer(mean, mean.conj()) + root @ root.conj().T
    exact = covariance(np.array([h]), omega_c, kappa)
    np.testing.assert_allclose(whole[0, 0], 1, rtol=1e-12)
    np.testing.assert_allclose(whole[1:, 1:], exact, rtol=1e-9, atol=1e-12 * h**3)
    a = kappa - 1j * omega_c
    end_i0 = -np.conj(np.expm1(-np.conj(a) * h) / np.conj(a)) if a else h
    np.testing.assert_allclose(whole[0, 1], end_i0, rtol=1e-10)
    np.testing.assert_allclose(np.triu(root, 1), 0, rtol=0, atol=1e-14)


@pytest.mark.parametrize(
    ("h", "omega_c", "kappa"),
    [(1.0, 0.0, 19.0), (3.0, 2.5, 100.0), (0.2, -9.0, 1e7), (1.0, 300.0, 5.0), (2.0, 40.0, 0.0)],
)
def test_transition_of_long_steps(h: float, omega_c: float, kappa: float) -> None:
    """However much is forgotten or turned within a step; E[z* I0*], E[z* I1*], E|I0|² and E|I1|² in closed form."""
    mean, root = transition(h, omega_c, kappa)
    whole = np.outer(mean, mean.conj()) + root @ root.conj().T
    a = kappa - 1j * omega_c
    end, once = np.exp(-a * h), -np.expm1(-a * h) / a
    lever = h / 2 * once - (once - h * end) / a
    first = 2 * ((h - once) / a).real
    # E|I1|² = 2 Re ∫ exp(−as) (h³/12 − h²s/4 + s³/6) ds, by parts
    second = 2 * (h**3 / (12 * a) - h**2 / (4 * a**2) + 1 / a**4 - end * (h**2 / (4 * a**2) + h / a**3 + 1 / a**4)).real
    np.testing.assert_allclose(whole[0, 0], 1, rtol=1e-12)
    np.testing.assert_allclose(whole[0, 1:], [once, lever], rtol=1e-10)
    np.testing.assert_allclose([whole[1, 1].real, whole[2, 2].real], [first, second], rtol=1e-9)
    np.testing.assert_allclose(np.triu(root, 1), 0, rtol=0, atol=1e-14)


@pytest.mark.parametrize("angle", [0.0, 0.8, 1.55])
def test_long_and_short_steps_agree_where_they_meet(angle: float) -> None:
    kappa, omega_c = LONGEST * (1 - 1e-9) * np.array([np.cos(angle), np.sin(angle)])
    closed = _closed_transition(1.0, kappa - 1j * omega_c, _long_responses)
    for short, long in zip(transition(1.0, omega_c, kappa), closed, strict=True):
        both = [part if part.ndim == 1 else part @ part.conj().T for part in (short, long)]
        np.testing.assert_allclose(both[1], both[0], rtol=0, atol=1e-13)


def test_a_step_of_a_million_turns_is_refused() -> None:
    with pytest.raises(ValueError, match="step: expected"):
        transition(1.0, 1e6, 0.1)


@pytest.mark.parametrize("omega_c", [0.0, 2.0])
def test_without_damping_the_noise_only_turns(omega_c: float) -> None:
    steps = np.array([0.2, 0.5, 0.5])
    numbers = moments(steps, omega_c, 0.0, paths=5)
    times = np.cumsum(steps) - steps
    turned = numbers[:, :1] * np.exp(1j * omega_c * times)
    first = np.array([(np.expm1(1j * omega_c * h) / (1j * omega_c) if omega_c else h) for h in steps])
    np.testing.assert_allclose(numbers[:, :3], turned * first / first[0], rtol=1e-10)


def test_stationary() -> None:
    """The variance of the mean over a step is the same in the 1st and the 200th: z of the difference below 4 (6e-5)."""
    steps = np.full(200, 0.25)
    numbers = moments(steps, 1.5, 0.8, paths=4000)
    first, last = np.abs(numbers[:, 0]) ** 2, np.abs(numbers[:, 199]) ** 2
    assert abs((last - first).mean()) < 4 * (last - first).std() / np.sqrt(4000)
    exact = covariance(steps[:1], 1.5, 0.8)[0, 0].real
    assert abs(last.mean() - exact) < 4 * last.std() / np.sqrt(4000)


@pytest.mark.parametrize("factor", [2, 3, 12])
def test_coarsening_adds_moments_exactly(factor: int) -> None:
    """∫z and ∫t z over a coarse step are the sums over its fine ones, uneven steps included."""
    steps = np.tile([0.1, 0.3, 0.2], 8)
    path = OrnsteinUhlenbeck(steps, 2.0, 0.5).sample(np.random.default_rng(1))
    coarse = path.coarsen(factor)
    for integral in (_zeroth, _first):
        np.testing.assert_allclose(integral(coarse), integral(path).reshape(-1, factor).sum(axis=1), rtol=1e-12)
    np.testing.assert_allclose(path.coarsen(6).slope, path.coarsen(3).coarsen(2).slope, rtol=1e-11)


def _zeroth(path) -> np.ndarray:  # type: ignore[no-untyped-def]
    return path.middle * path.steps


def _first(path) -> np.ndarray:  # type: ignore[no-untyped-def]
    middle_time = np.cumsum(path.steps) - path.steps / 2
    return path.middle * path.steps * middle_time + path.slope * path.steps**3 / 12


def test_coarse_paths_have_the_covariance_of_coarse_steps() -> None:
    """A path drawn on fine steps and coarsened is a draw on the coarse steps. False alarms: 1e-4."""
    fine = np.full(12, 0.1)
    source, rng = OrnsteinUhlenbeck(fine, 2.5, 0.5), np.random.default_rng(5)
    drawn = [source.sample(rng).coarsen(4) for _ in range(PATHS)]
    numbers = np.array([np.concatenate([path.middle * 0.4, path.slope * 0.4**3 / 12]) for path in drawn])
    assert covariance_z(numbers, covariance(np.full(3, 0.4), 2.5, 0.5)) < LARGEST_Z


def test_steps_equal_up_to_rounding_share_a_table() -> None:
    steps = np.diff(np.linspace(0, 20, 201))
    assert np.unique(steps).size > 1
    assert len(OrnsteinUhlenbeck(steps, 1.0, 1.0)._mean) == 1


def test_parts_of_a_path() -> None:
    path = OrnsteinUhlenbeck(np.full(6, 0.1), 1.0, 1.0).sample(np.random.default_rng(0))
    both = np.concatenate([path.part(0, 2).middle, path.part(2, 6).middle])
    np.testing.assert_array_equal(both, path.middle)


def test_a_path_depends_on_the_generator_only() -> None:
    source = OrnsteinUhlenbeck(np.full(6, 0.1), 1.0, 1.0)
    one, same, other = (source.sample(np.random.default_rng(seed)) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one.slope, same.slope)
    assert np.abs(one.slope - other.slope).min() > 0


def test_no_steps_no_noise() -> None:
    assert OrnsteinUhlenbeck(np.empty(0), 1.0, 1.0).sample(np.random.default_rng(0)).middle.size == 0
