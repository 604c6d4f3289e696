"""Classifiers that decide through concepts: an excerpt of the text for each, its presence, a sum of contributions."""
