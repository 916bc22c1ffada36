"""The dressed hierarchy: its generator against the definition, its paths against the plain one's, its means against the
master equation."""

import math
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pytest
import qutip
from scipy import stats
from scipy.linalg import expm, expm_frechet

import opendicke as od
from opendicke.engine import dressed_kernel, dressing
from opendicke.engine.compile import compiled
from opendicke.engine.trajectory import filled_state, tables
from opendicke.methods import hierarchy
from opendicke.methods.following import _growth, dressing_refused, field_follows
from opendicke.methods.hierarchy import NuHOPSSimulator
from opendicke.observables.catalogue import select
from opendicke.problem import Problem
from opendicke.solve import describe
from zscores import FALSE_ALARM, Comparison, channels_of, compare, sampled

# The generator against its definition, in the full basis


@compiled
def _generate(source, out, window, j, root_n, root_k, ops, orders, skew, work, given, frame, turn, rates):  # type: ignore[no-untyped-def]
    """Coefficients and GΦ; ``given`` holds two angles' functions, means and fields as complex numbers."""
    cosine, sine, s1, s2, s3 = given[0].real, given[1].real, given[2].real, given[3].real, given[4].real
    rates[0], rates[1] = dressing.coefficients(
        j, 5.0, frame, cosine, sine, given[5], given[6], given[7], s1, s2, s3, j[0] - s3, ops, orders, skew, turn,
        (given[8].real, given[9].real), (given[10], given[11]))  # fmt: skip
    dressed_kernel.generate(source, out, window[0], window[1], window[2], root_n, root_k, ops, orders, skew, work)


def spin_matrices(n_atoms: int) -> list[np.ndarray]:
    m = n_atoms / 2 - np.arange(n_atoms + 1)
    up = np.diag(np.sqrt((n_atoms / 2 - m[1:]) * (n_atoms / 2 + m[1:] + 1)), 1)
    return [(up + up.T) / 2, (up - up.T) / 2j, np.diag(m)]


