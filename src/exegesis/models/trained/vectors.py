"""Word vectors from text files: GloVe's format, and word2vec's with its header line."""

from __future__ import annotations

from collections.abc import Container, Iterable
from pathlib import Path

import numpy as np
from jaxtyping import Float32

from exegesis.core.errors import FileError

Vectors = dict[str, Float32[np.ndarray, " d"]]


def read_vectors(path: Path, words: Container[str]) -> tuple[int, Vectors]:
    """The width of the vectors in a file, and the vectors of those of ``words`` that it has.

    Each line is a word and its numbers, separated by spaces; a first line of just two whole numbers is word2vec's
    header. A word may contain spaces; the first of two equal words counts. Raises FileError for a file that cannot be
    read, a line of another width, or a number that is not finite.
    """
    try:
        with path.open(encoding="utf-8", errors="replace", newline="\n") as lines:
            return _read(path, lines, words)
    except OSError as error:
        raise FileError(f"{path}: cannot be read ({error.strerror or error}); check the path") from None


def _read(path: Path, lines: Iterable[str], words: Container[str]) -> tuple[int, Vectors]:
    width = 0
    vectors: Vectors = {}
    for n, line in enumerate(lines, 1):
        cells = line.rstrip().split(" ")
        if n == 1 and len(cells) == 2 and all(cell.isdecimal() and len(cell) < 20 for cell in cells):
            width = int(cells[1])
            continue
        if not line.strip():
            continue
        width = width or len(cells) - 1
        if width < 1 or len(cells) <= width:
            raise FileError(f"{path}, line {n}: {len(cells) - 1} numbers where {width or 'some'} are expected")
        word = " ".join(cells[:-width])
        if word in words and word not in vectors:
            vectors[word] = _numbers(path, n, cells[-width:])
    if not width:
        raise FileError(f"{path}: holds no vectors; give a file in GloVe's or word2vec's text format")
    return width, vectors


def _numbers(path: Path, line: int, cells: list[str]) -> Float32[np.ndarray, " d"]:
    try:
        with np.errstate(over="ignore"):  # a number beyond float32 is infinite, and refused below
            vector = np.array([float(cell) for cell in cells], dtype=np.float32)
    except ValueError:
        raise FileError(f"{path}, line {line}: a word and its numbers are expected; mend this line") from None
    if not np.isfinite(vector).all():
        raise FileError(f"{path}, line {line}: a number is not finite; mend this line")
    return vector
