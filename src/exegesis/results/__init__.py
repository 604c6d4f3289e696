"""Results: the answers to questions, as values that can be compared, saved and read."""
