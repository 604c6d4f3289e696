"""Language models that draw words for a context: the bundled one, counts of a corpus, Hugging Face's masked ones."""
