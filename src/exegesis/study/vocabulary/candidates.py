"""Replacement candidates for a word: a user's list, neighbours of its vector, a language model."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float

from exegesis.core.disk.files import read_text
from exegesis.core.errors import FileError, UnsupportedError, UsageError
from exegesis.engine.answer import array
from exegesis.models.language_models.opening import open_language
from exegesis.models.trained.vectors import read_vectors
from exegesis.protocols.language import LanguageModel, fillings
from exegesis.protocols.model import Classifier, Differentiable, offers
from exegesis.study.corpus import normal

Synonyms = Mapping[str, Sequence[str]]
Vectors = Mapping[str, Float[np.ndarray, " d"]]
DRAWS = 100  # fillings drawn from a language model
SYNONYMS, NEIGHBOURS, LANGUAGE = "synonyms", "neighbours", "language model"


def read_synonyms(path: str | os.PathLike[str]) -> dict[str, list[str]]:
    """Read a list of synonyms: each line is a word, a colon or tab, and its synonyms separated by commas.

    Blank lines and lines that begin with # are skipped. Raises FileError for a line of any other form.
    """
    synonyms: dict[str, list[str]] = {}
    for number, line in enumerate(read_text(path).split("\n"), 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        word, sign, rest = line.partition("\t" if "\t" in line else ":")
        others = [part.strip() for part in rest.split(",") if part.strip()]
        if not sign or not word.strip() or not others:
            raise FileError(f"{path}, line {number}: write a word, a colon, and its synonyms with commas between them")
        synonyms.setdefault(normal(word.strip()), []).extend(others)
    return synonyms


def vectors_from(path: str | os.PathLike[str], words: Iterable[str]) -> Vectors:
    """Read the vectors of words from a file in the text format of GloVe or word2vec."""
    return read_vectors(Path(path), set(words))[1]


def own_vectors(model: Classifier, words: Sequence[str]) -> Vectors:
    """The model's own word vectors, averaged over the pieces of a word; unknown words are left out.

    Raises UnsupportedError if the model does not offer its word vectors.
    """
    if not offers(model, Differentiable):
        reason = getattr(model, "lacks", {}).get("Differentiable", "its word vectors are out of sight")
        raise UnsupportedError(
            f"neighbours need word vectors, but {reason}: give vectors, synonyms or a language model"
        )
    vectors: dict[str, Float[np.ndarray, " d"]] = {}
    unknown = model.tokens.get("unknown")
    texts = [(word, model.read(word)) for word in words]
    readable = [(w, t) for w, t in texts if t.words and not (unknown is not None and unknown in t.ids)]
    for start in range(0, len(readable), 1024):
        part = readable[start : start + 1024]
        batch = model.encode([text for _, text in part])
        with torch.no_grad():
            embeds = array(model.embed(batch))  # type: ignore[attr-defined]
        for row, (word, text) in enumerate(part):
            pieces = [piece for span in text.words for piece in range(*span)]
            vectors[word] = embeds[row, pieces].mean(0)
    return vectors


def nearest(word: str, vectors: Vectors, count: int) -> list[str]:
    """The ``count`` words with the most similar vectors (cosine), nearest first; empty if the word has no vector."""
    vector = vectors.get(word)
    if vector is None or not np.linalg.norm(vector):
        return []
    others = [name for name in vectors if name != word and np.linalg.norm(vectors[name])]
    if not others:
        return []
    matrix = np.stack([vectors[name] for name in others]).astype(np.float64)
    cosines = matrix @ vector / np.linalg.norm(matrix, axis=1) / np.linalg.norm(vector)
    return [others[i] for i in np.argsort(-cosines, kind="stable")[:count]]


def fitting(language: str | LanguageModel, words: Sequence[str], place: int, count: int, seed: int) -> list[str]:
    """The words that a language model draws most often at a position of a text; ties in the order drawn."""
    answers = fillings(open_language(language), [words], [[place]], DRAWS, seed)[0]
    ranked = Counter(filling[0] for filling in answers if any(map(str.isalpha, filling[0])))
    return [candidate for candidate, _ in ranked.most_common(count)]


def gathered(word: str, sources: Mapping[str, Sequence[str]], hint: str) -> dict[str, tuple[str, ...]]:
    """Candidates with the sources that name each of them, in order, without the word itself.

    Raises UsageError, naming the sources consulted and the ``hint``, if there are none.
    """
    candidates: dict[str, list[str]] = {}
    for source, words in sources.items():
        for candidate in words:
            if normal(candidate) != normal(word) and candidate.strip():
                candidates.setdefault(normal(candidate), []).append(source)
    if not candidates:
        looked = ", ".join(sources) or "no source was given"
        raise UsageError(f"no replacement for {word!r} was found ({looked}): {hint}")
    return {candidate: tuple(dict.fromkeys(names)) for candidate, names in candidates.items()}
