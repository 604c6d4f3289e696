"""Concepts: sets of words that share an attribute, from files."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path

from exegesis.core.containers import shown
from exegesis.core.errors import FileError, UsageError
from exegesis.data.encodings import decode

ENDINGS = (".txt", ".lst")
COMMENTS = (";", "#")
Concepts = Mapping[str, tuple[str, ...]]


def read_concepts(source: object, *, whole: bool = False) -> Concepts:
    """The words of each concept, by its name, each once.

    ``source`` is a mapping from names to words, a file, a folder of ``.txt`` files, or a list of files; a concept of a
    file has the name of the file without its ending. A file has a word a line: a plain list (Hu & Liu's, with lines of
    comments that begin with ``;`` or ``#``), or an index in the form of WordNet's, whose lines of licence begin with
    blanks, whose words end at the first blank, and whose phrases, written with underscores, are left out. With
    ``whole``, a line of a file is one example as it stands, such as a sentence, but for blank lines and comments.

    Raises FileError for a file that cannot be read, UsageError if a concept has no words or there is none.
    """
    if isinstance(source, Mapping):
        found = {str(name): tuple(dict.fromkeys(map(str, words))) for name, words in source.items()}
    else:
        given = [source] if isinstance(source, str | os.PathLike) else source
        if not isinstance(given, Iterable):
            raise UsageError(f"concepts are words by name, files or a folder, not {shown(source)}")
        found = {}
        for path in (path for entry in given for path in _files(Path(os.fspath(entry)))):
            if path.stem in found:
                raise UsageError(f"two files name the concept {path.stem!r}; leave one out, or rename it")
            found[path.stem] = _words(path, whole)
    if not found:
        raise UsageError("there is no concept; give a mapping of names to words, or files")
    for name, words in found.items():
        if not words:
            raise UsageError(f"the concept {name!r} has no words; give at least one")
    return found


def _files(path: Path) -> list[Path]:
    if not path.is_dir():
        return [path]
    files = sorted(entry for entry in path.iterdir() if entry.suffix in ENDINGS)
    if not files:
        raise FileError(f"{path}: holds no {' or '.join(ENDINGS)} file; give one for each concept")
    return files


def _words(path: Path, whole: bool) -> tuple[str, ...]:
    words = dict[str, None]()
    for line in decode(path).splitlines():
        if not line.strip() or line.startswith(COMMENTS if whole else (*COMMENTS, "  ")):
            continue
        if whole:
            words[line.strip()] = None
            continue
        word = line.split()[0]
        if "_" not in word:
            words[word] = None
    return tuple(words)
