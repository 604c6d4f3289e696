"""Which phrases? Part-of-speech tags, and the nested levels of a text: words, phrases, clauses, the whole."""
