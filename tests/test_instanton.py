"""Instantons against linear fluctuations, detailed balance, conservation laws, and themselves on other nodes."""

import numpy as np
import pytest

import opendicke as od
from opendicke.analysis import fixed_point, fluctuations
from opendicke.analysis.tunnelling import BISTABLE_CUT, instanton
from opendicke.engine.least_noise import pushed
from opendicke.tunnelling.doubled import MIRROR, DoubledFlow, at_rest

MODEL = BISTABLE_CUT.model(0.7, n_atoms=1)
FLOWS = [DoubledFlow(MODEL.replace(omega_c=1.3, kappa=0.8), n_thermal=0.2, moyal=moyal) for moyal in (0.0, 0.5, 1.0)]


def points(seed: int) -> np.ndarray:
    return 0.3 * np.random.default_rng(seed).normal(size=(7, 10))


@pytest.mark.parametrize("flow", FLOWS)
def test_the_jacobian_is_that_of_the_flow(flow: DoubledFlow) -> None:
    u, h = points(1), 1e-3  # the flow is quadratic: central differences are exact
    unit = h * np.eye(10)
    differences = [(flow.velocity(u + step) - flow.velocity(u - step)) / (2 * h) for step in unit]
    np.testing.assert_allclose(flow.jacobian(u), np.stack(differences, axis=-1), rtol=0, atol=1e-11)


@pytest.mark.parametrize("flow", FLOWS)
def test_energy_and_casimirs_are_conserved(flow: DoubledFlow) -> None:
    """Their derivatives along the flow vanish: the energy's where the Casimirs are 0, as on every orbit."""
    u, h = points(2), 1e-4
    u[:, 4:7] *= np.sqrt(0.25 + flow.moyal**2 * (u[:, 7:] ** 2).sum(axis=1, keepdims=True)) / np.linalg.norm(
        u[:, 4:7], axis=1, keepdims=True
    )
    ahead, behind = u + h * flow.velocity(u), u - h * flow.velocity(u)
    for conserved in (flow.energy, flow.casimirs):
        np.testing.assert_allclose((conserved(ahead) - conserved(behind)) / (2 * h), 0, rtol=0, atol=1e-7)


@pytest.mark.parametrize("kind", ["normal", "SR+", "SR-"])
def test_without_momenta_it_is_mean_field_and_its_reverse(kind: str) -> None:
    """The rates at a fixed point are those of mean field, those with the other sign, and 0 for the two Casimirs."""
    point, flow = fixed_point(MODEL, kind), DoubledFlow(MODEL)  # type: ignore[arg-type]
    np.testing.assert_allclose(flow.velocity(at_rest(point)), 0, rtol=0, atol=1e-14)
    np.testing.assert_array_equal(at_rest(point.mirror()), at_rest(point) * (MIRROR if kind != "normal" else 1))
    found = np.linalg.eigvals(flow.jacobian(at_rest(point)))
    expected = np.concatenate([point.eigenvalues, -point.eigenvalues, [0, 0]])
    for value in expected:
        assert abs(found - value).min() < 1e-7


@pytest.mark.parametrize("start", ["normal", "superradiant"])
def test_near_the_state_that_is_left_it_is_gaussian(start: str) -> None:
    """There S = δᵀV⁻¹δ with the covariance V of linear fluctuations; what is missing goes with the distance."""
    path = instanton(MODEL, start)  # type: ignore[arg-type]
    point = fixed_point(MODEL, "normal" if start == "normal" else "SR+")
    inverse = np.linalg.inv(fluctuations(point).covariance)
    at = int(np.argmax(abs(path.a.values - point.beta) > 1e-3))
    spin, field = path.sigma.values[at] - point.m, path.a.values[at] - point.beta
    gradient = inverse @ [spin @ point.frame[0], spin @ point.frame[1], field.real, field.imag]
    momentum = np.conj(path.p.values[at])
    assert abs(momentum - complex(gradient[2], gradient[3])) < 0.02 * abs(momentum)


