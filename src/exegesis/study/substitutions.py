"""A suspected word replaced by others, in its text and in all others."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from exegesis.api import Place, Plan, as_model, bar, chosen, read_text
from exegesis.core.errors import UnsupportedError, UsageError
from exegesis.core.text import Text
from exegesis.engine.methods import Method
from exegesis.models.tagger import Tagger, default_tagger
from exegesis.protocols.language import LanguageModel
from exegesis.protocols.model import Classifier, Raw
from exegesis.protocols.target import Link
from exegesis.results.attribution import Attribution, Prediction
from exegesis.results.swaps import Pair, Substitution, Swap, Transfer
from exegesis.study import candidates as source
from exegesis.study.predictions import in_parts, predict_all
from exegesis.study.replacements import put, replaced, starts
from exegesis.study.texts import Corpus, Data, asked_of, normal, shown, signed

SHOWN = 3  # texts before and after, of the text itself and of each transfer
MOVED = 6  # swaps tried on other texts


def substitute(
    model: Classifier | str,
    text: Raw,
    word: str | None = None,
    *,
    data: Data | None = None,
    labels: Sequence[str | int] | None = None,
    gold: str | int | None = None,
    synonyms: source.Synonyms | str | os.PathLike[str] | None = None,
    vectors: source.Vectors | str | os.PathLike[str] | None = None,
    neighbours: int = 0,
    language: str | LanguageModel | None = None,
    candidates: int = 10,
    method: str | Method | None = None,
    tagger: Tagger | None = None,
    seed: int = 0,
    recommendation: Place = None,
    progress: bool = False,
    **parameters: Any,
) -> Substitution:
    """What if another word stood here? Swaps of one word, which flip the prediction, and whether they do elsewhere.

    ``word`` is the one to replace; by default the word of the highest score for the predicted label that has a letter.
    Other words come from ``synonyms`` (a mapping, or a file: see ``read_synonyms``), the ``neighbours`` nearest by
    their vectors among the words of ``data`` (``vectors``: a mapping or a file; by default the model's own) and a
    ``language`` model (``candidates`` of its words). Neighbours and drawn words need not mean the same: whether a swap
    keeps the meaning is for the reader to judge; ``same_tag`` says whether it keeps the part of speech. Where no source
    is named the bundled language model is asked.

    On ``data`` the swaps that flip the prediction (the first six) are tried in both directions, as in the paper's Table
    7. Raises as ``explain``, UsageError where the text does not hold the word or nothing is known to replace it,
    UnsupportedError for a regression.
    """
    classifier = as_model(model)
    method, parameters = chosen(classifier, method, parameters, recommendation, model)
    plan = Plan.of(classifier, method, parameters)
    if classifier.link is Link.IDENTITY:
        raise UnsupportedError("a regression has no prediction that a word could flip; take a classifier")
    read = read_text(classifier, text)
    before = plan.explain([read])[0]
    place = _place(read, word, before)
    old = normal(read.word_strings()[place])
    corpus = None if data is None else Corpus.of(data, labels, classifier.labels)
    if synonyms is None and not neighbours and language is None:
        language = "bundled"
    given = _candidates(classifier, read, place, corpus, synonyms, vectors, neighbours, language, candidates, seed)
    found = list(given)
    raws = [replaced(text, read, [place], one) for one in found]
    said = predict_all(classifier, raws)
    tags = _tags(read, place, found, tagger or default_tagger())
    own = before.prediction
    swaps = tuple(
        Swap(one, given[one], tag, now.label, now.probabilities[own.label], now.label != own.label)
        for one, tag, now in zip(found, tags, said, strict=True)
    )
    flips = sorted((i for i, swap in enumerate(swaps) if swap.flips), key=lambda i: _doubt(swaps[i]))
    towards = _Explainer(classifier, plan, own.label)
    named = "" if gold is None else str(Corpus.of([text], [gold], classifier.labels).golds[0])
    parts = {i: put(read_text(classifier, raws[i]), read, place) for i in flips[:MOVED]}
    pairs = tuple(towards.pair(text, raws[i], (old,), parts[i], 0, named) for i in flips[:SHOWN])
    asked = asked_of(plan, 1 if corpus is None else len(corpus), 0, signed(before))
    transfers: list[Transfer] = []
    if corpus is not None:
        here, others = _Word(old, (old,)), [_Word(found[i], parts[i]) for i in flips[:MOVED]]
        moves = [(here, one) for one in others] + [(one, here) for one in others]
        transfers = _transfers(classifier, plan, corpus, moves, text, progress)
    return Substitution(asked, old, shown(before, 0, named, [place]), swaps, pairs, tuple(transfers))


def _doubt(swap: Swap) -> tuple[bool, bool]:
    """Swaps that a user listed first, then those that keep the part of speech."""
    return source.SYNONYMS not in swap.sources, not swap.same_tag


def _place(text: Text, word: str | None, before: Attribution) -> int:
    """The number of the word to be replaced. Raises UsageError where the text does not hold it."""
    strings = list(map(normal, text.word_strings()))
    if word is not None:
        if normal(word) not in strings:
            raise UsageError(f"the text does not hold the word {word!r}; its words are {', '.join(strings[:30])}")
        own = [i for i, one in enumerate(strings) if one == normal(word)]
    else:
        own = [i for i, one in enumerate(strings) if any(map(str.isalpha, one))] or list(range(len(strings)))
    return max(own, key=lambda i: float(before.over_words().scores[i]))


def _candidates(
    model: Classifier, text: Text, place: int, corpus: Corpus | None, synonyms: Any, vectors: Any, neighbours: int,
    language: str | LanguageModel | None, count: int, seed: int,
) -> dict[str, tuple[str, ...]]:  # fmt: skip
    word, found = normal(text.word_strings()[place]), {}
    if synonyms is not None:
        listed = source.read_synonyms(synonyms) if isinstance(synonyms, str | os.PathLike) else synonyms
        found[source.SYNONYMS] = next((list(own) for one, own in listed.items() if normal(one) == word), [])
    if neighbours:
        words = {word} if corpus is None else {word, *_words(model, corpus)}
        if isinstance(vectors, str | os.PathLike):
            vectors = source.vectors_from(vectors, words)
        elif vectors is None:
            if len(words) == 1:
                raise UsageError("neighbours are looked for among the words of a corpus; give data")
            vectors = source.own_vectors(model, sorted(words))
        found[source.NEIGHBOURS] = source.nearest(word, vectors, neighbours)
    if language is not None:
        found[source.LANGUAGE] = source.fitting(language, text.word_strings(), place, count, seed)
    return source.gathered(word, found, "give synonyms, neighbours with data, or a language model")


def _words(model: Classifier, corpus: Corpus) -> set[str]:
    return {
        normal(one)
        for _, part in in_parts(model, corpus.raws)
        for text in part
        for one in text.word_strings()
        if any(map(str.isalpha, one))
    }


def _tags(text: Text, place: int, words: Sequence[str], tagger: Tagger) -> list[bool]:
    """Whether each word has the part of speech in the text that the old one has."""
    strings = list(text.word_strings())
    old = tagger(strings)[place]
    found = []
    for word in words:
        tags = tagger([*strings[:place], *word.split(), *strings[place + 1 :]])
        found.append(len(word.split()) == 1 and tags[place] == old)
    return found


class _Explainer:
    """Texts before and after a swap, both explained for the label that was predicted before."""

    def __init__(self, model: Classifier, plan: Plan, label: str) -> None:
        self.model = model
        self.plan = Plan.of(model, plan.method, None, f"{plan.asked.kind}:{label}")

    def pair(self, before: Raw, after: Raw, old: _Parts, new: _Parts, number: int, gold: str) -> Pair:
        texts = [read_text(self.model, one) for one in (before, after)]
        first, second = self.plan.explain(texts)
        return Pair(
            shown(first, number, gold, _marked(texts[0], old)), shown(second, number, gold, _marked(texts[1], new))
        )


_Parts = tuple[str, ...]


class _Word(NamedTuple):
    """What is put in a word's place, and the words that the model reads in it."""

    text: str
    parts: _Parts


def _marked(text: Text, parts: _Parts) -> list[int]:
    return [start + k for start in starts(text, parts) for k in range(len(parts))]


def _transfers(
    model: Classifier, plan: Plan, corpus: Corpus, moves: Sequence[tuple[_Word, _Word]], own: Raw, progress: bool
) -> list[Transfer]:
    """Each swap in all other texts that hold its word."""
    held: dict[_Word, list[tuple[int, Text]]] = {old: [] for old, _ in moves}
    for start, part in in_parts(model, corpus.raws):
        for number, text in enumerate(part, start):
            if corpus.raws[number] != own:
                there = set(map(normal, text.word_strings()))
                for old in held:
                    if there.issuperset(old.parts) and starts(text, old.parts):
                        held[old].append((number, text))
    with bar(progress, sum(len(held[old]) for old, _ in moves), "swap") as advance:
        return [_transfer(model, plan, corpus, old, new, held[old], advance) for old, new in moves]


def _transfer(
    model: Classifier, plan: Plan, corpus: Corpus, old: _Word, new: _Word, held: Sequence[tuple[int, Text]],
    advance: Callable[[], object],
) -> Transfer:  # fmt: skip
    numbers = [number for number, _ in held]
    golds = [corpus.golds[n] for n in numbers]
    width = len(old.parts)
    raws = [replaced(corpus.raws[n], text, starts(text, old.parts), new.text, width) for n, text in held]
    before = predict_all(model, [corpus.raws[n] for n in numbers])
    after = predict_all(model, raws, advance)
    changes = [_change(a, b) for a, b in zip(before, after, strict=True)]
    flips = [i for i, (a, b) in enumerate(zip(before, after, strict=True)) if a.label != b.label]
    flips.sort(key=lambda i: changes[i])
    examples = tuple(
        _Explainer(model, plan, before[i].label).pair(
            corpus.raws[numbers[i]], raws[i], old.parts, new.parts, numbers[i], golds[i] or ""
        )
        for i in flips[:SHOWN]
    )
    broken = sum(before[i].label == golds[i] for i in flips)
    mended = sum(after[i].label == golds[i] for i in flips)
    change = float(np.mean(changes)) if changes else float("nan")
    return Transfer(old.text, new.text, len(held), len(flips), broken, mended, change, examples)


def _change(before: Prediction, after: Prediction) -> float:
    return after.probabilities[before.label] - before.probability
