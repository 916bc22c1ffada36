"""Pictures: Dataset and Axes in, Axes out. Nothing here computes physics, and nothing is shown on a screen."""
