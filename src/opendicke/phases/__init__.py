"""What follows from mean field: fixed points, attractors, phases, Gaussian fluctuations."""
