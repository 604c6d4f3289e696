"""Why did a language model answer so: every part of an answer, and the words or sources that made it."""
