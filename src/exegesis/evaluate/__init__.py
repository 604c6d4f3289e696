"""How far can this explanation be trusted? Measures of explanations, each beside its controls."""
