"""Views: Hugging Face models of other tasks as classifiers of texts, one task a file."""
