"""Settings shared by all tests; they must stand before the first import of numpy or numba."""

import os

# Two test processes share two cores: BLAS threads would only compete with them.
for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(variable, "1")
os.environ.setdefault("MPLBACKEND", "Agg")
