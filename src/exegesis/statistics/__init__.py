"""Intervals, tests and agreement over texts."""
