"""One folder per question; a method is one file."""
