"""Trust lines: the effect of an explanation's top words, its agreement with other methods, and its gap."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from jaxtyping import Float

from exegesis.core.errors import CapacityError, ModelError, UnsupportedError
from exegesis.core.text import Text
from exegesis.core.ties import ranked, slack_of, top_count
from exegesis.engine.answer import in_batches, one_per_text, outputs
from exegesis.engine.methods import cards, lacking, make
from exegesis.engine.run import run
from exegesis.protocols.draws import generator
from exegesis.protocols.model import Classifier
from exegesis.protocols.target import Link, ask
from exegesis.questions.trust.batches import Setting
from exegesis.questions.trust.check import label_of, target_of
from exegesis.questions.trust.measure import Case, bits
from exegesis.questions.trust.measuring.curves import DecisionFlip
from exegesis.questions.trust.measuring.scores import ranks
from exegesis.questions.trust.pool import Pool
from exegesis.results.attribution import Attribution

SHARE = 0.2  # the share of top words, as in ERASER
DRAWS = 20  # sets of random words
HOW = "drop"
LEFT_OUT = "leave-one-out"
COMPLETE = ("lrp", "deeplift", "integrated-gradients", "reat")  # faithful ones first, then cheap ones
UNDECIDED = (Link.IDENTITY, Link.SIGMOID, Link.PROBABILITIES)  # links that do not choose one label among all
MIN_WORDS = 3  # with fewer words, ranks say nothing


@dataclass(frozen=True, eq=False)
class _Part:
    """A target of a result, and the number of the result."""

    number: int
    result: Attribution
    scores: Float[np.ndarray, " words"]

    @property
    def sizes(self) -> bool:
        """True if the scores are sizes without a sign."""
        return self.result.details.get("signed") is False

    @property
    def varied(self) -> bool:
        """True if the text has several words with different scores."""
        return bool(np.isfinite(ranks(self.scores)).all())


def with_trust(model: Classifier, results: Sequence[Attribution], seed: int = 0) -> list[Attribution]:
    """The results, each with its trust line in ``details["trust"]``, in plain values.

    - ``drop``: the fall of the label's probability (``what``; the ``output`` of a regression) without the ``top`` words
      of highest score, a fifth of the text's ``words``: ERASER's comprehensiveness (DeYoung et al. 2020, Eq. 1).
    - ``random``: the mean fall over ``draws`` sets of as many random words, which belong to the text and ``seed``.
    - ``flip``: the shortest run of words from the highest score down without which the model predicts another label
      (``decision-flip``): the ``words``, highest first, and the label then predicted, ``to``; None if no run changes
      the label. Left out if the label is not the predicted one, or if the model does not decide among labels.
    - ``agreement``: Spearman's rank correlation with leave-one-out, and with the first of reat, deeplift, lrp and
      integrated-gradients that the model can serve for this number, by name; the result's own method is left out.
      Scores that are sizes are compared with the sizes of the others. None for texts of fewer than three words.
    - ``gap``: the part of the number that scores and account leave out, as a share of its size; None for sizes, which
      do not add up. ``complete``: the method promises that the gap is 0.

    ``drop`` and ``random`` are None for a text of one word, or if all words have the same score. A result of several
    targets has ``each``: one such mapping per target. All perturbed texts of a batch are one pool. The results must be
    of this model.
    """
    parts = [
        _Part(number, part, np.asarray(part.over_words().scores))
        for number, result in enumerate(results)
        for part in result.each_target()
    ]
    falls = _falls(model, parts, seed)
    agreed = _agreements(model, parts)
    lines: list[list[dict[str, Any]]] = [[] for _ in results]
    for part, fall, agreement in zip(parts, falls, agreed, strict=True):
        lines[part.number].append({**fall, "agreement": agreement, **_gap(part)})
    return [
        result.replace(details={**result.details, "trust": trust[0] if len(result.targets) == 1 else {"each": trust}})
        for result, trust in zip(results, lines, strict=True)
    ]


def _falls(model: Classifier, parts: Sequence[_Part], seed: int) -> list[dict[str, Any]]:
    copies = [replace(part.result.text) for part in parts]  # told apart by identity, even if one occurs twice
    number = {id(text): i for i, text in enumerate(copies)}

    def batch(group: Sequence[Text]) -> list[dict[str, Any]]:
        return _batch(model, group, [parts[number[id(text)]] for text in group], seed)

    return one_per_text(in_batches(copies, batch, "trust", model))


def _batch(model: Classifier, texts: Sequence[Text], parts: Sequence[_Part], seed: int) -> list[dict[str, Any]]:
    """The fall of each part's probability, with all texts in one pool."""
    batch, raw = outputs(model, texts)
    raw = raw.detach().to("cpu", torch.float64)
    asks = [_asks(part, text, seed) if part.varied else [] for part, text in zip(parts, texts, strict=True)]
    answers = Pool(model, batch, raw, (), seed).raw(HOW, asks)
    falls_of_texts = []
    for row, (part, text) in enumerate(zip(parts, texts, strict=True)):
        target = target_of(part.result, model, raw[row])
        regression = model.link is Link.IDENTITY
        label = label_of(target, model.labels)
        whole = raw[row] if regression else model.link.probabilities(raw[row][None])[0]
        number, falls, flip = float(whole[int(target.index[0, 0])]), None, {}
        if asks[row]:
            setting = Setting(row, Case(text, label, number, regression), target, -1)
            falls = number - setting.answers(answers[row][: 1 + DRAWS], target).chance
            if model.link not in UNDECIDED and label == part.result.prediction.label:
                decided = model.link.decide(answers[row][1 + DRAWS :, 0])
                flip = {"flip": _flip(part, [model.labels[at] for at in decided.tolist()])}
        falls_of_texts.append(
            {
                "target": part.result.targets[0],
                "label": label,
                "what": "output" if regression else "probability",
                "words": len(text.words),
                "top": top_count(SHARE, len(text.words)),
                "drop": None if falls is None else float(falls[0]),
                "random": None if falls is None else float(falls[1:].mean()),
                "draws": DRAWS,
                **flip,
            }
        )
    return falls_of_texts


