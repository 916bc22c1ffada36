"""Numbers only: noise, frame, generator, window, trajectory. The only compiled code."""
