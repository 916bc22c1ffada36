"""Every analysis is reached from ``import opendicke as od``, and none is loaded before it is asked for."""

import subprocess
import sys

import pytest

import opendicke as od


def test_modules_are_attributes() -> None:
    model = od.DickeModel(n_atoms=4, omega_a=1.0, omega_c=1.0, kappa=1.0, g_minus=1.0, g_plus=0.5)
    answer = od.solve(model, od.Normal(), [0.0, 0.5], od.Cumulants(), progress=False)
    assert od.analysis.squeezing.squeezing(answer).xi2[0] == pytest.approx(1.0)
    assert {"correlations", "fisher", "husimi", "negativity", "spin_states", "tunnelling"} <= set(dir(od.analysis))
    with pytest.raises(AttributeError, match="no attribute 'squeezed'; it has correlations"):
        _ = od.analysis.squeezed


def test_modules_are_loaded_when_they_are_used() -> None:
    program = (
        "import sys, opendicke as od; assert 'opendicke.spin.negativity' not in sys.modules; od.analysis.negativity"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
