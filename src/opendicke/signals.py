r"""Rates that change in time: plain data that can be stored, compared and drawn, where a function could not.

Wherever a model takes a rate it takes a number or one of these. They are evaluated with ``signal(times)``.
"""

from __future__ import annotations

import cmath
import functools
import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from opendicke import checks

Values = NDArray[Any]


@dataclass(frozen=True)
class Ramp:
    r"""Straight lines between given values; constant before the first time and after the last.

    A time that stands twice is a step: the signal has the first value before it and the second from it on.

    Args:
        times: two or more times that do not decrease, none more than twice.
        values: as many values: real, or complex for a drive.

    Raises:
        ValueError, TypeError: for times or values that are not finite, not as many, or not in order.

    >>> Ramp((0.0, 10.0), (0.0, 1.0))([-1.0, 5.0, 20.0])
    array([0. , 0.5, 1. ])
    >>> Ramp((5.0, 5.0), (1.0, 2.0))([4.9, 5.0])  # a quench
    array([1., 2.])
    """

    KIND: ClassVar[str] = "ramp"

    times: tuple[float, ...]
    values: tuple[complex, ...]

    def __post_init__(self) -> None:
        times = checks.real_array("times", self.times)
        if times.size < 2 or (np.diff(times) < 0).any() or (times[2:] == times[:-2]).any():
            raise checks.refuse("times", "two or more times in order, each at most twice", self.times)
        _set_points(self, times)

    @property
    def kinks(self) -> tuple[float, ...]:
        """The times at which the signal or its slope jumps."""
        return tuple(sorted(set(self.times)))

    @property
    def rate(self) -> float:
        """How fast it moves between its kinks: not at all, as far as a step must resolve it."""
        return 0.0

    def __call__(self, times: ArrayLike) -> Values:
        """The values at ``times``."""
        t, (at, values) = np.asarray(times, dtype=float), self._points
        right = np.clip(np.searchsorted(at, t, side="right"), 1, at.size - 1)
        left = right - 1
        width = at[right] - at[left]
        part = np.clip(np.divide(t - at[left], width, out=np.where(t < at[left], 0.0, 1.0), where=width > 0), 0.0, 1.0)
        found: Values = values[left] * (1 - part) + values[right] * part
        return found

    def extremes(self) -> Values:
        """Values between which all others lie."""
        return np.array(self.values)

    @functools.cached_property
    def _points(self) -> tuple[NDArray[np.float64], Values]:
        """Times and values as arrays: integrators ask for one value at a time."""
        return np.array(self.times), np.array(self.values)


@dataclass(frozen=True)
class Sine:
    r"""A harmonic oscillation: mean + amplitude · sin(frequency · t + phase).

    Args:
        mean: the mean value, real, or complex for a drive.
        amplitude: likewise.
        frequency: angular frequency, > 0.
        phase: in radians.

    Raises:
        ValueError, TypeError: for a parameter that is not a finite number, or a frequency that is not > 0.

    >>> Sine(1.0, 0.5, frequency=np.pi)([0.0, 0.5])
    array([1. , 1.5])
    """

    KIND: ClassVar[str] = "sine"

    mean: complex
    amplitude: complex
    frequency: float
    phase: float = 0.0

    def __post_init__(self) -> None:
        for name in ("mean", "amplitude"):
            object.__setattr__(self, name, _number(name, getattr(self, name)))
        object.__setattr__(self, "frequency", checks.real("frequency", self.frequency, above=0.0))
        object.__setattr__(self, "phase", checks.real("phase", self.phase))

    @property
    def kinks(self) -> tuple[float, ...]:
        """None: it is smooth."""
        return ()

    @property
    def rate(self) -> float:
        """How fast it moves."""
        return self.frequency

    def __call__(self, times: ArrayLike) -> Values:
        """The values at ``times``."""
        phases = self.frequency * np.asarray(times, dtype=float) + self.phase
        found: Values = self.mean + self.amplitude * np.sin(phases)
        return found

    def extremes(self) -> Values:
        """Values between which all others lie."""
        return np.array([self.mean - self.amplitude, self.mean + self.amplitude])


