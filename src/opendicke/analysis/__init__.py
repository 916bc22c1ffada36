"""What mean-field and Gaussian theory say of a model: numbers and Datasets, no figures."""
