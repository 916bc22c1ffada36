"""The master equation: operators, generators and evolutions of density matrices, for methods and steady states."""
