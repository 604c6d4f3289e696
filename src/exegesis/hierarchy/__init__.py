"""Which phrases? Tags, the nested levels of a text, and trees of phrases: joined from below, cut, or given."""

from exegesis.core.folders import share_name

share_name(__name__)
