"""Attention weights of any torch module as it runs: seen, differentiated, changed, followed through layers."""
