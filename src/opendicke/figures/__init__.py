"""One file a figure of the paper: parameters, run, plot, check."""
