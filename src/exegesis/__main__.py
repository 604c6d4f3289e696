"""``python -m exegesis``: the command line."""

from exegesis.cli import main

main()
