"""``exegesis study``: a command for each question about a corpus."""
