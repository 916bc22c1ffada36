"""Whether nuHOPS with Gaussian copies is exact: 32 random models of 1 to 14 atoms against the master equation.

All variables at four times, as in ``tests/test_nuhops.py``: Hotelling's T² along the eigenvectors of the correlation
matrix. Each model is also solved by mistaken versions of the estimator, made of the same trajectories and copies.
"""

from __future__ import annotations

from collections.abc import Callable

from scipy import stats
from tests.control_cases import Trajectories, Values
from tests.random_models import FURTHER, MODELS, TIMES, further_case, random_case
from tests.zscores import channels_of, compare

import opendicke as od
from benchmarks.timing import table
from opendicke.problem import Problem

COUNT = 800


def cases() -> list[tuple[od.DickeModel, od.SpinCoherent]]:
    """The models of the tests, and further ones."""
    return [random_case(number) for number in range(MODELS)] + [further_case(number) for number in range(FURTHER)]


VERSIONS: dict[str, Callable[[Trajectories], Values]] = {
    "plain": lambda found: found.plain,
    "with copies": Trajectories.right,
    "copies on another path": Trajectories.other_path,
    "others run once": Trajectories.same_others,
    "slopes of their own four pairs": Trajectories.own_slopes,
}


def run() -> None:
    """Probabilities of each version's T², and of the 32 to be uniform; a few minutes."""
    kept: dict[str, list[float]] = {name: [] for name in VERSIONS}
    rows, worst = [], 1.0
    for number, (model, state) in enumerate(cases()):
        exact = channels_of(od.solve(model, state, TIMES, od.Lindblad(), progress=False))
        found = Trajectories(Problem(model, state, TIMES), 1000 + number, COUNT)
        for name, version in VERSIONS.items():
            comparison = compare(version(found), exact)
            kept[name].append(comparison.chances[0])
            if name == "with copies":
                worst = min(worst, comparison.chances[1])
        lost = 100 * (1 - found.copy[..., -1].min(axis=1).mean())
        about = f"{model.n_atoms}", f"{found.revision.copies}", f"{lost:.0f} %", f"{found.reduction():.2g}"
        rows.append((number, *about, *(f"{kept[name][-1]:.2g}" for name in VERSIONS)))
        print(*rows[-1], flush=True)
    table(("model", "N", "copies", "given up", "variance over", *VERSIONS), rows)
    print()
    told = []
    for name, chances in kept.items():
        uniform = stats.kstest(chances, "uniform").pvalue
        below = sum(one < 1e-4 for one in chances)
        told.append((name, f"{min(chances):.2g}", f"{uniform:.2g}", f"{below} of {len(chances)}"))
    table(("version", "least probability", "of the 32 to be uniform", "rejected at 1e-4"), told)
    print(f"\nleast probability of the largest single deviation, with copies: {worst:.2g}")


if __name__ == "__main__":
    run()
