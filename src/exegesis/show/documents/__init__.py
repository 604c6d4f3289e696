"""The documents: one file per kind of result, without any medium."""
