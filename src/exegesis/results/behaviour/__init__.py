"""Results about a model over a corpus: words, faults, repairs, stores, reports."""
