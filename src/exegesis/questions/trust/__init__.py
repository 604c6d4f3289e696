"""How far can an answer be trusted? Measures of explanations, each beside its controls."""
