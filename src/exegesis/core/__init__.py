"""The foundation of all folders: texts, errors, files, plain values, progress."""
