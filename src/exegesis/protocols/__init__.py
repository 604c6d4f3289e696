"""The protocols between questions and models: abilities, batches, targets, passes and language models."""
