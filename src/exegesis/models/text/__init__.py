"""Tokenizer, vocabulary and reader of models that bring no tokenizer of their own."""
