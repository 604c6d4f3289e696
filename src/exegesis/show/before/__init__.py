"""The former pictures and pages of results, until each kind has a document."""
