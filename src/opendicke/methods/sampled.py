"""What all methods that average over trajectories share: from a reduced ensemble to a solution."""

from __future__ import annotations

import json
import warnings

import numpy as np

from opendicke.ensemble.run import Ensemble, TrajectoryError
from opendicke.observables.catalogue import from_channels
from opendicke.problem import Solution


class FailedTrajectoryWarning(RuntimeWarning):
    """Some trajectories failed; the averages are over the others."""


def averages(ensemble: Ensemble, names: tuple[str, ...]) -> Solution:
    """Means and standard errors of ``names`` from the ensemble's averaged ``channels``, with what failed.

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
    moments = ensemble.moments["channels"]
    attrs = {"trajectories": moments.count, "failed_trajectories": json.dumps(failures)}
    sem = from_channels(names, moments.sem, errors=True)
    return Solution(from_channels(names, moments.mean), sem, attrs=attrs | ensemble.peaks | ensemble.sums)


def kept_trajectories(ensemble: Ensemble, solution: Solution, names: dict[str, str]) -> None:
    """Add the trajectories that were kept to ``solution``: ``names`` maps each to its definition."""
    solution.coords["trajectory"] = (("trajectory",), np.array(ensemble.indices), {"definition": "index of the stream"})
    for name, definition in names.items():
        values = np.array(ensemble.kept[name])
        solution.extra[name] = (("trajectory", "time"), values, {"definition": definition, "units": "1"})
