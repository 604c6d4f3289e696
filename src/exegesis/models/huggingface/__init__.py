"""Hugging Face's sequence classifiers with their tokenizers: words over pieces, vectors instead of lookups."""
