"""Documents of studies over a corpus."""
