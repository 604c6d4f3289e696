"""What every folder may import: texts, results, targets, batches, the protocols of a model, errors."""
