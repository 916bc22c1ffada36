"""Whole trajectories: noise, steps, window and records, from one atom number to another."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from benchmarks.kernels import GENERAL, HERMITIAN, peak_work
from benchmarks.problems import COUPLINGS, STATE, simulator
from benchmarks.timing import cpu_seconds, table
from opendicke.engine.noise import OrnsteinUhlenbeck, noise_steps
from opendicke.engine.trajectory import MOST_LEVELS, MOST_STATES, POINTS, SWEEPS, initial_state, propagate
from opendicke.ensemble.streams import stream

ATOMS = (10, 30, 100, 10**3, 10**4, 10**5, 10**6)
UNTIL = 20.0


def prepared(n_atoms: int, coupling: str, dtype: str) -> Callable[[int], np.ndarray]:
    """Runs trajectory i and returns the engine's count of its work."""
    simulate = simulator(n_atoms, UNTIL, coupling)
    times = simulate.problem.times
    steps, hits = noise_steps(times, simulate.step)
    noise = OrnsteinUhlenbeck(steps, simulate.problem.model.omega_c, simulate.problem.model.kappa)

    def trajectory(index: int) -> np.ndarray:
        state = initial_state(STATE.frame(), STATE.alpha, dtype, n_atoms)
        propagate(state, simulate.dynamics, noise.sample(stream(1, index)), hits, times.size)
        return state.work

    return trajectory


def measure(coupling: str, dtype: str, rounds: int) -> None:
    """Trajectory i at every N, then trajectory i + 1 at every N, and so on, in turns with the peak."""
    runs = [prepared(n_atoms, coupling, dtype) for n_atoms in ATOMS]
    peak, peak_flops = peak_work(dtype)
    for run in (peak, *(lambda run=run: run(0) for run in runs)):
        run()
    seconds, works, peaks = np.empty((rounds, len(ATOMS))), np.empty((rounds, len(ATOMS), 5)), np.empty(rounds)
    for index in range(rounds):
        peaks[index] = cpu_seconds(peak)
        for place, run in enumerate(runs):
            kept = []
            seconds[index, place] = cpu_seconds(lambda run=run, kept=kept, index=index: kept.append(run(index)))
            works[index, place] = kept[0]
    flops = works[:, :, POINTS] * (HERMITIAN if coupling == "balanced" else GENERAL)
    rates = flops.sum(axis=0) / seconds.sum(axis=0)
    rows = []
    for place, n_atoms in enumerate(ATOMS):
        time, work = seconds[:, place] * 1e3, works[:, place]
        rows.append(
            (
                f"{n_atoms:,}",
                f"{np.median(time):.1f}",
                f"{time.mean():.1f}",
                f"{time.max():.0f}",
                f"{np.median(work[:, SWEEPS]):.0f}",
                f"{work[:, POINTS].sum() / work[:, SWEEPS].sum():.0f}",
                f"{work[:, MOST_STATES].max():.0f} × {work[:, MOST_LEVELS].max():.0f}",
                f"{rates[place] / np.median(peak_flops / peaks):.0%}",
            )
        )
    print(f"\n{coupling}, {dtype}, t = {UNTIL:g}, {rounds} trajectories at every N\n")
    head = ("N", "median, ms", "mean, ms", "longest, ms", "right-hand sides", "amplitudes in the window")
    table((*head, "largest window n × k", "share of FMA peak"), rows)
    low, high = ATOMS.index(10**3), ATOMS.index(10**6)
    median = np.median(seconds[:, high]) / np.median(seconds[:, low])
    mean = seconds[:, high].mean() / seconds[:, low].mean()
    print(f"\nTime at N = 10^6 over time at N = 10^3: {median:.2f} (medians), {mean:.2f} (means).")


def run(rounds: int = 60) -> None:
    """Balanced and unbalanced, float64 and float32."""
    for dtype in ("float64", "float32"):
        for coupling in COUPLINGS:
            measure(coupling, dtype, rounds)
