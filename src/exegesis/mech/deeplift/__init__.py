"""DeepLIFT: differences from a baseline, propagated by multipliers."""
