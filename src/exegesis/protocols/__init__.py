"""What a question may ask of a model: abilities, batches, targets, passes and places."""
