"""What all methods that average over trajectories share: options, the run, and from an ensemble to a solution."""

from __future__ import annotations

import json
import warnings
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from opendicke import checks
from opendicke.engine.noise import noise_steps
from opendicke.ensemble.padding import stack_padded
from opendicke.ensemble.run import Ensemble, Pilot, Sample, StopRule, TrajectoryError, run_ensemble
from opendicke.ensemble.streams import stream
from opendicke.master.density import RHO_SPIN
from opendicke.methods.precision import Precision, check_precision, stop_rule
from opendicke.model import Model
from opendicke.observables.catalogue import CHANNELS, from_channels, of_parts
from opendicke.problem import Executor, Limits, Problem, Progress, Solution
from opendicke.shown import Shown
from opendicke.words import Word

#: Name -> definition of what nuHOPS and its Gaussian copies keep of a trajectory.
MEANS_KEPT = {f"{name}_trajectory": f"<{name}> of one trajectory" for name in ("Sx", "Sy", "Sz", "a")}


class FailedTrajectoryWarning(RuntimeWarning):
    """Some trajectories failed; the averages are over the others."""


class Sampled(Shown, ABC):
    """A method that averages over trajectories: a frozen dataclass with these options, in any order among its own.

    Attributes:
        trajectories, seed, point, step, precision: options of all sampled methods.
        keep_trajectories: an option of those that name what they keep.
        kept: name -> definition of what a sample keeps if asked for: (times,), (times, spins) or (times, modes).
    """

    trajectories: int
    seed: int
    point: int
    step: float | None
    precision: Precision | None
    keep_trajectories: bool = False
    kept: ClassVar[Mapping[str, str]] = {}

    def __post_init__(self) -> None:
        checks.set_integer(self, "trajectories", minimum=1)
        checks.set_integer(self, "seed", minimum=0, maximum=checks.LARGEST_SEED)
        checks.set_integer(self, "point", minimum=0, maximum=checks.LARGEST_SEED)
        checks.set_real(self, "step", optional=True, above=0.0)
        check_precision(self.precision)
        if self.kept:
            checks.set_flag(self, "keep_trajectories")

    @abstractmethod
    def limits(self, model: Model) -> Limits:
        """What it can do with a model, and what a trajectory costs; see :class:`opendicke.problem.Limits`."""

    def settled(self, problem: Problem) -> Sampled:
        """With all that it leaves open settled for a problem; by default nothing is open."""
        return self

    @abstractmethod
    def simulator(self, problem: Problem) -> Simulator[Any]:
        """What runs one trajectory."""

    def finish(self, problem: Problem, ensemble: Ensemble, solution: Solution) -> None:
        """Check the averages, and add to ``solution`` what the method alone has; nothing by default."""

    def run(self, problem: Problem, names: tuple[str, ...], executor: Executor, progress: Progress) -> Solution:
        """Run the ensemble and average it (called by :func:`opendicke.solve`)."""
        simulate = self.simulator(problem)
        enough = stop_rule(self.precision, problem.times)
        ensemble = run_ensemble(simulate, self.trajectories, executor, progress, enough, simulate.pilot())
        solution = averages(ensemble, names, enough)
        if problem.words:
            _add_words(ensemble, problem.words, solution)
        solution.attrs["noise_step"] = simulate.step
        if self.keep_trajectories:
            kept_trajectories(ensemble, solution, self.kept)
        self.finish(problem, ensemble, solution)
        return solution


Options = TypeVar("Options", bound=Sampled)


class Simulator(ABC, Generic[Options]):
    """Runs trajectory i of a problem; what all trajectories share is computed once.

    Args:
        problem: what is solved.
        options: how.
        step: the longest noise step.

    Attributes:
        steps: lengths of the noise steps, which end at the problem's times and where a rate or its slope jumps.
        hits: for the start and each step's end the index of the time it hits, or −1.
        hint: what to try when a trajectory stops.
    """

    hint: ClassVar[str] = "Try a smaller step."

    def __init__(self, problem: Problem, options: Options, step: float) -> None:
        self.problem, self.options, self.step = problem, options, step
        self.steps, self.hits = noise_steps(problem.times, step, problem.system.kinks(float(problem.times[-1])))

    @abstractmethod
    def prepare(self) -> None:
        """Compile what a trajectory needs, by one that ends where it starts."""

    @abstractmethod
    def __call__(self, index: int) -> Sample:
        """Trajectory ``index``, start to end; its ``averaged`` are ``channels``, shape (times, channels).

        With several spins and modes, or a system of one each, it may be (times, spins, modes, channels).
        """

    def pilot(self) -> Pilot | None:
        """What decides by the first trajectories how the others are run; nothing by default."""
        return None

    def stream(self, index: int) -> np.random.Generator:
        """The random numbers of trajectory ``index``."""
        return stream(self.options.seed, index, self.options.point)

    def which(self, index: int) -> str:
        """What trajectory ``index`` is called in messages."""
        return f"trajectory {index} of seed {self.options.seed}"

    def stopped(self, index: int, step: int, reason: Exception) -> TrajectoryError:
        """The error of trajectory ``index`` that stopped in a noise step."""
        where = f"{self.which(index)} stopped at time {float(self.steps[:step].sum()):g}: {reason}"
        return TrajectoryError(f"{where} (model {self.problem.given.json()}). {self.hint}")


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
    values, sem = from_channels(names, moments.mean), from_channels(names, moments.sem, errors=True)
    if moments.mean.ndim == 4:
        values, sem = of_parts(values), of_parts(sem)
    solution = Solution(values, sem, attrs=attrs | ensemble.peaks | ensemble.sums)
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
    dims = ("batch", "time", *("spin", "mode")[: means.ndim - 3], "channel")
    solution.extra["batch_means"] = (dims, means, {"definition": about, "units": "1"})
    solution.extra["batch_size"] = (("batch",), sizes, {"definition": "trajectories in the batch", "units": "1"})
    about = "Hermitian parts of the variables, from which all of them follow"
    solution.coords["channel"] = (("channel",), np.array(CHANNELS), {"definition": about})


