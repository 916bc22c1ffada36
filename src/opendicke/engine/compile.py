"""How the engine is compiled: once, cached on disk, without the GIL, never from stale code, always to the same code.

What Python calls is ``compiled`` into one closed piece of machine code, and everything that it calls in turn is
``inlined`` into it. Functions compiled apart are linked by name instead: the first copy that a process has compiled or
loaded is the one that runs, and two copies of one function, optimised beside different neighbours, may differ in the
order of a sum. Then the last digit of a trajectory depends on what else the process did before.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import logging
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numba
from numba.core import event
from numba.core.compiler import Flags
from numba.core.compiler_lock import global_compiler_lock
from numba.core.targetconfig import ConfigStack

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

#: Reassociation and fused multiply-adds, but NaN and infinity keep their meaning: a trajectory must see them.
FLOATING_POINT = {"contract", "reassoc", "nsz", "arcp"}


#: Version of the engine's numbers, part of the key of stored results: to be raised whenever a change moves a
#: trajectory by more than rounding.
NUMERICS = 1

#: Whether plain loops replace explicit SIMD (see ``kernels``).
PORTABLE = os.environ.get("OPENDICKE_KERNELS", "simd") == "portable"

#: From this version of Python on numba's helpers have to be told to be inlined.
HELPERS_STAY_APART = sys.version_info >= (3, 14)

log = logging.getLogger(__name__)


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
    """Compile a function that Python calls, in numba's nopython mode, cached on disk, releasing the GIL.

    It calls ``inlined`` functions only. It should return no arrays: numba makes a returned array with Python code, and
    a Ctrl-C that arrives there comes out as a SystemError.
    """
    return _entry(function, FLOATING_POINT)


def inlined(function: Callable[..., Any]) -> Callable[..., Any]:
    """Make a function a part of every compiled function that calls it; Python cannot call it (see ``from_python``)."""
    return _part(function, FLOATING_POINT)


def inlined_strictly(function: Callable[..., Any]) -> Callable[..., Any]:
    """Like ``inlined``, in the order of operations as written.

    For sums that LLVM may vectorise or not depending on where in memory the arrays lie: reassociated, their last digit
    would differ between threads.
    """
    return _part(function, set())


@functools.cache
def from_python(part: Any) -> Any:
    """An ``inlined`` function compiled by itself so that Python can call it, for tests and benchmarks."""
    return _entry(part.py_func, part.targetoptions["fastmath"])


def folder_of(entry: Any) -> Path | None:
    """Where a ``compiled`` function is kept; None if nowhere."""
    path = entry.stats.cache_path
    return Path(path) if path else None


#: All inlined functions.
_parts: list[Any] = []


def _part(function: Callable[..., Any], floating_point: set[str]) -> Callable[..., Any]:
    part: Callable[..., Any] = _decorate(floating_point, forceinline=True, no_cpython_wrapper=True)(function)
    _parts.append(part)
    return part


def _entry(function: Callable[..., Any], floating_point: set[str]) -> Callable[..., Any]:
    function.__qualname__ += "_" + FINGERPRINT
    entry = _decorate(floating_point)(function)
    try:
        entry.enable_caching()
    except RuntimeError as problem:  # there is no folder that numba may write to
        log.info("compiled code is not kept: %s", problem)
    entry.compile = functools.partial(_compile_alone, entry, entry.compile)
    return entry  # type: ignore[no-any-return]


def _decorate(floating_point: set[str], **options: bool) -> Any:
    njit: Any = numba.njit  # whose stubs lack some options
    return njit(
        nogil=True, fastmath=floating_point, error_model="numpy", boundscheck=False, no_cfunc_wrapper=True, **options
    )


def _compile_alone(entry: Any, compile_or_load: Callable[[Any], Any], signature: Any) -> Any:
    """Compile (or load from disk) as a fresh process would, whatever this process compiled before.

    numba keeps its own compiled helpers, such as the product of complex numbers, for all functions of a process, with
    the floating-point flags of the first that needed them. It also keeps the parts that were compiled into an earlier
    entry, with the helpers of that one: they are made anew.
    """
    context = entry.targetdescr.target_context
    with global_compiler_lock, _one_process(folder_of(entry)), _announced(entry), _inlined_helpers(context):
        others, context.cached_internal_func = context.cached_internal_func, {}
        _forget_parts()
        try:
            return compile_or_load(signature)
        except OSError as problem:  # a full disk, say: what is compiled is there, only not kept
            if tuple(signature) not in entry.overloads:
                raise
            log.warning("compiled code could not be kept: %s", problem)
            return entry.overloads[tuple(signature)].entry_point
        finally:
            context.cached_internal_func = others


@contextlib.contextmanager
def _inlined_helpers(context: Any) -> Iterator[None]:
    """Make numba's own helpers, too, a part of what calls them: from Python 3.14 on LLVM does not by itself.

    Where it does it is left to it: otherwise the last digits of trajectories would differ from what they were.
    """
    if not HELPERS_STAY_APART:
        yield
        return
    compile_helper = context._compile_subroutine_no_cache

    def compile_inlined(builder: Any, impl: Any, sig: Any, locals: Any = None, flags: Any = None) -> Any:
        if flags is None:  # those that numba takes, and one more
            flags, outer = Flags(), ConfigStack.top_or_none()  # type: ignore[no-untyped-call]
            if outer is not None and outer.is_set("nrt") and outer.nrt:
                flags.nrt = True
            flags.forceinline = True
        return compile_helper(builder, impl, sig, locals, flags)

    context._compile_subroutine_no_cache = compile_inlined
    try:
        yield
    finally:
        del context._compile_subroutine_no_cache


def _forget_parts() -> None:
    for part in _parts:
        part._make_finalizer()()
        part._reset_overloads()


@contextlib.contextmanager
def _one_process(folder: Path | None) -> Iterator[None]:
    """Let one process compile while others wait for what it leaves on disk.

    All would make the same code, so where no lock can be had they do. (numba's index of a function's compiled code,
    written by two processes at once, loses an entry, or gives the code of one signature to another.)
    """
    with contextlib.ExitStack() as stack:
        try:
            if folder is not None and fcntl is not None:
                fcntl.flock(stack.enter_context(open(folder / "opendicke.lock", "a")), fcntl.LOCK_EX)
        except OSError:
            log.info("no lock in %s: processes that start now may compile the same code beside each other", folder)
        yield


#: Who wants to know that compilation begins.
_listeners: list[Callable[[], None]] = []


@contextlib.contextmanager
def announcing(begins: Callable[[], None]) -> Iterator[None]:
    """Call ``begins``, once, before anything is compiled in here, by any thread. Loading from disk is silent."""
    _listeners.append(begins)
    try:
        yield
    finally:
        if begins in _listeners:
            _listeners.remove(begins)


class _Announcer(event.Listener):
    def __init__(self, entry: Any) -> None:
        self.entry = entry

    def on_start(self, event: Any) -> None:
        if event.data.get("dispatcher") is self.entry:
            while _listeners:
                _listeners.pop()()

    def on_end(self, event: Any) -> None:
        pass


def _announced(entry: Any) -> Any:
    return event.install_listener("numba:compile", _Announcer(entry))
