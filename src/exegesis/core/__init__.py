"""What every folder may use: texts, errors, files, plain values, progress."""
