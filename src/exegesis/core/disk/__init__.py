"""What lies on disk: files and folders written whole or not at all, and their checksums."""
