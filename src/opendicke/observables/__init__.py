"""What can be asked of a trajectory or an ensemble."""
