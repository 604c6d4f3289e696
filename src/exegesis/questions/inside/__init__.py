"""Questions about the inside of a model: the relevance of layers, steps and components."""
