"""What follows from the means of observables: error bars from batches, squeezing, covariances, photon statistics."""
