"""Compile the engine before several test processes start, so that all of them load the same code from disk.

Processes that compile at the same time may inline differently, and then differ in the last digit.
"""

import opendicke as od

for g_plus in (1.0, 0.5):
    model = od.DickeModel(n_atoms=4, omega_a=1.0, omega_c=1.0, kappa=1.0, g_minus=1.0, g_plus=g_plus)
    for dtype in ("float64", "float32"):
        od.solve(model, od.Inverted(), [0.0, 0.5], od.NuHOPS(2, dtype=dtype), executor=od.Serial())