def _asks(part: _Part, text: Text, seed: int) -> list[int]:
    """The sets of words kept: without the top words, without each random set, without each run from the top down."""
    count, full = len(text.words), (1 << len(text.words)) - 1
    many = top_count(SHARE, count)
    draws = np.random.default_rng(generator(text, seed).initial_seed())
    order = _order(part)
    removed = [order[:many], *(draws.permutation(count)[:many].tolist() for _ in range(DRAWS))]
    removed += [order[:size] for size in DecisionFlip().numbers(count)]
    return [full & ~bits(words) for words in removed]


def _order(part: _Part) -> list[int]:
    """The words in the order of their scores, highest first."""
    scores = part.scores.tolist()
    return ranked(scores, slack_of(scores))


def _flip(part: _Part, labels: Sequence[str]) -> dict[str, Any] | None:
    """The first run of words that changes the label, from the labels that are predicted without each run."""
    for size, label in zip(DecisionFlip().numbers(len(part.scores)), labels, strict=True):
        if label != part.result.prediction.label:
            return {"words": [part.result.over_words().words[at] for at in _order(part)[:size]], "to": label}
    return None


def _agreements(model: Classifier, parts: Sequence[_Part]) -> list[dict[str, float]]:
    """Rank correlations with the reference methods, by name, of each part."""
    groups: dict[tuple[str, str], list[int]] = {}
    for i, part in enumerate(parts):
        if part.varied and len(part.scores) >= MIN_WORDS:
            groups.setdefault((part.result.targets[0], part.result.name), []).append(i)
    agreements: list[dict[str, float]] = [{} for _ in parts]
    able = {card.name for card in cards() if lacking(model, card) is None}
    for (target, method), rows in groups.items():
        candidates = [name for name in COMPLETE if name in able and name != method]
        for names in ([LEFT_OUT] if LEFT_OUT in able and method != LEFT_OUT else [], candidates):
            for name in names:
                others = _explained(model, [parts[i].result.text for i in rows], name, target)
                if others is None:
                    continue  # it cannot serve this number: the next one may
                for i, reference in zip(rows, others, strict=True):
                    value = _correlation(parts[i], np.asarray(reference.over_words().scores))
                    if math.isfinite(value):
                        agreements[i][name] = value
                break
    return agreements


def _explained(model: Classifier, texts: Sequence[Text], name: str, target: str) -> list[Attribution] | None:
    """Explanations of one number of texts by a method; None if it cannot serve them."""
    try:
        return one_per_text(run(model, texts, make(name), ask(target, model.labels, model.link)))
    except (UnsupportedError, ModelError, CapacityError):
        return None


def _correlation(part: _Part, reference: Float[np.ndarray, " words"]) -> float:
    return float(ranks(part.scores) @ ranks(np.abs(reference) if part.sizes else reference))


def _gap(part: _Part) -> dict[str, Any]:
    number, gap = float(np.asarray(part.result.explained)), float(np.asarray(part.result.gap))
    share = abs(gap) / max(abs(number), 1e-6)
    defined = not part.sizes and math.isfinite(share)
    return {"gap": share if defined else None, "complete": part.result.complete}
