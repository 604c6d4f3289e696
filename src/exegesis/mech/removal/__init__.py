"""A model's outputs for texts with parts removed; each perturbed text runs once."""