def test_the_gradient_of_the_least_noise_is_that_of_its_cost() -> None:
    random, parameters = np.random.default_rng(3), np.array([1.1, 1.3, 0.8, 2.6, 1.02])
    forces, start, target = (0.3 * random.normal(size=shape) for shape in ((12, 2), 5, 5))
    room = [np.empty((12, 2)), np.empty((13, 5)), np.empty((13, 5))]

    def cost(forces: np.ndarray) -> float:
        return float(pushed(forces, start, target, 3.0, 0.2, parameters, 0.7, *room))

    cost(forces)
    gradient, direction, h = room[0].copy(), random.normal(size=forces.shape), 1e-5
    slope = (cost(forces + h * direction) - cost(forces - h * direction)) / (2 * h)
    assert abs(slope - (gradient * direction).sum()) < 1e-7 * abs(slope)


@pytest.mark.parametrize(
    ("n_thermal", "frequencies"), [pytest.param(0.0, (0.4, 0.2), marks=pytest.mark.slow), (0.3, (0.3,))]
)
def test_slow_atoms_are_in_detailed_balance(n_thermal: float, frequencies: tuple[float, ...]) -> None:
    r"""For ω_a → 0 the cavity is a bath of temperature T = (2n̄ + 1)(ω_c² + κ²)/(4ω_c) for the spin, whose energy per
    atom is ω_a m_z − χ m_x², χ = G²ω_c/(ω_c² + κ²): S is the barrier (χ − ω_a)²/(4χ) over T, up to O(ω_a²)
    (measured: off by 0.159 ω_a² at ω_a = 0.1, 0.139 ω_a² at 0.2 and 0.093 ω_a² at 0.4 without thermal photons).
    """
    ratios = []
    for omega_a in frequencies:
        chi = 1.5 * omega_a
        rates = {"omega_a": omega_a, "omega_c": 1.0, "kappa": 1.0, "coupling": np.sqrt(2 * chi)}
        answer = instanton(od.DickeModel.balanced(n_atoms=1, **rates), "superradiant", n_thermal=n_thermal)
        assert answer.attrs["saddle"] == "normal"
        ratios.append(answer.action.item() / ((chi - omega_a) ** 2 / (4 * chi) / ((2 * n_thermal + 1) / 2)))
    off = 1 - np.array(ratios)
    assert (off > 0).all()
    assert (off < 0.3 * np.array(frequencies) ** 2).all()


def test_numbers_do_not_depend_on_nodes_and_first_guess() -> None:
    first, other = instanton(MODEL), instanton(MODEL, seed=5)
    assert abs(first.action.item() / other.action.item() - 1) < 1e-6
    assert first.attrs["action_error"] < 1e-6 * first.action.item()
    assert max(first.attrs[name] for name in ("energy", "casimir", "residual")) < 1e-9
    near = instanton(BISTABLE_CUT.model(0.75, n_atoms=1), neighbour=first)
    direct = instanton(BISTABLE_CUT.model(0.75, n_atoms=1))
    assert near.attrs["found_by"] == "continuation from a neighbour"
    assert abs(near.action.item() / direct.action.item() - 1) < 1e-6


def test_truncated_wigner_misses_little() -> None:
    """Its exponents differ by the terms of third order only, which are small where the path stays near the states."""
    for start, largest in (("normal", 0.01), ("superradiant", 0.001)):
        exact, classical = (instanton(MODEL, start, method).action.item() for method in ("exact", "truncated_wigner"))  # type: ignore[arg-type]
        assert 1e-5 < abs(classical / exact - 1) < largest


def test_refusals() -> None:
    weak = od.DickeModel.balanced(n_atoms=1, omega_a=1.0, omega_c=1.0, kappa=1.0, coupling=0.5)
    with pytest.raises(ValueError, match=r"start: expected a stable state of the model, which has normal \(stable\)"):
        instanton(weak, "superradiant")
    with pytest.raises(ValueError, match="model: expected one with a saddle at the edge of the basin of 'normal'"):
        instanton(weak)
    with pytest.raises(ValueError, match="method: expected"):
        instanton(MODEL, method="mean_field")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="n_thermal: expected"):
        instanton(MODEL, n_thermal=-1.0)
    with pytest.raises(TypeError, match="model: expected"):
        instanton("dicke")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="neighbour: expected"):
        instanton(MODEL, neighbour=od.solve(weak, od.Normal(), [1.0], od.MeanField()))
