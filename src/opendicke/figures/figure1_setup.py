"""What Fig. 1 is about: parameters, times, panels."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from opendicke.analysis import fixed_points
from opendicke.model import DickeModel
from opendicke.states import Normal, SpinCoherent

TILTED = SpinCoherent(theta=math.pi / 4, phi=math.pi)

#: 1/ω_a; the spin spirals into its steady state with the rate 0.136.
TIMES: NDArray[np.float64] = np.linspace(0.0, 30.0, 601)
MARKED_TIME = 7.5
#: 1/ω_a; trajectories that crossed to the other side have arrived there.
LATER_TIME = 15.0


@dataclass(frozen=True)
class Panel:
    """One sphere: its name, what starts where, and how that is written in a picture and in plain text."""

    name: str
    n_atoms: int
    state: SpinCoherent
    title: str
    text: str

    @property
    def map_name(self) -> str:
        """Of the Husimi function below, e.g. "a2"."""
        return f"{self.name[0]}2"


def panels(n_atoms: Sequence[int]) -> tuple[Panel, ...]:
    """A panel from the tilted state for each N, and one from the normal state for the last.

    >>> [panel.name for panel in panels([10**4, 10**5])]
    ['a1', 'b1', 'c1']
    """
    tilted = [
        Panel(f"{chr(ord('a') + place)}1", n, TILTED, f"$N = {written(n)}$", f"N = {n}, from theta = pi/4, phi = pi")
        for place, n in enumerate(n_atoms)
    ]
    name, last = f"{chr(ord('a') + len(tilted))}1", n_atoms[-1]
    title, text = rf"$N = {written(last)}$, $\theta = \pi$", f"N = {last}, from theta = pi, the normal state"
    return (*tilted, Panel(name, last, Normal(), title, text))


def written(number: int) -> str:
    """A number of atoms for a formula: large powers of ten as such.

    >>> written(1000), written(10**5)
    ('1000', '10^{5}')
    """
    power = len(str(number)) - 1
    return f"10^{{{power}}}" if power > 3 and number == 10**power else str(number)


N_ATOMS = (100, 500, 1000)
PANELS = panels(N_ATOMS)


def model(n_atoms: int) -> DickeModel:
    """The model of all panels, with ``n_atoms`` atoms.

    >>> round(model(100).coupling, 6)
    2.257432
    """
    free = DickeModel.balanced(n_atoms=n_atoms, omega_a=1.0, omega_c=2.5, kappa=0.5, coupling=0.0)
    half = 0.7 * free.critical_coupling
    return free.replace(g_minus=half, g_plus=half)


def steady_states() -> list[NDArray[np.float64]]:
    """The two superradiant steady states m = <S>/N of mean field."""
    return [point.m for point in fixed_points(model(1)) if point.is_stable]
