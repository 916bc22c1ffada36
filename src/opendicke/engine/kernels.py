"""Which kernels the engine uses: explicit SIMD, or plain loops where that is unavailable or unwanted.

Set the environment variable ``OPENDICKE_KERNELS=portable`` before the import to force the plain loops.
"""

from __future__ import annotations

from opendicke.engine.compile import PORTABLE

if PORTABLE:
    from opendicke.engine.portable import chebyshev_term, column_peak, level_peak, mean_spin, stage_gap, sweep
else:
    from opendicke.engine.generator import sweep
    from opendicke.engine.reductions import chebyshev_term, column_peak, level_peak, mean_spin, stage_gap

__all__ = ["chebyshev_term", "column_peak", "level_peak", "mean_spin", "stage_gap", "sweep"]
