"""A part of a file of examples, drawn with seed 0: rows, or sentences between blank lines.

    python experiments/transformers/part.py FILE COUNT OUT [--header]

A file with the ending .conllu, or with blank lines in it, is drawn by sentences. With ``--header`` its first row stays
the first.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path)
    parser.add_argument("count", type=int)
    parser.add_argument("out", type=Path)
    parser.add_argument("--header", action="store_true")
    options = parser.parse_args()
    text = options.file.read_text("utf-8-sig").strip("\n")
    between = "\n\n" if "\n\n" in text else "\n"
    head, text = text.split("\n", 1) if options.header else ("", text)
    parts = text.split(between)
    drawn = sorted(np.random.default_rng(0).permutation(len(parts))[: options.count].tolist())
    chosen = between.join(parts[number] for number in drawn)
    options.out.write_text(f"{head}\n{chosen}\n" if options.header else f"{chosen}\n", "utf-8")


if __name__ == "__main__":
    main()
