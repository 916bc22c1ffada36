"""Arrays of different lengths, stacked."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def stack_padded(rows: list[NDArray[Any]]) -> NDArray[Any]:
    """Arrays that differ in the length of their last axis, stacked, with zeros at the end of the short ones.

    >>> stack_padded([np.array([1, 2]), np.array([3])])
    array([[1, 2],
           [3, 0]])
    >>> stack_padded([np.array([[1, 2], [3, 4]]), np.array([[5], [6]])])[1]
    array([[5, 0],
           [6, 0]])
    """
    longest = max(row.shape[-1] for row in rows)
    if all(row.shape[-1] == longest for row in rows):
        return np.array(rows)
    widths = [[(0, 0)] * (row.ndim - 1) + [(0, longest - row.shape[-1])] for row in rows]
    return np.array([np.pad(row, width) for row, width in zip(rows, widths, strict=True)])
