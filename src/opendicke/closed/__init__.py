"""Closed systems: the levels of the Hamiltonian, what its ground state is, and how levels are spaced."""
