"""What follows from answers and from models: numbers and Datasets, no pictures.

Every module is there after ``import opendicke as od`` and loaded when it is first used:
``od.analysis.squeezing.squeezing(answer)``.
"""

from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules
from types import ModuleType

from opendicke.places import place_of


def __getattr__(name: str) -> ModuleType:
    if name not in __dir__():
        place = place_of(name)
        hint = f" Did you mean: {place}" if place else ""
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}; it has {', '.join(__dir__())}.{hint}")
    return import_module(f"{__name__}.{name}")


def __dir__() -> list[str]:
    return sorted(module.name for module in iter_modules(__path__))
