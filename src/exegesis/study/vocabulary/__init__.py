"""What a model makes of single words over a corpus: classes, uses, and what others in their place would do."""
