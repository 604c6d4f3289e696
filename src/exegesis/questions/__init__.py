"""Questions, one folder each; every method is a file."""
