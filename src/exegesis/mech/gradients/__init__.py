"""Gradients at a text and along paths of word vectors."""
