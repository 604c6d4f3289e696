"""Examples and tables from files."""
