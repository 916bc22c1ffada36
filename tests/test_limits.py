"""What methods say of themselves in advance is what happens when they run."""

import time
import tracemalloc
from typing import Any

import numpy as np
import pytest

import opendicke as od

FIG1 = od.DickeModel.balanced(n_atoms=6, omega_a=1.0, omega_c=2.5, kappa=0.5, coupling=2.257432169523594)
BELOW = od.DickeModel.balanced(n_atoms=100, omega_a=1.0, omega_c=2.5, kappa=0.5, coupling=1.0)
TILTED = od.SpinCoherent(np.pi / 4, np.pi)
METHODS = [
    od.Lindblad(),
    od.HOPS(trajectories=8, depth=40),
    od.Eliminated(),
    od.NuHOPS(trajectories=30),
    od.MeanField(),
    od.Cumulants(),
    od.Cumulants(order=3),
    od.TruncatedWigner(trajectories=300),
    od.GaussianTrajectories(trajectories=300),
]


def kind(method: Any) -> str:
    return type(method).__name__ + str(getattr(method, "order", ""))


@pytest.mark.parametrize("method", METHODS, ids=kind)
def test_estimates_are_of_the_right_size(method: Any) -> None:
    """Within a factor of 10 in time: machines differ, and others may be at work on this one."""
    stop = 10.0
    # above threshold cumulants end unphysical, and Gaussian trajectories of few atoms come to no end
    model = BELOW if isinstance(method, od.Cumulants | od.GaussianTrajectories) else FIG1
    od.solve(model, TILTED, [0.1], method, executor=od.Serial())  # compiles
    began = time.process_time()
    od.solve(model, TILTED, [stop], method, ["Sz"], executor=od.Serial())
    seconds = time.process_time() - began
    limits = method.limits(model)
    assert limits.possible
    estimate = limits.seconds * stop * getattr(method, "trajectories", 1) + 0.02  # 0.02: around the work proper
    assert 0.1 < seconds / estimate < 10
    assert limits.reason.endswith(".")


def test_estimates_follow_the_unit_of_the_rates() -> None:
    """All rates times 7: a unit of time costs 7 times as much."""
    fast = FIG1.replace(omega_a=7.0, omega_c=17.5, kappa=3.5, g_minus=7 * FIG1.g_minus, g_plus=7 * FIG1.g_plus)
    for method in METHODS:
        assert method.limits(fast).seconds == pytest.approx(7 * method.limits(FIG1).seconds)
        assert method.limits(fast).memory_bytes == pytest.approx(method.limits(FIG1).memory_bytes)


def test_memory_of_the_master_equation() -> None:
    tracemalloc.start()
    od.solve(FIG1.replace(n_atoms=8), TILTED, [1.0], od.Lindblad(), ["Sz"])
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert 1 / 3 < peak / od.Lindblad().limits(FIG1.replace(n_atoms=8)).memory_bytes < 3


@pytest.mark.parametrize(
    "method", [od.Lindblad(), od.HOPS(trajectories=1, max_memory=1e-4), od.Lindblad(photons=70)], ids=repr
)
def test_what_is_impossible_is_refused_with_the_same_words(method: Any) -> None:
    large = FIG1.replace(n_atoms=200)
    limits = method.limits(large)
    assert not limits.possible
    assert "GiB" in limits.reason
    assert limits.memory_bytes > method.max_memory * 2**30
    with pytest.raises(ValueError, match=r"n_atoms: 200 atoms .* more than max_memory"):
        od.solve(large, TILTED, [5.0], method)
    assert method.limits(FIG1).possible


def test_costs_grow_with_n_where_they_should() -> None:
    large = FIG1.replace(n_atoms=20)
    for method in METHODS[:3]:
        assert method.limits(large).seconds > 2 * method.limits(FIG1).seconds
    million = FIG1.replace(n_atoms=10**6)
    for method in METHODS[3:]:
        assert method.limits(million).possible
        assert method.limits(million).seconds < 10 * method.limits(FIG1).seconds


def test_which_methods_are_exact() -> None:
    exact = [kind(method) for method in METHODS if method.limits(FIG1).exact]
    assert exact == ["Lindblad", "HOPS", "NuHOPS"]
    assert all("Neglects" in method.limits(FIG1).reason for method in METHODS if not method.limits(FIG1).exact)
