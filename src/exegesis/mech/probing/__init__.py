"""Probes: what can be read off hidden states by classifiers, by distances, and in how many bits."""
