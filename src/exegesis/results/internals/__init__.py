"""Results about the inside of a network: attention, gates, heads, states, and what these hold of words."""
