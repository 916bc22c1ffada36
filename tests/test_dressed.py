"""The dressed hierarchy: its generator against the definition, its paths against the plain one's, its means against the
master equation."""

import math
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pytest
from scipy import stats
from scipy.linalg import expm

import opendicke as od
from opendicke.engine import dressed_kernel, dressing
from opendicke.engine.compile import compiled
from opendicke.engine.trajectory import filled_state, tables
from opendicke.methods import nuhops
from opendicke.methods.following import field_follows
from opendicke.methods.nuhops import NuHOPSSimulator
from opendicke.problem import Problem
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

    def __init__(self, skew: bool) -> None:
        random = np.random.default_rng(4)
        self.model = np.array([self.N / 2, 0.8, 6.0, 0.7, 0.9, 0.5 if skew else 0.0])
        turned = np.linalg.qr(random.normal(size=(3, 3)))[0]
        self.frame = turned * np.sign(np.linalg.det(turned))
        self.angle, push = random.normal(), random.normal(size=2)
        self.shift, self.field, self.z, *growth = random.normal(size=(5, 2)) @ (1, 1j)
        self.phi = np.zeros((self.LEVELS, self.N + 1), dtype=complex)
        self.phi[: self.FILLED] = random.normal(size=(self.FILLED, self.N + 1, 2)) @ (1, 1j)
        self.phi /= np.linalg.norm(self.phi[0])
        self.push, self.growth, self.skew = push, growth, skew
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
        skew = 1.0 if self.skew else None
        _generate(state.buffer, out, window, self.model, root_n, root_k, ops, self.ORDERS, skew, work, self.given,
                  self.frame, self.turn, self.rates)  # fmt: skip
        rows = out.reshape(-1, 2, stride)[: self.LEVELS, :, 8 : 9 + self.N]
        found: np.ndarray = rows[:, 0] + 1j * rows[:, 1]
        return found

    def wanted(self, wrong: str = "") -> np.ndarray:
        """exp(−βb†) G_plain exp(βb†) Φ − (dβ/dt) b†Φ, β = Γ + xΛ, in the frame and without the damping."""
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
        slope = (moved * np.eye(b.shape[0]) + np.kron(levels, along(*self.growth))) @ up
        whole = expm(-beta) @ plain @ expm(beta) - slope
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
def moment(skew: bool) -> Case:
    return Case(skew)


@pytest.mark.parametrize("skew", [False, True])
def test_the_generator_is_the_plain_one_transformed(skew: bool) -> None:
    """The series left out after ten terms is below 1e-12; rounding, times the norms of exp(±β), which are 1e3, below
    1e-11."""
    assert moment(skew).distance() < 1e-10


@pytest.mark.parametrize("wrong", ["c*/w", "field", "U2", "x"])
def test_a_wrong_generator_is_seen(wrong: str) -> None:
    assert moment(True).distance(wrong) > 1e-3


# Path by path

SKEW = od.DickeModel(n_atoms=6, omega_a=1.0, omega_c=25.0, kappa=0.5, g_minus=3.6, g_plus=2.2)
START = od.SpinCoherent(2.0, 0.4, alpha=0.3 - 0.2j)
TIMES = np.array([0.0, 0.4, 1.0])
WORDS = ("Sx", "Sy Sz", "a'a Sx", "a'a'a a S+")


def path(model: od.DickeModel, hierarchy: Any, state: Any = START, **options: Any) -> np.ndarray:
    problem = Problem(model, state, TIMES)
    channels = NuHOPSSimulator(problem, od.NuHOPS(1, seed=2, hierarchy=hierarchy, **options))(0).averaged["channels"]
    return np.asarray(channels)


@pytest.mark.parametrize("omega_c", [25.0, -25.0])
def test_both_hierarchies_give_the_same_path(omega_c: float) -> None:
    """All channels, also at the start. tol = 1e-7 drops that much; plain against itself with tol = 1e-8 differs by 1e-6."""
    model = SKEW.replace(omega_c=omega_c)
    plain = path(model, "plain", tol=1e-7)
    dressed = path(model, "dressed", tol=1e-7)
    scale = 1 + np.abs(plain).max(axis=0)
    np.testing.assert_allclose(dressed / scale, plain / scale, rtol=0, atol=1e-5)
