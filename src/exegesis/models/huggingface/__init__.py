"""Hugging Face's sequence classifiers with their tokenizers: words over pieces, vectors in place of lookups."""