def words_averaged(means: NDArray[np.complex128]) -> dict[str, NDArray[np.float64]]:
    """What a sample says of the words' means, (times, words): real and imaginary parts; nothing if there are none."""
    return {"words": np.stack([means.real, means.imag], axis=-1)} if means.size else {}


def _add_words(ensemble: Ensemble, words: tuple[Word, ...], solution: Solution) -> None:
    """Means, standard errors and means over batches of the words."""
    moments = ensemble.moments("words")
    for at, word in enumerate(words):
        solution.values[word.name] = moments.mean[:, at] @ (1, 1j)
        solution.sem[word.name] = moments.sem[:, at] @ (1, 1j)
    means = np.array([batch.mean for batch in ensemble.filled("words")]) @ (1, 1j)
    about = "mean of a word over the trajectories of one batch, as in batch_means"
    solution.extra["word_batch_means"] = (("batch", "time", "word"), means, {"definition": about, "units": "1"})
    names = np.array([word.name for word in words])
    solution.coords["word"] = (("word",), names, {"definition": "products of operators that were asked for"})


def kept_trajectories(ensemble: Ensemble, solution: Solution, names: Mapping[str, str]) -> None:
    """Add the trajectories that were kept to ``solution``: ``names`` maps each to its definition.

    Those of several spins and modes have an axis for that: S... of spins, all others of modes.
    """
    name_trajectories(ensemble, solution)
    for name, definition in names.items():
        values = np.array(ensemble.kept[name])
        part = ("spin" if name.startswith("S") else "mode",)[: values.ndim - 2]
        solution.extra[name] = (("trajectory", "time", *part), values, {"definition": definition, "units": "1"})


def point_kept(spins: NDArray[np.float64], a: NDArray[np.complex128]) -> dict[str, NDArray[Any]]:
    """What a sample keeps of a trajectory's spins (..., 3) and fields, by the names of :data:`MEANS_KEPT`."""
    return {f"S{axis}_trajectory": spins[..., i].copy() for i, axis in enumerate("xyz")} | {"a_trajectory": a}


def name_trajectories(ensemble: Ensemble, solution: Solution) -> None:
    """Label the dimension ``trajectory`` with the indices of the random streams."""
    solution.coords["trajectory"] = (("trajectory",), np.array(ensemble.indices), {"definition": "index of the stream"})


def kept_rows(times: NDArray[np.float64], wanted: tuple[float, ...]) -> NDArray[np.intp]:
    """Where the times of ``keep_states`` stand among the solve's times."""
    return checks.among("keep_states", wanted, times, "the solve's times") if wanted else np.empty(0, dtype=np.intp)


def kept_steps(times: NDArray[np.float64], hits: NDArray[np.int64], wanted: tuple[float, ...]) -> list[int]:
    """The steps after which states are kept at the times ``wanted``, while a trajectory is carried along."""
    steps = [int(np.flatnonzero(hits == row)[0]) for row in kept_rows(times, wanted)]
    if steps != sorted(set(steps)):
        raise checks.refuse("keep_states", "strictly increasing times", wanted)
    return steps


def state_time(times: NDArray[np.float64]) -> tuple[tuple[str], NDArray[np.float64], dict[str, str]]:
    """The coordinate of the states kept: some of the solve's times, to the last bit, so that ``sel`` finds them."""
    about = "times of keep_states, some of those of the dimension time; <name>.sel(time=state_time) is a variable there"
    return ("state_time",), times, {"definition": about, "units": "1 / (unit of the model's rates)"}


def kept_matrices(solution: Solution, times: NDArray[np.float64], states: Sequence[NDArray[np.complex128]]) -> None:
    """Add the density matrices of the spin kept at ``times``, of methods that have them."""
    solution.extra["rho_spin"] = (("state_time", "n", "n_prime"), np.array(states), RHO_SPIN)
    solution.coords["state_time"] = state_time(times)


def kept_states(ensemble: Ensemble, solution: Solution, times: NDArray[np.float64]) -> None:
    """Add the spin states kept at ``times``, each on the Dicke states along the third axis of its own frame."""
    name_trajectories(ensemble, solution)
    solution.coords["state_time"] = state_time(times)
    psi = {"definition": "amplitude of psi on |j, m = j - n> along the third row of psi_frame", "units": "1"}
    frame = {"definition": "axes e1, e2, e3 (rows) of the frame of psi", "units": "1"}
    dims = ("trajectory", "state_time")
    solution.extra["psi"] = ((*dims, "n"), stack_padded(ensemble.kept["psi"]), psi)
    solution.extra["psi_frame"] = ((*dims, "axis", "component"), np.array(ensemble.kept["psi_frame"]), frame)
