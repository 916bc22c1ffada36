"""What all methods that average over trajectories share: from a reduced ensemble to a solution."""

from __future__ import annotations

import json
import warnings

import numpy as np
from numpy.typing import NDArray

from opendicke import checks
from opendicke.ensemble.padding import stack_padded
from opendicke.ensemble.run import Ensemble, StopRule, TrajectoryError
from opendicke.observables.catalogue import CHANNELS, from_channels
from opendicke.problem import Solution


class FailedTrajectoryWarning(RuntimeWarning):
    """Some trajectories failed; the averages are over the others."""


def averages(ensemble: Ensemble, names: tuple[str, ...], enough: StopRule | None = None) -> Solution:
    """Means and standard errors of ``names`` from the ensemble's averaged ``channels``, with what failed.

    Args:
        ensemble: what was run.
        names: of variables.
        enough: the stop rule, if there was one; the solution then says whether it is met.

    Raises:
        TrajectoryError: if no trajectory came through.

    Warns:
        FailedTrajectoryWarning: if some did not.
    """
    failures = ensemble.failures
    if not ensemble.indices:
        raise TrajectoryError(f"all {len(failures)} trajectories failed; the first: {failures[0][1]}")
    if failures:
        told = "; ".join(text for _, text in failures[:3]) + ("; …" if len(failures) > 3 else "")
        text = f"{len(failures)} of {len(failures) + len(ensemble.indices)} trajectories failed and are left out: "
        warnings.warn(text + told, FailedTrajectoryWarning, stacklevel=2)
    moments = ensemble.moments("channels")
    attrs = {"trajectories": moments.count, "failed_trajectories": json.dumps(failures)}
    sem = from_channels(names, moments.sem, errors=True)
    solution = Solution(from_channels(names, moments.mean), sem, attrs=attrs | ensemble.peaks | ensemble.sums)
    if enough is not None:
        solution.attrs["precision_reached"] = int(enough(ensemble))
    _add_batches(ensemble, solution)
    return solution


def _add_batches(ensemble: Ensemble, solution: Solution) -> None:
    """Means over the batches of trajectories: from them follow error bars of all that is not linear in the means."""
    batches = ensemble.filled("channels")
    about = "mean of a channel over the trajectories of one batch (trajectory index modulo the number of batches)"
    means = np.array([batch.mean for batch in batches])
    sizes = np.array([batch.count for batch in batches])
    solution.extra["batch_means"] = (("batch", "time", "channel"), means, {"definition": about, "units": "1"})
    solution.extra["batch_size"] = (("batch",), sizes, {"definition": "trajectories in the batch", "units": "1"})
    about = "Hermitian parts of the variables, from which all of them follow"
    solution.coords["channel"] = (("channel",), np.array(CHANNELS), {"definition": about})


def kept_trajectories(ensemble: Ensemble, solution: Solution, names: dict[str, str]) -> None:
    """Add the trajectories that were kept to ``solution``: ``names`` maps each to its definition."""
    name_trajectories(ensemble, solution)
    for name, definition in names.items():
        values = np.array(ensemble.kept[name])
        solution.extra[name] = (("trajectory", "time"), values, {"definition": definition, "units": "1"})


def name_trajectories(ensemble: Ensemble, solution: Solution) -> None:
    """Label the dimension ``trajectory`` with the indices of the random streams."""
    solution.coords["trajectory"] = (("trajectory",), np.array(ensemble.indices), {"definition": "index of the stream"})


def kept_rows(times: NDArray[np.float64], wanted: tuple[float, ...]) -> NDArray[np.intp]:
    """Where the times of ``keep_states`` stand among the solve's times."""
    return checks.among("keep_states", wanted, times, "the solve's times") if wanted else np.empty(0, dtype=np.intp)


def state_time(times: NDArray[np.float64]) -> tuple[tuple[str], NDArray[np.float64], dict[str, str]]:
    """The coordinate of the states kept: some of the solve's times, to the last bit, so that ``sel`` finds them."""
    about = "times of keep_states, some of those of the dimension time; <name>.sel(time=state_time) is a variable there"
    return ("state_time",), times, {"definition": about, "units": "1 / (unit of the model's rates)"}


def kept_states(ensemble: Ensemble, solution: Solution, times: NDArray[np.float64]) -> None:
    """Add the spin states kept at ``times``, each on the Dicke states along the third axis of its own frame."""
    name_trajectories(ensemble, solution)
    solution.coords["state_time"] = state_time(times)
    psi = {"definition": "amplitude of psi on |j, m = j - n> along the third row of psi_frame", "units": "1"}
    frame = {"definition": "axes e1, e2, e3 (rows) of the frame of psi", "units": "1"}
    dims = ("trajectory", "state_time")
    solution.extra["psi"] = ((*dims, "n"), stack_padded(ensemble.kept["psi"]), psi)
    solution.extra["psi_frame"] = ((*dims, "axis", "component"), np.array(ensemble.kept["psi_frame"]), frame)
