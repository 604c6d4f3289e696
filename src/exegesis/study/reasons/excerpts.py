"""The page of a model's own concepts: what they read over a corpus, and whether others can tell them apart."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

import numpy as np

from exegesis.api import as_model, bar
from exegesis.api.decisions import concepts as decided
from exegesis.core.errors import UsageError
from exegesis.nn.context import entry
from exegesis.protocols.model import Classifier
from exegesis.results.behaviour.study import Asked
from exegesis.results.internals.decision import ConceptDecision
from exegesis.results.internals.excerpts import ConceptPage, Excerpt, LearnedConcept
from exegesis.study.corpus import Corpus, Data, normal
from exegesis.study.reasons.simulators import halves, told_by_words

PAIR = tuple[int, tuple[str, ...]]  # a concept, and the words of one of its excerpts


@entry
def excerpts(
    model: Classifier | str, data: Data, *, most: int = 8, seed: int = 0, progress: bool = False
) -> ConceptPage:
    """The concepts through which a model decides, over texts: excerpts, weights, how far apart they are.

    For models of ``exegesis train --arch concepts``. ``most`` excerpts of each are listed. A fresh classifier (a linear
    one of the words that an excerpt holds) is trained on half of the excerpts of present concepts to tell which concept
    they are of, and tried on the others: concepts that read the same words cannot be told apart. ``seed`` draws the
    halves.

    Raises the errors of ``exegesis.concepts``; UsageError for no texts.
    """
    if type(most) is not int or most < 1:
        raise UsageError(f"most must be a whole number of at least 1, not {most!r}")
    classifier = as_model(model)
    corpus = Corpus.of(data, None, classifier.labels)
    with bar(progress, len(corpus), "excerpts") as advance:
        results: list[ConceptDecision] = decided(classifier, list(corpus.raws), "all")
        advance(None)
    pairs = [(k, _words(one, k)) for one in results for k, flag in enumerate(one.present) if flag and one.words[k]]
    guesses, base = _recognised(pairs, len(results[0].concepts), seed)
    found = tuple(_concept(results, k, name, guesses, most) for k, name in enumerate(results[0].concepts))
    rights = [one.prediction.label == gold for one, gold in zip(results, corpus.golds, strict=True) if gold is not None]
    words = sum(len(one.text.words) for one in results)
    asked = Asked(classifier.name, "Excerpts()", "concepts", "logit:all", len(results), words, True)
    every = [right for rows in guesses.values() for right in rows]
    accuracy = float(np.mean(rights)) if rights else math.nan
    return ConceptPage(asked, classifier.labels, accuracy, float(np.mean(every)) if every else math.nan, base, found)


def _words(result: ConceptDecision, concept: int) -> tuple[str, ...]:
    own = result.text.word_strings()
    return tuple(normal(own[word]) for word in result.words[concept])


def _concept(
    results: Sequence[ConceptDecision], k: int, name: str, guesses: dict[int, list[bool]], most: int
) -> LearnedConcept:
    """One concept over all texts."""
    present = [one for one in results if one.present[k]]
    uses, chances, apart = Counter[str](), dict[str, list[float]](), list[float]()
    for one in present:
        excerpt = normal(one.excerpts[k])
        uses[excerpt] += 1
        chances.setdefault(excerpt, []).append(float(one.chance[k]))
        others = {w for other, flag in enumerate(one.present) if flag and other != k for w in one.words[other]}
        apart += [float(word not in others) for word in one.words[k]]
    ranked = sorted(uses, key=lambda text: (-uses[text], text))[:most]
    adds = np.mean([one.parts[k] for one in present], axis=0) if present else np.full(len(results[0].targets), math.nan)
    told = guesses.get(k, [])
    return LearnedConcept(
        name, len(present) / len(results), adds, float(np.mean(told)) if told else math.nan,
        float(np.mean(apart)) if apart else math.nan,
        tuple(Excerpt(text, uses[text], float(np.mean(chances[text]))) for text in ranked),
    )  # fmt: skip


def _recognised(pairs: Sequence[PAIR], count: int, seed: int) -> tuple[dict[int, list[bool]], float]:
    """By concept, which held-out excerpts a fresh classifier gives to it; and the share of the commonest concept."""
    fitted, held = halves(len(pairs), seed)
    gold = [k for k, _ in pairs]
    if not fitted or not held or len(set(gold)) < 2:
        return {}, math.nan
    guessed = told_by_words([words for _, words in pairs], gold, count, fitted, held)
    found = dict[int, list[bool]]()
    for row, told in zip(held, guessed.tolist(), strict=True):
        found.setdefault(gold[row], []).append(gold[row] == told)
    commonest = Counter(gold[row] for row in fitted).most_common(1)[0][0]
    return found, float(np.mean([gold[row] == commonest for row in held]))
