"""Against QuTiP's quantum jumps (mcsolve): CPU time for the same standard error of S^z.

The cost is CPU seconds per trajectory times the variance of <S^z> between trajectories, averaged over the times: as
many seconds make the variance of the mean one. Both run on one core, in turns, on the same model and times.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import qutip
from numpy.typing import NDArray

from benchmarks.problems import STATE, model, simulator
from benchmarks.timing import cpu_seconds, table

#: For each N, photon states of the Fock basis and, in one round, trajectories of mcsolve and of nuHOPS.
SIZES = {10: (18, 60, 200), 30: (32, 25, 150), 100: (75, 6, 100)}
UNTIL = 10.0
#: At N = 30 the fastest of QuTiP's formats (CSR, Dia) and integrators (adams, bdf, dop853, vern7, vern9) at its default
#: tolerances. The defaults, CSR and adams, take twice as long at all three N.
FORMAT, INTEGRATOR = "Dia", "vern7"
#: Column of S^z among the channels of a trajectory.
SZ = 2


def jumps(n_atoms: int, photons: int) -> Callable[[int, int], NDArray[np.float64]]:
    """Runs as many trajectories of mcsolve, with this seed: <S^z>, shape (trajectories, times)."""
    about, j, times = model(n_atoms), n_atoms / 2, simulator(n_atoms, UNTIL).problem.times
    a = qutip.tensor(qutip.qeye(n_atoms + 1), qutip.destroy(photons))
    s_z, lower = (qutip.tensor(qutip.jmat(j, axis), qutip.qeye(photons)) for axis in ("z", "-"))
    exchange = (about.g_minus * lower + about.g_plus * lower.dag()) * a.dag() / np.sqrt(n_atoms)
    hamiltonian = about.omega_a * s_z + about.omega_c * a.dag() * a + exchange + exchange.dag()
    start = qutip.tensor(qutip.spin_coherent(j, STATE.theta, STATE.phi), qutip.basis(photons, 0))
    decay = np.sqrt(2 * about.kappa) * a
    operators = [operator.to(FORMAT) for operator in (hamiltonian, decay, s_z)]
    options = {"method": INTEGRATOR, "map": "serial", "progress_bar": "", "keep_runs_results": True}
    options |= {"store_states": False, "store_final_state": False}

    def run(count: int, seed: int) -> NDArray[np.float64]:
        h, c, e = operators
        result = qutip.mcsolve(h, start, times, [c], e_ops=[e], ntraj=count, seeds=seed, options=options)
        return np.array(result.runs_expect[0])

    return run


def nuhops(n_atoms: int) -> Callable[[int, int], NDArray[np.float64]]:
    """Runs as many trajectories of nuHOPS, the ``batch``-th lot: <S^z>, shape (trajectories, times)."""
    simulate = simulator(n_atoms, UNTIL)

    def run(count: int, batch: int) -> NDArray[np.float64]:
        return np.array(
            [simulate(index).averaged["channels"][:, SZ] for index in range(batch * count, (batch + 1) * count)]
        )

    return run


def variance(paths: NDArray[np.float64]) -> tuple[float, float]:
    """Variance between trajectories, averaged over the times, and its standard error."""
    squares = ((paths - paths.mean(axis=0)) ** 2).mean(axis=1) * len(paths) / (len(paths) - 1)
    return float(squares.mean()), float(squares.std(ddof=1) / np.sqrt(len(paths)))


def compare(n_atoms: int, rounds: int) -> tuple[str, ...]:
    """One row of the table."""
    photons, *counts = SIZES[n_atoms]
    methods = (jumps(n_atoms, photons), nuhops(n_atoms))
    for method in methods:
        method(1, 0)
    paths: tuple[list[NDArray[np.float64]], ...] = ([], [])
    seconds = np.empty((rounds, 2))
    for index in range(rounds):
        for place, (method, count) in enumerate(zip(methods, counts, strict=True)):
            kept = paths[place]
            seconds[index, place] = (
                cpu_seconds(
                    lambda method=method, count=count, kept=kept, index=index: kept.append(method(count, index))
                )
                / count
            )
    times = np.median(seconds, axis=0) * 1e3
    (theirs, theirs_error), (ours, ours_error) = (variance(np.concatenate(lots)) for lots in paths)
    gain = float(np.median(seconds[:, 0] / seconds[:, 1])) * theirs / ours
    error = gain * np.hypot(theirs_error / theirs, ours_error / ours)
    means = [np.concatenate(lots).mean(axis=0) for lots in paths]
    errors = [
        np.concatenate(lots).std(axis=0, ddof=1) / np.sqrt(rounds * count)
        for lots, count in zip(paths, counts, strict=True)
    ]
    apart = np.sqrt(np.mean((means[0] - means[1])[1:] ** 2 / (errors[0] ** 2 + errors[1] ** 2)[1:]))
    return (
        f"{n_atoms}",
        f"{photons}",
        *(f"{time:.1f}" for time in times),
        f"{theirs:.3g} ± {theirs_error:.1g}",
        f"{ours:.3g} ± {ours_error:.1g}",
        f"{gain:.1f} ± {error:.1f}",
        f"{apart:.1f}",
    )


def run(rounds: int = 6) -> None:
    """N = 10, 30 and 100."""
    head = ("N", "photon states", "mcsolve, ms", "nuHOPS, ms", "variance of mcsolve", "of nuHOPS")
    rows = [compare(n_atoms, rounds) for n_atoms in SIZES]
    table((*head, "times cheaper", "difference of the means, rms in standard errors"), rows)
