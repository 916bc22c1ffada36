"""Parameters by name: constructors that say which parameters they have."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any, TypeVar

from opendicke import checks

Function = TypeVar("Function", bound=Callable[..., Any])
Class = TypeVar("Class", bound=type)

#: What people call a parameter that this model has under another name, or not at all, and what to do.
KNOWN_ELSEWHERE: dict[str, str] = {
    **dict.fromkeys(("N", "n", "natoms", "num_atoms", "n_spins"), "The number of atoms is n_atoms."),
    **dict.fromkeys(
        ("coupling", "g", "lam", "lambda_", "g_c"),
        "Pass g_minus and g_plus, or coupling to DickeModel.balanced or DickeModel.tavis_cummings.",
    ),
    **dict.fromkeys(("wc", "omega", "omega_0", "detuning", "delta_c"), "The cavity frequency is omega_c."),
    **dict.fromkeys(("wa", "omega_z", "omega_s", "w0"), "The atomic frequency is omega_a."),
    **dict.fromkeys(("eta", "Omega", "epsilon"), "A drive of the cavity is called drive, one of the atoms atom_drive."),
    **dict.fromkeys(("n_th", "nth", "temperature", "nbar"), "The photons of a thermal bath are n_thermal."),
    **dict.fromkeys(
        ("gamma", "gamma_down", "gamma_up", "gamma_phi", "emission", "dephasing", "pumping"),
        "Decay, dephasing and pumping of the atoms are not available: the cavity's loss kappa is the only one.",
    ),
}


def by_name(function: Function, called: str = "", skip: int = 1) -> Function:
    """``function``, which takes its parameters by name, with refusals that say which it has.

    Args:
        function: what is called; its first ``skip`` parameters (self, cls) are not the caller's.
        called: its name, as the caller knows it.
        skip: see above.
    """
    known = list(inspect.signature(function).parameters)[skip:]
    example = f"{called or function.__qualname__}({', '.join(f'{name}=…' for name in known)})"

    @functools.wraps(function)
    def checked(*arguments: Any, **parameters: Any) -> Any:
        if len(arguments) > skip:
            raise checks.refuse("arguments", "parameters by name", arguments[skip:], f"Write {example}.", TypeError)
        for name, value in parameters.items():
            if name not in known:
                hint = KNOWN_ELSEWHERE.get(name, "")
                raise checks.refuse(name, f"parameters out of {', '.join(known)}", value, hint, TypeError)
        return function(*arguments, **parameters)

    return checked  # type: ignore[return-value]


def made_by_name(kind: Class) -> Class:
    """A class whose constructor is :func:`by_name`."""
    kind.__init__ = by_name(kind.__init__, kind.__name__)  # type: ignore[misc]
    return kind
