"""What the inside of networks knows, over a corpus: attention, heads, layers, concepts, probes."""
