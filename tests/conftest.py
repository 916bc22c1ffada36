"""Settings shared by all tests; they must stand before the first import of numpy or numba."""

import os

from threadpoolctl import threadpool_limits

# Two test processes share two cores: BLAS threads would only compete with them.
for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(variable, "1")
# A plugin of pytest may have loaded numpy before this file, as zarr's does: what is loaded is told directly.
threadpool_limits(int(os.environ["OPENBLAS_NUM_THREADS"]), user_api="blas")
os.environ.setdefault("MPLBACKEND", "Agg")
