"""The stages of one time step, by the number that the kernels are told."""

FIRST, SECOND, THIRD, LAST = 0, 1, 2, 3
