"""All measures of all methods on the texts of one batch: what is asked is pooled, step by step."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from exegesis.core.errors import UsageError
from exegesis.core.text import Span, Text
from exegesis.engine.answer import outputs
from exegesis.protocols.model import Classifier
from exegesis.protocols.target import Link, Target
from exegesis.questions.trust.check import check_model, check_text, label_of, target_of
from exegesis.questions.trust.controls import CONTROLS, GREEDY, LEFT_OUT, LONGEST, RANDOM, Greedy, has
from exegesis.questions.trust.explanations import Explanations
from exegesis.questions.trust.measure import DELETION, Answers, Case, Given, Measure, Score, card_of
from exegesis.questions.trust.measures.people import Interpretability
from exegesis.questions.trust.pool import Pool, random_scores
from exegesis.results.attribution import Attribution

ALIKE = 1e-3  # of the largest score, within which scores are those of leave-one-out (run in other batches perhaps)
APART = (Link.SIGMOID, Link.PROBABILITIES)  # each label is decided on its own, at a probability of 0.5
Marks = Sequence[Bool[np.ndarray, " _"] | None]


@dataclass(frozen=True, eq=False)
class Setting:
    """One text with one label, and the number that explanations of it are about."""

    row: int
    case: Case
    target: Target
    decided: int

    def answers(self, raw: Float[Tensor, "n d c"], target: Target) -> Answers:
        """Outputs as a measure reads them; the mean where words were drawn several times."""
        rows, draws, width = raw.shape
        flat = raw.reshape(rows * draws, width)
        link = target.link
        numbers = target.take(torch.zeros(len(flat), dtype=torch.long)).of(flat)[:, 0].reshape(rows, draws).mean(1)
        if link is Link.IDENTITY:
            chances, label = (
                flat.reshape(rows, draws, width).mean(1),
                flat.reshape(rows, draws, width).mean(1).argmax(1),
            )
        else:
            each = link.probabilities(flat)
            chances = each.reshape(rows, draws, each.shape[1]).mean(1)
            label = link.decide(flat) if draws == 1 else chances.argmax(1)
        index = int(target.index[0, 0])
        same = chances[:, index] > 0.5 if link in APART else label == self.decided
        return Answers(chances[:, index].numpy(), numbers.numpy(), same.numpy())


@dataclass(eq=False)
class Work:
    """What is the same for every batch, and what is counted over all of them.

    ``unchecked`` explanations say nothing that could be checked, ``undecided`` texts are explained for a label that is
    not predicted, of ``long`` ones there is no greedy removal, ``unlisted`` explanations (by method and label) are not
    about the label of the word lists. ``others`` are methods, by number, whose scores differ somewhere from those of
    leave-one-out.
    """

    model: Classifier
    measures: Sequence[Measure]
    stock: Sequence[int]
    marks: Marks | None
    controls: bool
    seed: int
    counts: Counter[str] = field(default_factory=Counter)
    unchecked: int = 0
    undecided: int = 0
    long: int = 0
    unlisted: Counter[tuple[str, str]] = field(default_factory=Counter)
    others: set[int] = field(default_factory=set)

    def measured(
        self, texts: Sequence[Text], explained: Sequence[Explanations], numbers: Sequence[int]
    ) -> list[tuple[str, list[list[Score]]]]:
        """For each text its label, and for each measure the score of each method and control."""
        batch, raw = outputs(self.model, texts)
        raw = raw.detach().to("cpu", torch.float64)
        pool = Pool(self.model, batch, raw, self.stock, self.seed)
        found: list[list[list[Score]]] = [[] for _ in texts]
        main = self._settings(texts, raw, [one.results for one in explained], numbers)
        known = [one for one in main if one is not None]
        self.undecided += sum(not one.case.decided and not one.case.regression for one in known)
        greedy = self.controls and any(card_of(measure).controls == DELETION for measure in self.measures)
        self.long += sum(greedy and one.case.count > LONGEST for one in known)
        for measure in self.measures:
            results, settings = [one.results for one in explained], main
            if isinstance(measure, Interpretability):
                results = [self._about(measure, one, raw) for one in explained]
                settings = self._settings(texts, raw, results, numbers)
            for row, scores in enumerate(self._one(measure, settings, results, pool)):
                found[row].append(scores)
        self.counts.update(asked=pool.asked, run=pool.run, calls=pool.calls)
        return [("" if one is None else one.case.label, scores) for one, scores in zip(main, found, strict=True)]

    def _about(
        self, measure: Interpretability, one: Explanations, raw: Float[Tensor, "b c"]
    ) -> Sequence[Attribution | None]:
        """A method's explanations of the label of word lists: those asked for it, else those that are about it."""
        if measure.label in one.labelled:
            return one.labelled[measure.label]
        found: list[Attribution | None] = []
        for result, row in zip(one.results, raw, strict=True):
            about = None if result is None else label_of(target_of(result, self.model, row), self.model.labels)
            found.append(result if about == measure.label else None)
            if result is not None and about != measure.label and measure.concerns(result.text):
                self.unlisted[one.name, measure.label] += 1
        return found

    def _settings(
        self,
        texts: Sequence[Text],
        raw: Float[Tensor, "b c"],
        results: Sequence[Sequence[Attribution | None]],
        numbers: Sequence[int],
    ) -> list[Setting | None]:
        """Each text with its explanations checked; None where no method explains it."""
        return [
            self._setting(row, text, raw[row], [r for one in results if (r := one[row]) is not None], numbers[row])
            for row, text in enumerate(texts)
        ]

    def _setting(
        self, row: int, text: Text, raw: Float[Tensor, " c"], results: Sequence[Attribution], number: int
    ) -> Setting | None:
        model, labels, first = self.model, set[str](), None
        for result in results:
            check_text(result, text)
            target = target_of(result, model, raw)
            check_model(result, model, raw, target)
            self.unchecked += not result.prediction.probabilities and not math.isfinite(
                float(np.asarray(result.explained))
            )
            first = first or target
            labels.add(label_of(target, model.labels))
        if first is None:
            return None
        if len(labels) > 1:
            raise UsageError(
                f"text {number + 1}: methods explain different labels ({', '.join(sorted(labels))}); explain one"
            )
        regression = model.link is Link.IDENTITY
        chances = raw if regression else model.link.probabilities(raw[None])[0]
        marks = None if self.marks is None else self.marks[number]
        if self.marks is not None and marks is None:
            marks = np.zeros(len(text.words), dtype=bool)  # nobody marked anything here
        index, predicted = int(first.index[0, 0]), int(model.link.decide(raw[None])[0])
        chance = float(chances[index])
        decided = chance > 0.5 if model.link in APART else predicted == index
        return Setting(row, Case(text, labels.pop(), chance, regression, marks, decided), first, predicted)

    def _one(
        self,
        measure: Measure,
        settings: Sequence[Setting | None],
        results: Sequence[Sequence[Attribution | None]],
        pool: Pool,
    ) -> list[list[Score]]:
        """One measure of all texts, methods and controls: everything is asked at once."""
        every = [
            [] if one is None else [self._given(one, result[one.row], pool) for result in results] for one in settings
        ]
        if self.controls:
            for given, beside in zip(every, self._controls(measure, settings, pool), strict=True):
                self._tell_apart(given, beside)
                given += beside
        asks = [
            [] if one is None else [[] if g is None else measure.asks(one.case, g[0]) for g in given]
            for one, given in zip(settings, every, strict=True)
        ]
        flat = [[keep for each in one for keep in each] for one in asks]
        raws = pool.raw(measure.how, flat) if measure.how else [torch.zeros(0, 1, 1)] * len(flat)
        width = len(results) + len(CONTROLS) * self.controls
        found = []
        for one, given, each, raw in zip(settings, every, asks, raws, strict=True):
            if one is None:
                found.append([Score(math.nan)] * width)
                continue
            parts = torch.split(raw, [len(keeps) for keeps in each]) if measure.how else [raw] * len(each)
            found.append([_read(measure, one, g, part) for g, part in zip(given, parts, strict=True)])
        return found

    def _given(self, setting: Setting, result: Attribution | None, pool: Pool) -> tuple[Given, Target] | None:
        if result is None:
            return None
        words = result.over_words()
        target = target_of(result, self.model, pool.whole[setting.row])
        number = float(target.of(pool.whole[setting.row][None])[0, 0])
        gap = float(np.asarray(result.gap)) if result.details.get("signed", True) else math.nan  # sizes have no sum
        return Given(np.asarray(words.scores), number, gap, _spans(result)), target

    def _controls(
        self, measure: Measure, settings: Sequence[Setting | None], pool: Pool
    ) -> list[list[tuple[Given, Target] | None]]:
        """Random scores, leave-one-out, and greedy removal of each text, where the measure has them."""
        how, kind = measure.how or "drop", card_of(measure).controls
        key, none = (how, getattr(measure, "label", "")), [None] * len(settings)
        if has(kind, LEFT_OUT) and ("left", *key) not in pool.kept:
            pool.kept["left", *key] = self._left_out(settings, pool, how)
        words = has(kind, GREEDY) and getattr(measure, "unit", "word") == "word"  # an order of words is none of phrases
        if words and ("greedy", *key) not in pool.kept:
            pool.kept["greedy", *key] = self._greedy(settings, pool, how)
        left = pool.kept["left", *key] if has(kind, LEFT_OUT) else none
        greedy = pool.kept["greedy", *key] if words else none
        found: list[list[tuple[Given, Target] | None]] = []
        for one, losses, order in zip(settings, left, greedy, strict=True):
            if one is None:
                found.append([])
                continue
            number = float(one.target.of(pool.whole[one.row][None])[0, 0])
            chosen = {RANDOM: random_scores(one.case.text, number, self.seed), LEFT_OUT: losses, GREEDY: order}
            found.append(
                [
                    None if (s := chosen[name]) is None else (Given(s, number, number - float(s.sum())), one.target)
                    for name in CONTROLS
                ]
            )
        return found

    def _tell_apart(
        self, own: Sequence[tuple[Given, Target] | None], controls: Sequence[tuple[Given, Target] | None]
    ) -> None:
        """Notes the methods whose scores are not those of leave-one-out, nor these in another unit."""
        left = controls[CONTROLS.index(LEFT_OUT)] if controls else None
        if left is not None:
            scores = _scaled(left[0].scores)
            self.others |= {
                k for k, one in enumerate(own) if one and np.abs(_scaled(one[0].scores) - scores).max() > ALIKE
            }

    def _left_out(
        self, settings: Sequence[Setting | None], pool: Pool, how: str
    ) -> list[Float[np.ndarray, " _"] | None]:
        asked = [
            [] if one is None else [one.case.full & ~(1 << word) for word in range(one.case.count)] for one in settings
        ]
        found: list[Float[np.ndarray, " _"] | None] = []
        for one, raw in zip(settings, pool.raw(how, asked), strict=True):
            if one is None:
                found.append(None)
                continue
            number = float(one.target.of(pool.whole[one.row][None])[0, 0])
            found.append(number - one.answers(raw, one.target).number)
        return found

    def _greedy(self, settings: Sequence[Setting | None], pool: Pool, how: str) -> list[Float[np.ndarray, " _"] | None]:
        searches = [None if one is None else Greedy(one.case) for one in settings]
        while any(asked := [[] if one is None else one.asks() for one in searches]):
            for setting, search, raw in zip(settings, searches, pool.raw(how, asked), strict=True):
                if setting is not None and search is not None and len(raw):
                    search.take(setting.answers(raw, setting.target).chance)
        return [None if one is None or not one.possible else one.scores() for one in searches]


def _scaled(scores: Float[np.ndarray, " words"]) -> Float[np.ndarray, " words"]:
    return scores / (float(np.abs(scores).max(initial=0.0)) or 1.0)


def _read(measure: Measure, setting: Setting, given: tuple[Given, Target] | None, raw: Float[Tensor, "n d c"]) -> Score:
    if given is None:
        return Score(math.nan)
    none = np.zeros(0)
    answers = setting.answers(raw, given[1]) if measure.how else Answers(none, none, none.astype(bool))
    return measure.score(setting.case, given[0], answers)


def _spans(result: Attribution) -> dict[tuple[str, Span], float]:
    """Scores of spans that are no words, by level and words."""
    text = result.text
    return {
        (level, text.words_under(span)): float(score)
        for span, level, score in zip(result.spans, result.levels, result.scores, strict=True)
        if level != "word"
    }