class Case:
    """A random moment of a hierarchy of four atoms; Φ has three levels, so that the basis is large enough for GΦ."""

    FILLED, LEVELS, N, ORDERS = 3, 14, 4, 10

    def __init__(self) -> None:
        random = np.random.default_rng(4)
        self.model = np.array([self.N / 2, 0.8, 6.0, 0.7, 0.9, 0.5])
        turned = np.linalg.qr(random.normal(size=(3, 3)))[0]
        self.frame = turned * np.sign(np.linalg.det(turned))
        self.angle, push = random.normal(), random.normal(size=2)
        self.shift, self.field, self.z, *growth = random.normal(size=(5, 2)) @ (1, 1j)
        self.phi = np.zeros((self.LEVELS, self.N + 1), dtype=complex)
        self.phi[: self.FILLED] = random.normal(size=(self.FILLED, self.N + 1, 2)) @ (1, 1j)
        self.phi /= np.linalg.norm(self.phi[0])
        self.push = push
        mean = [np.vdot(self.phi[0], part @ self.phi[0]).real for part in spin_matrices(self.N)]
        self.given = np.array(
            [math.cos(self.angle), math.sin(self.angle), *mean, self.shift, self.field, self.z, *push, *growth]
        )
        self.turn, self.rates = np.zeros((3, 3)), np.zeros(2, dtype=complex)
        self.got = self._got()

    def _got(self) -> np.ndarray:
        state = filled_state(self.frame, np.zeros(2, dtype=complex), "float64", self.N, self.phi)
        stride, capacity = state.window[2], state.window[3]
        root_n, root_k, _ = tables("float64", stride, capacity, self.model[0])
        window = np.array([state.window[0], self.LEVELS, stride])
        ops = np.zeros((dressed_kernel.OPERATORS, 4), dtype=complex)
        out = np.zeros(2 * stride * capacity)
        work = dressed_kernel.workspace("float64", capacity)
        _generate(state.buffer, out, window, self.model, root_n, root_k, ops, self.ORDERS, 1.0, work, self.given,
                  self.frame, self.turn, self.rates)  # fmt: skip
        rows = out.reshape(-1, 2, stride)[: self.LEVELS, :, 8 : 9 + self.N]
        found: np.ndarray = rows[:, 0] + 1j * rows[:, 1]
        return found

    def wanted(self, wrong: str = "") -> np.ndarray:
        """exp(−βb†) (G_plain − d/dt) exp(βb†) Φ, β = Γ + xΛ, in the frame and without the damping."""
        _, omega_a, omega_c, kappa, big_g, big_d = self.model
        parts, one = spin_matrices(self.N), np.eye(self.N + 1)
        lab = [sum(self.frame[k, i] * parts[k] for k in range(3)) for i in range(3)]
        cosine, sine = math.cos(self.angle), math.sin(self.angle)

        def along(x: complex, y: complex) -> Any:
            return (x * cosine + y * sine) * lab[0] + (y * cosine - x * sine) * lab[1]

        w = kappa + 1j * omega_c
        b = np.kron(np.diag(np.sqrt(np.arange(1.0, self.LEVELS)), 1), one)
        levels = np.eye(self.LEVELS)
        coupling = np.kron(levels, along(big_g, -1j * big_d))
        c = np.vdot(self.phi[0], along(big_g, -1j * big_d) @ self.phi[0])
        up, back = b.conj().T, coupling.conj().T
        free = np.kron(levels, along(*self.push) + omega_a * lab[2])
        plain = -1j * free + (self.z - 1j * self.shift.conjugate()) * coupling - 1j * self.shift * back - w * up @ b
        plain = plain - 1j * (
            (back - c.conjugate() * np.eye(b.shape[0])) @ b + (coupling - c * np.eye(b.shape[0])) @ up
        )
        x = -1j / w * (1.01 if wrong == "x" else 1)
        gap = self.field - self.shift
        beta = (gap * np.eye(b.shape[0]) + x * coupling) @ up
        moved = -w * gap + self.rates[1] + 1j * c
        slope = (moved * np.eye(b.shape[0]) + np.kron(levels, along(*self.given[10:]))) @ up
        turning = expm_frechet(beta, slope, compute_expm=False)
        whole = expm(-beta) @ (plain @ expm(beta) - turning)
        omega = [self.turn[1] @ self.frame[2], self.turn[2] @ self.frame[0], self.turn[0] @ self.frame[1]]
        whole = whole + 1j * np.kron(levels, sum(o * s for o, s in zip(omega, parts, strict=True)) + omega_a * lab[2])
        wrongs = {"c*/w": -c.conjugate() / w * coupling, "field": 1j * gap * back,
                  "U2": -(x**2) / 2 * np.kron(levels, self._second(along)) @ up @ up}  # fmt: skip
        found = ((whole + wrongs.get(wrong, 0 * whole)) @ self.phi.ravel()).reshape(self.phi.shape)
        found += w * np.arange(self.LEVELS)[:, None] * self.phi
        return np.asarray(found)

    def _second(self, along: Any) -> Any:
        """[[−iH_s, Λ], Λ]."""
        coupling, parts = along(self.model[4], -1j * self.model[5]), spin_matrices(self.N)
        z = sum(self.frame[k, 2] * parts[k] for k in range(3))
        free = -1j * (along(*self.push) + self.model[1] * z)
        once = free @ coupling - coupling @ free
        return once @ coupling - coupling @ once

    def distance(self, wrong: str = "") -> float:
        """The largest difference on levels far below the cut, but for a multiple of Φ, which is a gauge."""
        gap = (self.wanted(wrong) - self.got)[: self.FILLED + 4]
        phi = self.phi[: gap.shape[0]]
        return float(np.abs(gap - np.vdot(phi, gap) / np.vdot(phi, phi) * phi).max())


@cache
def moment() -> Case:
    return Case()


def test_the_generator_is_the_plain_one_transformed() -> None:
    """The series left out after ten terms is below 1e-12; rounding, times the norms of exp(±β), which are 1e3, below
    1e-11."""
    assert moment().distance() < 1e-10


@pytest.mark.parametrize("wrong", ["c*/w", "field", "U2", "x"])
def test_a_wrong_generator_is_seen(wrong: str) -> None:
    assert moment().distance(wrong) > 1e-3


# Path by path

SKEW = od.DickeModel(n_atoms=6, omega_a=1.0, omega_c=25.0, kappa=0.5, g_minus=3.6, g_plus=2.2)
START = od.SpinCoherent(2.0, 0.4, alpha=0.3 - 0.2j)
TIMES = np.array([0.0, 0.4, 1.0])
WORDS = ("Sx", "Sy Sz a", "a† a Sx", "a† a† a a a S-")
BOTH = ("plain", "dressed")


def path(model: od.DickeModel, state: Any, hierarchy: Any, index: int = 0, **options: Any) -> dict[str, np.ndarray]:
    method = od.NuHOPS(1, seed=2, hierarchy=hierarchy, **options)
    words = select(WORDS)[1]
    found: dict[str, np.ndarray] = NuHOPSSimulator(Problem(model, state, TIMES, words), method)(index).averaged
    return found


