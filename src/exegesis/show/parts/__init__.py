"""The parts of a document: a closed set, each of which every medium draws."""
