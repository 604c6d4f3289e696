"""Directions of concepts in hidden states, and the slope of an output along them."""
