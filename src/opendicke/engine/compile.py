"""How the engine is compiled: once, cached on disk, without the GIL, and never from stale code."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numba

#: Reassociation and fused multiply-adds, but NaN and infinity keep their meaning: a trajectory must see them.
FLOATING_POINT = {"contract", "reassoc", "nsz", "arcp"}


#: Version of the engine's numbers, part of the key of stored results: to be raised whenever a change moves a
#: trajectory by more than rounding.
NUMERICS = 1

#: Whether plain loops replace explicit SIMD (see ``kernels``).
PORTABLE = os.environ.get("OPENDICKE_KERNELS", "simd") == "portable"


def _fingerprint() -> str:
    """A hash of all of the engine's sources and of the choice of kernels.

    numba renews a cached function when its own file changes, not when a file that it calls into does. With the
    fingerprint in the function's name, a change anywhere in the engine renews everything.
    """
    digest = hashlib.sha256(str(PORTABLE).encode())
    for path in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


FINGERPRINT = _fingerprint()


def compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compile a module-level function with numba's nopython mode, cached on disk, releasing the GIL."""
    return _compile(function, FLOATING_POINT)


def compiled_strictly(function: Callable[..., Any]) -> Callable[..., Any]:
    """Like ``compiled``, in the order of operations as written.

    For sums that LLVM may vectorise or not depending on where in memory the arrays lie: reassociated, their last digit
    would differ between threads.
    """
    return _compile(function, set())


def _compile(function: Callable[..., Any], floating_point: set[str]) -> Callable[..., Any]:
    function.__qualname__ += "_" + FINGERPRINT
    decorate = numba.njit(cache=True, nogil=True, fastmath=floating_point, error_model="numpy", boundscheck=False)
    result: Callable[..., Any] = decorate(function)
    return result
