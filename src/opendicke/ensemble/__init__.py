"""Many trajectories: streams, mergeable moments, executors."""
