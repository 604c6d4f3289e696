"""Substitutions: a suspected word replaced by others, in its text and in other texts."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from exegesis.api import Place, Plan, as_model, bar, chosen, read_text
from exegesis.core.errors import UnsupportedError, UsageError
from exegesis.core.text import Text
from exegesis.engine.methods import Method
from exegesis.models.tagger import Tagger, default_tagger
from exegesis.nn.context import entry
from exegesis.protocols.labels import Labels
from exegesis.protocols.language import LanguageModel
from exegesis.protocols.model import Classifier, Raw
from exegesis.protocols.target import Link, Wish
from exegesis.results.attribution import Attribution, Prediction
from exegesis.results.behaviour.faults import Pair, Substitution, Swap, Transfer
from exegesis.study.corpus import Corpus, Data, asked_of, normal, shown, signed
from exegesis.study.predictions import in_parts, predict_all
from exegesis.study.vocabulary import candidates as source
from exegesis.study.vocabulary.replacements import inserted_words, replaced, starts

MAX_SHOWN = 3  # pairs of texts shown, for the text itself and for each transfer
MAX_MOVED = 6  # swaps tried on other texts


@entry
def substitute(
    model: Classifier | str,
    text: Raw,
    word: str | None = None,
    *,
    data: Data | None = None,
    labels: Labels | None = None,
    gold: Wish = None,
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
    """Swaps of one word: which flip the prediction, and whether they do so in other texts (REAT paper, Sec. 4.8.2).

    ``word`` is the word to replace; by default the word with a letter that has the highest score for the predicted
    label. Candidates come from ``synonyms`` (a mapping, or a file: see ``read_synonyms``), the ``neighbours`` nearest
    by their vectors among the words of ``data`` (``vectors``: a mapping or a file; by default the model's own) and a
    ``language`` model (``candidates`` of its words; the bundled one if no source is named). Neighbours and drawn words
    need not have the same meaning: the reader judges whether a swap keeps it; ``same_tag`` tells whether it keeps the
    part of speech.

    The first six swaps that flip the prediction are tried on ``data`` in both directions, as in Table 7. Raises like
    ``explain``, UsageError if the text does not hold the word or no candidate is found, UnsupportedError for a
    regression.
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
    sources = _candidates(classifier, read, place, corpus, synonyms, vectors, neighbours, language, candidates, seed)
    words = list(sources)
    raws = [replaced(text, read, [place], new) for new in words]
    swaps = _swaps(classifier, before.prediction, sources, raws, _same_tags(read, place, words, tagger))
    flips = sorted((i for i, swap in enumerate(swaps) if swap.flips), key=lambda i: _doubt(swaps[i]))
    explainer = _Explainer(classifier, plan, before.prediction.label)
    label = "" if gold is None else str(Corpus.of([text], [gold], classifier.labels).golds[0])
    parts = {i: inserted_words(read_text(classifier, raws[i]), read, place) for i in flips[:MAX_MOVED]}
    pairs = tuple(explainer.pair(text, raws[i], (old,), parts[i], 0, label) for i in flips[:MAX_SHOWN])
    asked = asked_of(plan, 1 if corpus is None else len(corpus), 0, signed(before))
    transfers: list[Transfer] = []
    if corpus is not None:
        original, news = _Word(old, (old,)), [_Word(words[i], parts[i]) for i in flips[:MAX_MOVED]]
        moves = [(original, new) for new in news] + [(new, original) for new in news]
        transfers = _transfers(classifier, plan, corpus, moves, text, progress)
    return Substitution(asked, old, shown(before, 0, label, [place]), swaps, pairs, tuple(transfers))


def _swaps(
    model: Classifier, before: Prediction, sources: Mapping[str, tuple[str, ...]], raws: Sequence[Raw],
    same_tags: Sequence[bool],
) -> tuple[Swap, ...]:  # fmt: skip
    return tuple(
        Swap(word, sources[word], tag, now.label, now.probabilities[before.label], now.label != before.label)
        for word, tag, now in zip(sources, same_tags, predict_all(model, raws), strict=True)
    )


def _doubt(swap: Swap) -> tuple[bool, bool]:
    """A sort key: swaps that the user listed first, then those that keep the part of speech."""
    return source.SYNONYMS not in swap.sources, not swap.same_tag


def _place(text: Text, word: str | None, before: Attribution) -> int:
    """The number of the word to replace. Raises UsageError if the text does not hold it."""
    strings = list(map(normal, text.word_strings()))
    if word is not None:
        if normal(word) not in strings:
            raise UsageError(f"the text does not hold the word {word!r}; its words are {', '.join(strings[:30])}")
        places = [i for i, string in enumerate(strings) if string == normal(word)]
    else:
        places = [i for i, string in enumerate(strings) if any(map(str.isalpha, string))] or list(range(len(strings)))
    return max(places, key=lambda i: float(before.over_words().scores[i]))


def _candidates(
    model: Classifier, text: Text, place: int, corpus: Corpus | None, synonyms: Any, vectors: Any, neighbours: int,
    language: str | LanguageModel | None, count: int, seed: int,
) -> dict[str, tuple[str, ...]]:  # fmt: skip
    word, by_source = normal(text.word_strings()[place]), {}
    if synonyms is not None:
        listed = source.read_synonyms(synonyms) if isinstance(synonyms, str | os.PathLike) else synonyms
        by_source[source.SYNONYMS] = next((list(new) for old, new in listed.items() if normal(old) == word), [])
    if neighbours:
        words = {word} if corpus is None else {word, *_words(model, corpus)}
        if isinstance(vectors, str | os.PathLike):
            vectors = source.vectors_from(vectors, words)
        elif vectors is None:
            if len(words) == 1:
                raise UsageError("neighbours are looked for among the words of a corpus; give data")
            vectors = source.own_vectors(model, sorted(words))
        by_source[source.NEIGHBOURS] = source.nearest(word, vectors, neighbours)
    if language is not None:
        by_source[source.LANGUAGE] = source.fitting(language, text.word_strings(), place, count, seed)
    return source.gathered(word, by_source, "give synonyms, neighbours with data, or a language model")


def _words(model: Classifier, corpus: Corpus) -> set[str]:
    return {
        normal(word)
        for _, part in in_parts(model, corpus.raws)
        for text in part
        for word in text.word_strings()
        if any(map(str.isalpha, word))
    }


def _same_tags(text: Text, place: int, words: Sequence[str], tagger: Tagger | None) -> list[bool]:
    """True for each word that has the part of speech of the old word in the text."""
    tag = tagger or default_tagger()
    strings = list(text.word_strings())
    old = tag(strings)[place]
    same = []
    for word in words:
        tags = tag([*strings[:place], *word.split(), *strings[place + 1 :]])
        same.append(len(word.split()) == 1 and tags[place] == old)
    return same


class _Explainer:
    """Explains texts before and after a swap, both for the label that was predicted before."""

    def __init__(self, model: Classifier, plan: Plan, label: str) -> None:
        self.model = model
        self.plan = Plan.of(model, plan.method, None, f"{plan.choice.kind}:{label}")

    def pair(self, before: Raw, after: Raw, old: _Parts, new: _Parts, number: int, gold: str) -> Pair:
        texts = [read_text(self.model, raw) for raw in (before, after)]
        first, second = self.plan.explain(texts)
        return Pair(
            shown(first, number, gold, _marked(texts[0], old)), shown(second, number, gold, _marked(texts[1], new))
        )


_Parts = tuple[str, ...]


class _Word(NamedTuple):
    """A replacement as a string, and the words that the model reads in it."""

    text: str
    parts: _Parts


def _marked(text: Text, parts: _Parts) -> list[int]:
    return [start + k for start in starts(text, parts) for k in range(len(parts))]


def _transfers(
    model: Classifier, plan: Plan, corpus: Corpus, moves: Sequence[tuple[_Word, _Word]], studied: Raw, progress: bool
) -> list[Transfer]:
    """Try each swap in all other texts that hold its word."""
    held: dict[_Word, list[tuple[int, Text]]] = {old: [] for old, _ in moves}
    for start, part in in_parts(model, corpus.raws):
        for number, text in enumerate(part, start):
            if corpus.raws[number] != studied:
                present = set(map(normal, text.word_strings()))
                for old in held:
                    if present.issuperset(old.parts) and starts(text, old.parts):
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
        for i in flips[:MAX_SHOWN]
    )
    broken = sum(before[i].label == golds[i] for i in flips)
    mended = sum(after[i].label == golds[i] for i in flips)
    change = float(np.mean(changes)) if changes else float("nan")
    return Transfer(old.text, new.text, len(held), len(flips), broken, mended, change, examples)


def _change(before: Prediction, after: Prediction) -> float:
    return after.probabilities[before.label] - before.probability
