"""Gradients of single examples to the weights, and products with the (inverse) curvature of the training loss."""
