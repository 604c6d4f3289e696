"""Which phrases, and what do they do together? Nested levels of a text, trees of phrases, interactions."""