@dataclass(frozen=True)
class Samples:
    r"""A smooth curve through given values: the cubic spline ("not-a-knot"), constant outside the times.

    Args:
        times: four or more strictly increasing times.
        values: as many values: real, or complex for a drive.

    Raises:
        ValueError, TypeError: for times or values that are not finite, not as many, or not in order.

    >>> times = np.linspace(0.0, 1.0, 11)
    >>> Samples(tuple(times), tuple(times**2))(0.55).round(6)
    np.float64(0.3025)
    """

    KIND: ClassVar[str] = "samples"

    times: tuple[float, ...]
    values: tuple[complex, ...]

    def __post_init__(self) -> None:
        times = checks.real_array("times", self.times)
        if times.size < 4 or (np.diff(times) <= 0).any():
            raise checks.refuse("times", "four or more strictly increasing times", self.times)
        _set_points(self, times)
        between = np.diff(times)
        if between.max() > MOST_UNEVEN * between.min():
            expected = f"times whose distances differ by no more than a factor of {MOST_UNEVEN:g}"
            raise checks.refuse("times", expected, self.times)

    @property
    def kinks(self) -> tuple[float, ...]:
        """The ends, where the curve stops moving."""
        return self.times[0], self.times[-1]

    @property
    def rate(self) -> float:
        """How fast it moves: one over the shortest distance of its times."""
        return 1 / float(np.diff(self.times).min())

    def __call__(self, times: ArrayLike) -> Values:
        """The values at ``times``."""
        found: Values = self._spline(np.clip(times, self.times[0], self.times[-1]))
        return found

    def extremes(self) -> Values:
        """Values between which all others lie."""
        values = np.array(self.values)
        if np.iscomplexobj(values):  # only their size is asked for, and a fine grid is enough for that
            return self(np.linspace(self.times[0], self.times[-1], 32 * len(self.times)))
        turns = self._spline.derivative().roots(extrapolate=False)
        return np.append(values, self(turns[np.isfinite(turns)]))

    @functools.cached_property
    def _spline(self) -> Any:
        from scipy.interpolate import CubicSpline  # slow to import

        return CubicSpline(self.times, self.values)


Signal = Ramp | Sine | Samples
#: Between distances that differ by more than this, rounding leaves nothing of a spline.
MOST_UNEVEN = 1e12
#: A signal that touches its minimum may fall below it by this part of its largest value.
ROUNDING = 1e-12
#: What to do about a spline that falls below a minimum that its points respect.
SWINGS = "A smooth curve swings beyond its points where they turn sharply: put them closer, or use a Ramp."
#: Kinks before this time are none. Later ones are at least 1e-16 of it apart, and a step's square is still a number.
FIRST_KINK = 1e-130
#: Every signal, by its kind.
SIGNALS: dict[str, Any] = {signal.KIND: signal for signal in (Ramp, Sine, Samples)}
if TYPE_CHECKING:
    # What needs a constant asks for one at run time (``model.check_model``); a checker cannot know.
    Rate = Any
    ComplexRate = Any
else:
    #: A real rate of a model, and a complex one.
    Rate = float | Signal
    ComplexRate = complex | Signal


def rate(name: str, value: Any, *, minimum: float = -checks.LARGEST, hint: str = "") -> Rate:
    """``value`` as a real rate: a plain float, or a signal that never falls below ``minimum``."""
    if not isinstance(value, Signal):
        return checks.rate(name, value, minimum=minimum, hint=hint)
    extremes = value.extremes()
    if np.iscomplexobj(extremes):
        raise checks.refuse(name, "a signal of real values", value, hint, TypeError)
    if (least := float(extremes.min())) < minimum - ROUNDING * float(np.abs(extremes).max()):
        hint = f"{SWINGS} {hint}" if isinstance(value, Samples) and np.array(value.values).min() >= minimum else hint
        raise checks.refuse(name, f"a signal that is nowhere below {minimum:g}", f"one that falls to {least:g}", hint)
    return value


def complex_rate(name: str, value: Any) -> ComplexRate:
    """``value`` as a complex rate: a plain complex number, or a signal."""
    if callable(value) and not isinstance(value, Signal):
        raise checks.refuse(name, "a complex number", value, checks.NO_FUNCTION, TypeError)
    return value if isinstance(value, Signal) else checks.complex_number(name, value)


