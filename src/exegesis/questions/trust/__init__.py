"""Trust in explanations: measures of explanations, each beside its controls."""
