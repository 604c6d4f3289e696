"""Models that show their reasons, put to the test: selected words, written explanations, concepts of their own."""
