"""Documents in a terminal."""
