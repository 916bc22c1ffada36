"""The master equation of several spins and modes, with complex couplings and squeezed light."""

import numpy as np

import opendicke as od


def test_a_system_of_one_pair_has_the_dimensions_of_a_system() -> None:
    model = od.DickeModel(n_atoms=2, omega_a=1.0, omega_c=1.2, kappa=0.7, g_minus=0.9, g_plus=0.5)
    arguments = (od.SpinCoherent(0.4), [0.0, 1.0], od.NuHOPS(trajectories=2, seed=1))
    answer, plain = (od.solve(one, *arguments, progress=False) for one in (model.system, model))
    for name, dims in {"Sz": ("spin",), "a_sem": ("mode",), "Sx_a": ("spin", "mode")}.items():
        assert answer[name].dims == ("time", *dims)
        assert plain[name].dims == ("time",)
        np.testing.assert_array_equal(answer[name].values.ravel(), plain[name])
    assert answer.spin.values.tolist() == answer.mode.values.tolist() == [0]
    assert "mode" not in od.solve(model.system, *arguments, ["Sz"], progress=False).dims