def gap(model: od.DickeModel, state: Any, **options: Any) -> float:
    """The largest relative difference of both hierarchies on one path."""
    plain, dressed = (path(model, state, which, **options) for which in BOTH)
    return max(float((np.abs(plain[k] - dressed[k]) / (1 + np.abs(plain[k]).max(axis=0))).max()) for k in plain)


PATHS = {
    "skew": (SKEW, START),
    "negative frequencies": (SKEW.replace(omega_a=-0.7, omega_c=-25.0, g_plus=-3.0), START),
    "balanced, one atom": (SKEW.replace(n_atoms=1, g_plus=3.6), od.Normal()),
    "complex couplings": (SKEW.replace(g_minus=3.6j), START),
    "a photon": (SKEW, od.SpinCoherent(1.0, cavity=od.cavities.Fock(1))),
}


@pytest.mark.parametrize("name", PATHS)
def test_both_hierarchies_give_the_same_path(name: str) -> None:
    """All channels and words of up to six factors, also at the start. tol = 1e-7 drops that much of a state; fourth
    powers of the field and growth along the path leave 1e-5 at most (found: 1e-6)."""
    assert gap(*PATHS[name], tol=1e-7) < 1e-5


def test_both_hierarchies_give_the_same_path_of_a_model_that_moves() -> None:
    """Couplings that change their ratio, a cavity that is tuned and opened, drives and thermal light."""
    moving = {"g_minus": od.Ramp((0.0, 1.0), (0.5, 3.6)), "g_plus": od.Ramp((0.2, 0.7), (2.2, 1.0)), "n_thermal": 0.2}
    moving |= {"omega_c": od.Ramp((0.0, 1.0), (25.0, 35.0)), "kappa": od.Ramp((0.0, 1.0), (0.3, 1.0))}
    assert gap(SKEW.replace(drive=1.0 - 0.5j, atom_drive=0.4 + 0.2j, **moving), START, tol=1e-7) < 1e-5


def test_a_hierarchy_that_does_not_start_dressed_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    bare = lambda state, rates, dynamics: replace(state, field=np.repeat(state.field, 2))  # noqa: E731
    monkeypatch.setattr(hierarchy, "dressed", bare)
    assert gap(SKEW, START, tol=1e-7) > 1e-2


def test_a_field_read_out_without_the_spin_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    bare = lambda state, rates, n_atoms, levels: (state.hierarchy(levels)[:, : n_atoms + 1], state.field[1])  # noqa: E731
    monkeypatch.setattr(hierarchy, "undressed", bare)
    assert gap(SKEW, START, tol=1e-7) > 1e-2


# Against the master equation

LATER = np.array([0.2, 0.4, 0.7, 1.0])
FREQUENCIES = (25.0, -25.0, 100.0, -25.0, 25.0, -100.0)


def random_case(case: int) -> tuple[od.DickeModel, od.SpinCoherent]:
    """Up to 1.4 times the critical coupling; every third model is balanced, others have g₊ of either sign."""
    random = np.random.default_rng(300 + case)
    omega_c = FREQUENCIES[case]
    g_minus, g_plus = 0.7 * math.sqrt(abs(omega_c)) * random.uniform(-1, 1, 2)
    model = od.DickeModel(
        n_atoms=(1, 2, 3, 10, 7, 5)[case],
        omega_a=random.uniform(-1.5, 1.5),
        omega_c=omega_c,
        kappa=random.uniform(0.2, 1.0),
        g_minus=g_minus,
        g_plus=(g_plus, -g_plus, g_minus)[case % 3],
    )
    alpha = complex(*random.uniform(-0.5, 0.5, 2))
    return model, od.SpinCoherent(random.uniform(0, np.pi), random.uniform(0, 2 * np.pi), alpha)


@cache
def random_comparison(case: int) -> Comparison:
    model, state = random_case(case)
    method = od.NuHOPS(160, seed=case, hierarchy="dressed")
    exact = channels_of(od.solve(model, state, LATER, od.Lindblad()))
    return compare(sampled(model, state, LATER, method), exact)


CASES = range(6)


@pytest.mark.parametrize("case", CASES)
def test_every_variable_of_random_models(case: int) -> None:
    """Real and imaginary parts of every variable at four times: 63 to 84 numbers. False alarms: 2e-4 for each case."""
    assert random_comparison(case).agrees


