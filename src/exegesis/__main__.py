"""``python -m exegesis``: the command line."""

from exegesis.cli import main

if __name__ == "__main__":
    main()
