"""Which words alone does a decision rest on? A model's own rationale, or one that any method's scores make."""
