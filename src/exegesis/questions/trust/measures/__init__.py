"""Measures of explanations, one file per family."""
