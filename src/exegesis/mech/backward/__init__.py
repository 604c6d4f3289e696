"""A model run once with some torch functions replaced, so that the backward pass carries something else."""