def test_random_models_together() -> None:
    """More than 400 numbers. False alarms: 1e-4."""
    every = np.concatenate([random_comparison(case).independent for case in CASES])
    larger = stats.chi2.sf((every**2).sum(), every.size)
    assert sum(random_comparison(case).z.size for case in CASES) > 400
    assert 2 * min(larger, 1 - larger) > FALSE_ALARM


# When it is used, and what is said of it

FAR = od.DickeModel(n_atoms=1000, omega_a=1.0, omega_c=100.0, kappa=0.5, g_minus=6.0, g_plus=6.0)


@pytest.mark.parametrize(
    ("change", "follows"),
    [({}, True), ({"omega_c": -100.0}, False), ({"omega_c": -100.0, "omega_a": -1.0}, True),
     ({"omega_c": 8.0}, False), ({"g_minus": 30.0}, False),
     ({"kappa": 15.0}, False), ({"omega_a": 15.0}, False), ({"kappa": 0.0}, False), ({"n_thermal": 0.1}, False),
     ({"g_minus": 0.0, "g_plus": 0.0}, False), ({"omega_a": od.Ramp((0.0, 1.0), (0.5, 1.0))}, False),
     ({"g_minus": 6j}, True), ({"n_atoms": 50}, False), ({"g_minus": 4.0, "g_plus": 4.0}, False),
     ({"kappa": 2.5}, False)],
)  # fmt: skip
def test_where_auto_takes_it(change: dict[str, Any], follows: bool) -> None:
    problem = Problem(FAR.replace(**change), od.Normal(), np.array([1.0]))
    assert od.NuHOPS(1).settled(problem).hierarchy == ("dressed" if follows else "plain")
    assert field_follows(problem.model, problem.state) == follows


@pytest.mark.parametrize(
    ("inside", "outside"),
    [({"g_minus": 12.8, "g_plus": 12.8}, {"g_minus": 13.0, "g_plus": 13.0}),  # 15G² = 9830 and 10140
     ({"kappa": 2.1}, {"kappa": 2.2}),  # 1.5G²/ω_c = 2.16
     ({"g_minus": 12.5, "g_plus": 12.5, "kappa": 9.3}, {"g_minus": 12.5, "g_plus": 12.5, "kappa": 9.45}),  # and 9.375
     ({"omega_a": 1.34}, {"omega_a": 1.37}),  # it grows at √(ω_a(G²/ω_c − ω_a)), a quarter of ω_a = 1.355
     ({"n_atoms": 100}, {"n_atoms": 99})],
)  # fmt: skip
def test_where_auto_takes_it_to_a_few_percent(inside: dict[str, Any], outside: dict[str, Any]) -> None:
    """Both sides of each inequality."""
    assert field_follows(FAR.replace(**inside), od.Normal())
    assert not field_follows(FAR.replace(**outside), od.Normal())


def test_how_near_to_a_pole_auto_takes_it() -> None:
    """0.3 from it, and 0.3√N = 9.5 in the field; from both poles."""
    near, far = (od.SpinCoherent(np.pi, alpha=alpha) for alpha in (9.4j, 9.6j))
    assert field_follows(FAR, near)
    assert not field_follows(FAR, far)
    upside = FAR.replace(omega_a=-1.0)
    for model, pole, sign in ((FAR, np.pi, -1), (upside, 0.0, 1)):
        near, far = (od.SpinCoherent(pole + sign * angle) for angle in (0.29, 0.31))
        assert field_follows(model, near)
        assert not field_follows(model, far)
    assert not field_follows(FAR, od.SpinCoherent(np.pi, cavity=od.cavities.Fock(1)))


@pytest.mark.parametrize(("g_minus", "g_plus"), [(7.0, 4.0), (4.0, 7.0), (6.0, 6.0), (12.0, 0.5)])
def test_growth_is_that_of_the_moments(g_minus: float, g_plus: float) -> None:
    """The linear equations of <a>, <a†>, <b> and <b†> from QuTiP's operators: H with S_- = √N b, and the loss."""
    model = FAR.replace(omega_a=1.2, omega_c=3.0, kappa=0.7, g_minus=g_minus, g_plus=g_plus)
    a, b = (qutip.tensor(*pair) for pair in ((qutip.destroy(4), qutip.qeye(4)), (qutip.qeye(4), qutip.destroy(4))))
    hamiltonian = 3.0 * a.dag() * a + 1.2 * b.dag() * b + g_minus * (a.dag() * b + a * b.dag())
    hamiltonian += g_plus * (a.dag() * b.dag() + a * b)
    low = qutip.tensor(qutip.basis(4, 0), qutip.basis(4, 0))
    kets = [low, a.dag() * low, b.dag() * low]
    rows = []
    for operator in (a, a.dag(), b, b.dag()):
        loss = 0.7 * (2 * a.dag() * operator * a - a.dag() * a * operator - operator * a.dag() * a)
        change = 1j * (hamiltonian * operator - operator * hamiltonian) + loss
        up = [complex(low.overlap(change * kets[i])) for i in (1, 2)]
        down = [complex(kets[i].overlap(change * low)) for i in (1, 2)]
        rows.append([up[0], down[0], up[1], down[1]])
    expected = float(np.linalg.eigvals(np.array(rows)).real.max())
    np.testing.assert_allclose(_growth(model), expected, rtol=0, atol=1e-10)