def coupling(name: str, value: Any) -> ComplexRate:
    """``value`` as a complex rate that is a plain float, or a signal of floats, where it is real."""
    found = complex_rate(name, value)
    return found.real if isinstance(found, complex) and found.imag == 0 else found


def moves(value: ComplexRate) -> bool:
    """Whether a rate is a signal."""
    return isinstance(value, Signal)


def scaled(value: ComplexRate, factor: complex) -> ComplexRate:
    """A rate times a number."""
    if isinstance(value, Sine):
        return replace(value, mean=factor * value.mean, amplitude=factor * value.amplitude)
    if isinstance(value, Ramp | Samples):
        return type(value)(value.times, tuple(factor * one for one in value.values))
    return factor * value


def parts(value: ComplexRate) -> Values:
    """The numbers of which a rate is a real linear combination at any time."""
    if isinstance(value, Sine):
        return np.array([value.mean, value.amplitude])
    return np.array(value.values if isinstance(value, Ramp | Samples) else [value])


def phase(value: ComplexRate) -> float | None:
    """The phase in (−π/2, π/2] that a rate has at all times, up to its sign; None if it moves."""
    numbers = parts(value)
    largest = complex(numbers[np.argmax(np.abs(numbers))])
    if largest == 0 or not np.iscomplexobj(numbers):
        return 0.0
    found = math.remainder(math.atan2(largest.imag, largest.real), math.pi)
    along = numbers * cmath.exp(-1j * found)
    return found if np.abs(along.imag).max() <= ROUNDING * abs(largest) else None


def without_phase(value: ComplexRate, angle: float) -> Rate:
    """The real rate that ``value`` is up to its :func:`phase`."""
    turned = scaled(value, cmath.exp(-1j * angle))
    if isinstance(turned, Sine):
        return replace(turned, mean=complex(turned.mean).real, amplitude=complex(turned.amplitude).real)
    if isinstance(turned, Ramp | Samples):
        return replace(turned, values=tuple(complex(one).real for one in turned.values))
    return complex(turned).real


def evaluate(value: ComplexRate, times: ArrayLike) -> Values:
    """A rate at ``times``."""
    return value(times) if isinstance(value, Signal) else np.full(np.shape(times), value)


def largest(value: ComplexRate) -> float:
    """The largest modulus that a rate takes."""
    return float(np.abs(value.extremes()).max()) if isinstance(value, Signal) else abs(value)


def smallest(value: Rate) -> float:
    """The smallest value that a real rate takes."""
    return float(value.extremes().min()) if isinstance(value, Signal) else value


def jumps(value: ComplexRate) -> bool:
    """Whether a rate jumps."""
    times = getattr(value, "times", ())
    return len(set(times)) < len(times)


def kinks(rates: Iterable[ComplexRate], stop: float) -> tuple[float, ...]:
    """The times in (0, stop) at which one of the rates or its slope jumps, in order.

    Those before :data:`FIRST_KINK` are at 0: steps that end there would be too short to divide by.
    """
    found = {time for value in rates if isinstance(value, Signal) for time in value.kinks if FIRST_KINK < time < stop}
    return tuple(sorted(found))


def _set_points(signal: Any, times: NDArray[np.float64]) -> None:
    """Store times and values as plain tuples, the values real if all are."""
    between = np.diff(times)
    if ((between > 0) & (between < checks.SHORTEST)).any():
        raise checks.refuse("times", f"times at least {checks.SHORTEST:g} apart", signal.times)
    given = checks.number_array("values", signal.values, "iufc", "numbers")
    if given.shape != times.shape:
        raise checks.refuse("values", f"{times.size} numbers, as many as times", signal.values)
    values: list[Any] = [checks.complex_number("values", value) for value in given.tolist()]
    if not any(value.imag for value in values):
        values = [value.real for value in values]
    object.__setattr__(signal, "times", tuple((times + 0.0).tolist()))  # −0 becomes 0: equal signals have one key
    object.__setattr__(signal, "values", tuple(values))


def _number(name: str, value: Any) -> complex:
    """A plain float, or a plain complex number if it has an imaginary part: equal signals have one key."""
    number = checks.complex_number(name, value)
    return number if number.imag else number.real
