"""Documents of what goes on inside a network."""
