"""Classifiers that select the words that they read: networks, encoders, and a selector for each paper."""
