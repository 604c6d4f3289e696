"""How far can this explanation be trusted? Measures of explanations, each beside its controls."""

from exegesis.core.folders import share_name

share_name(__name__)
