"""What follows from the states of the spin: its mixture, Q function, entanglement, Fisher information."""
