"""Words that could stand in a word's place: a user's list, neighbours of its vector, a language model."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float

from exegesis.core.errors import FileError, UnsupportedError, UsageError
from exegesis.core.files import read_text
from exegesis.engine.run import array
from exegesis.models.trained.vectors import read_vectors
from exegesis.protocols.language import LanguageModel, fillings, language_named
from exegesis.protocols.model import Classifier, Differentiable, offers
from exegesis.study.texts import normal

Synonyms = Mapping[str, Sequence[str]]
Vectors = Mapping[str, Float[np.ndarray, " d"]]
DRAWS = 100  # fillings drawn of a language model
SYNONYMS, NEIGHBOURS, LANGUAGE = "synonyms", "neighbours", "language model"


def read_synonyms(path: str | os.PathLike[str]) -> dict[str, list[str]]:
    """A list of synonyms: a line is a word, a colon or tab, and its synonyms with commas between them.

    Blank lines and lines that begin with # are left out. Raises FileError where a line is none of these.
    """
    found: dict[str, list[str]] = {}
    for number, line in enumerate(read_text(path).split("\n"), 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        word, sign, rest = line.partition("\t" if "\t" in line else ":")
        others = [one.strip() for one in rest.split(",") if one.strip()]
        if not sign or not word.strip() or not others:
            raise FileError(f"{path}, line {number}: write a word, a colon, and its synonyms with commas between them")
        found.setdefault(normal(word.strip()), []).extend(others)
    return found


def vectors_from(path: str | os.PathLike[str], words: Iterable[str]) -> Vectors:
    """The vectors of words in a file of GloVe's or word2vec's text format."""
    return read_vectors(Path(path), set(words))[1]


def own_vectors(model: Classifier, words: Sequence[str]) -> Vectors:
    """The model's own word vectors: of a word of several pieces their mean; unknown words are left out.

    Raises UnsupportedError where they are out of sight.
    """
    if not offers(model, Differentiable):
        reason = getattr(model, "lacks", {}).get("Differentiable", "its word vectors are out of sight")
        raise UnsupportedError(
            f"neighbours need word vectors, but {reason}: give vectors, synonyms or a language model"
        )
    found: dict[str, Float[np.ndarray, " d"]] = {}
    unknown = model.tokens.get("unknown")
    texts = [(word, model.read(word)) for word in words]
    known = [(w, t) for w, t in texts if t.words and not (unknown is not None and unknown in t.ids)]
    for start in range(0, len(known), 1024):
        part = known[start : start + 1024]
        batch = model.encode([text for _, text in part])
        with torch.no_grad():
            embeds = array(model.embed(batch))  # type: ignore[attr-defined]
        for row, (word, text) in enumerate(part):
            pieces = [piece for span in text.words for piece in range(*span)]
            found[word] = embeds[row, pieces].mean(0)
    return found


def nearest(word: str, vectors: Vectors, count: int) -> list[str]:
    """The words of the most similar vectors (cosine), the nearest first; none where the word has no vector."""
    own = vectors.get(word)
    if own is None or not np.linalg.norm(own):
        return []
    others = [one for one in vectors if one != word and np.linalg.norm(vectors[one])]
    if not others:
        return []
    matrix = np.stack([vectors[one] for one in others]).astype(np.float64)
    cosines = matrix @ own / np.linalg.norm(matrix, axis=1) / np.linalg.norm(own)
    return [others[i] for i in np.argsort(-cosines, kind="stable")[:count]]


def fitting(language: str | LanguageModel, words: Sequence[str], place: int, count: int, seed: int) -> list[str]:
    """The words that a language model draws most often at a place of a text; ties in the order drawn."""
    drawn = fillings(language_named(language), [words], [[place]], DRAWS, seed)[0]
    ranked = Counter(filling[0] for filling in drawn if any(map(str.isalpha, filling[0])))
    return [one for one, _ in ranked.most_common(count)]


def gathered(word: str, sources: Mapping[str, Sequence[str]], raised: str) -> dict[str, tuple[str, ...]]:
    """Candidates with the sources that name each, in order, without the word itself.

    Raises UsageError, saying where was looked, where there are none.
    """
    found: dict[str, list[str]] = {}
    for source, words in sources.items():
        for one in words:
            if normal(one) != normal(word) and one.strip():
                found.setdefault(normal(one), []).append(source)
    if not found:
        looked = ", ".join(sources) or "no source was given"
        raise UsageError(f"nothing is known to put in place of {word!r} ({looked}): {raised}")
    return {one: tuple(dict.fromkeys(names)) for one, names in found.items()}
