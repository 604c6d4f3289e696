"""What a model says of a text with parts removed; each perturbed text runs once."""
