"""The tests compute with what their settings say, whichever plugin of pytest loaded numpy first."""

import os

import scipy.linalg
from threadpoolctl import threadpool_info


def test_blas_takes_no_more_threads_than_asked() -> None:
    assert scipy.linalg.norm([3.0, 4.0]) == 5.0  # loads SciPy's own BLAS
    found = {pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"}
    assert max(found) <= int(os.environ["OPENBLAS_NUM_THREADS"])
