"""What a method is handed and what it hands back: plain data, no behaviour."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from opendicke.model import DickeModel, Model, pair_of
from opendicke.states import OneSpin, State, one_of
from opendicke.system import System, as_system
from opendicke.words import Word

Item = TypeVar("Item")
Result = TypeVar("Result")


@dataclass(frozen=True)
class Problem:
    """A model, an initial state at t = 0 and the times (strictly increasing, >= 0) at which answers are wanted.

    ``words`` are wanted beside the catalogue's variables, by methods that answer them (``check_words``).

    A method that takes several spins and modes reads ``system`` and ``start``, one that takes one of each reads
    ``model`` and ``state``.
    """

    given: Model
    start: State
    times: NDArray[np.float64]
    words: tuple[Word, ...] = ()

    @property
    def system(self) -> System:
        """What is to be solved, as spins, modes and couplings."""
        return as_system(self.given)

    @functools.cached_property
    def model(self) -> DickeModel:
        """The same as one spin and one mode; refused where there are several."""
        return pair_of(self.given)

    @property
    def state(self) -> OneSpin:
        """The initial state as one of one spin and one mode; refused where it is one of several."""
        return one_of(self.start)


class Executor(Protocol):
    """Who runs the work. ``map`` yields ``function(item)`` in the order of ``items``; it changes no number."""

    def map(self, function: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
        """Apply ``function`` to every item and yield the results in order."""
        ...


class Progress(Protocol):
    """A progress meter: told how much there is, how much is done, and what is worth showing beside it."""

    def start(self, total: int, unit: str, label: str) -> None:
        """Announce ``total`` pieces of work."""
        ...

    def advance(self, amount: int, **notes: Any) -> None:
        """Say that ``amount`` more pieces are done."""
        ...

    def close(self) -> None:
        """No more is coming."""
        ...


@dataclass
class Solution:
    """The numbers of one method on one problem, before they are labelled.

    ``values`` and ``sem`` map variable names of the catalogue to arrays of shape (times,), and with several spins or
    modes of shape (times, spins), (times, modes) or (times, spins, modes), as the variable's ``dims`` say; names of
    the problem's words likewise to complex arrays of shape (times,). A complex
    variable's ``sem`` is complex: its real and imaginary parts are the standard errors of the two parts.
    ``extra`` maps further names to (dimensions, array, attrs); ``coords`` likewise; ``attrs`` is provenance.
    """

    values: dict[str, NDArray[Any]]
    sem: dict[str, NDArray[Any]] = field(default_factory=dict)
    extra: dict[str, tuple[tuple[str, ...], NDArray[Any], dict[str, Any]]] = field(default_factory=dict)
    coords: dict[str, tuple[tuple[str, ...], NDArray[Any], dict[str, Any]]] = field(default_factory=dict)
    attrs: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Limits:
    """What a method can do with a model, and about what it costs, known without running it.

    Estimates are for one core of a 2020s server and a state that superradiates; expect them right within a factor of
    3. They are for planning: ``run`` decides by what it meets.

    Attributes:
        possible: whether the method takes this model with its options.
        exact: whether its only errors are statistics and tolerances that can be lowered.
        reason: why not, or what is neglected; one sentence.
        memory_bytes: memory at one time, per worker where there are several.
        seconds: time of one core per unit of the model's time, and per trajectory where there are trajectories.
    """

    possible: bool
    exact: bool
    reason: str
    memory_bytes: float
    seconds: float


class Method(Protocol):
    """How a problem is solved: a frozen dataclass that holds the options of one method, and runs it."""

    def limits(self, model: Model) -> Limits:
        """Whether and why the method can solve ``model`` or not, and what it costs."""
        ...

    def run(self, problem: Problem, names: tuple[str, ...], executor: Executor, progress: Progress) -> Solution:
        """Solve ``problem`` for the variables ``names`` (all in the catalogue)."""
        ...