def test_auto_leaves_states_that_stay_together_to_the_plain_one() -> None:
    for state, which in ((od.SpinCoherent(2.9, 0.3), "dressed"), (od.SpinCoherent(2.0, 0.3), "plain"),
                         (od.SpinCoherent(np.pi, alpha=20.0), "plain"), (od.Dicke(-500.0), "plain"),
                         (od.SpinCoherent(0.1), "plain")):  # fmt: skip
        assert od.NuHOPS(1).settled(Problem(FAR, state, np.array([1.0]))).hierarchy == which
    upside = FAR.replace(omega_a=-1.0, g_minus=7.0, g_plus=5.0)
    assert od.NuHOPS(1).settled(Problem(upside, od.SpinCoherent(0.1), np.array([1.0]))).hierarchy == "dressed"


@pytest.mark.parametrize(("g_minus", "g_plus", "grows"), [(6.0, 4.1, True), (6.0, 3.9, False), (5.0, 5.1, True)])
def test_what_leaves_the_normal_state(g_minus: float, g_plus: float, grows: bool) -> None:
    """κ = 0, |ω_c| ≫ ω_a: it is left for g₋ + g₊ > √(ω_aω_c) = 10, where (g₋ − g₊)² is far less than ω_c."""
    assert (_growth(FAR.replace(kappa=1e-9, g_minus=g_minus, g_plus=g_plus)) > 1e-3) == grows


def test_keys_tell_the_hierarchy_and_are_what_they_were_for_the_plain_one() -> None:
    problem, near = (Problem(FAR.replace(omega_c=w), od.Normal(), np.array([1.0])) for w in (100.0, 2.5))
    told = [describe(problem, od.NuHOPS(1, hierarchy=which))["options"] for which in ("auto", "dressed", "plain")]
    assert told[0] == told[1] == told[2] | {"hierarchy": "dressed"}
    assert "hierarchy" not in told[2]
    assert describe(near, od.NuHOPS(1)) == describe(near, od.NuHOPS(1, hierarchy="plain"))


def test_the_answer_says_which_it_was() -> None:
    for omega_c, which in ((100.0, "dressed"), (2.5, "plain")):
        result = od.solve(FAR.replace(omega_c=omega_c), od.Normal(), [0.01], od.NuHOPS(2))
        assert result.attrs["hierarchy"] == which
    assert result.attrs["largest_levels"] > 0


@pytest.mark.parametrize(
    "change", [{"kappa": 0.0}, {"g_minus": od.Ramp((0.5, 0.5), (1.0, 2.0))}, {"omega_c": od.Ramp((0.5, 0.5), (90, 99))}]
)
def test_what_it_cannot_do_is_refused(change: dict[str, Any]) -> None:
    model = FAR.replace(**change)
    with pytest.raises(ValueError, match="hierarchy"):
        od.solve(model, od.Normal(), [1.0], od.NuHOPS(1, hierarchy="dressed"))
    limits = od.NuHOPS(1, hierarchy="dressed").limits(model)
    assert not limits.possible
    assert limits.reason
    with pytest.raises(ValueError, match="hierarchy"):
        od.solve(FAR, od.Normal(), [1.0], od.NuHOPS(1, hierarchy="dressed", dtype="float32"))
    with pytest.raises(ValueError, match="hierarchy"):
        od.NuHOPS(1, hierarchy="both")  # type: ignore[arg-type]


def test_jumps_are_refused() -> None:
    model = od.DickeModel(n_atoms=1000, omega_a=1.0, omega_c=100.0, kappa=0.5, g_minus=0.5, g_plus=0.5)
    assert dressing_refused(model) == ""
    for name in ("omega_c", "kappa", "g_minus", "g_plus"):
        assert name in dressing_refused(model.replace(**{name: od.Ramp((0.5, 0.5), (1.0, 2.0))}))
