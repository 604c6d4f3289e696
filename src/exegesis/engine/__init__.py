"""From texts and a question to results: the one run that all questions share."""
