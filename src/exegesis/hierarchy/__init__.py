"""Which phrases? Part-of-speech tags, and the nested levels of a text: words, phrases, clauses, the whole."""

from exegesis.core.folders import share_name

share_name(__name__)
