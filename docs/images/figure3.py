"""Draw docs/images/figure3 and figure3b anew from what is stored in docs/data:  python docs/images/figure3.py

Panel (a) is not stored: its 192 trajectories are run again, a minute or two, and so are the exponents for N → ∞.
"""

from pathlib import Path

import xarray as xr

from opendicke.ensemble.executors import Serial
from opendicke.figures import figure3, figure3_picture
from opendicke.figures.bistable import TIMES, Runs
from opendicke.files import load
from opendicke.plots import style

here = Path(__file__).parent
data = here.parent / "data"
stored = load(data / "figure3-cut.nc")


def cut(n_atoms: int) -> xr.Dataset:
    """What was found on the cut with so many atoms."""
    one = stored.sel(n_atoms=n_atoms, drop=True).assign_attrs(n_atoms=n_atoms)
    return one.assign({name: one[name].expand_dims(time=[TIMES[-1]]) for name in one if str(name).startswith("p_")})


plan = figure3.FULL
datasets = {f"cut-n{n_atoms}": cut(n_atoms) for n_atoms in plan.n_atoms}
datasets["diagram"] = load(data / "figure3-diagram.nc")
datasets |= figure3.solve_limit(plan.positions)
early = TIMES[TIMES <= figure3.Q_TIME]
datasets |= figure3.solve_q(Runs(plan.q_trajectories, executor=Serial(), progress=False), times=early)
for name, plot in (("figure3", figure3_picture.plot), ("figure3b", figure3_picture.plot_phase_diagrams)):
    with style.paper():
        style.save(plot(datasets), here / name)
for statement in figure3.check(datasets):
    print(statement)
