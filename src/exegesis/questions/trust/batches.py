"""All measures of all methods on the texts of a batch, with all perturbed texts in one pool."""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from exegesis.core.errors import UsageError
from exegesis.core.text import Span, Text
from exegesis.engine.answer import outputs
from exegesis.protocols.batch import Batch
from exegesis.protocols.model import Classifier
from exegesis.protocols.target import Link, Target
from exegesis.questions.trust.check import check_model, check_text, label_of, target_of
from exegesis.questions.trust.controls import CONTROLS, GREEDY, LEFT_OUT, LONGEST, RANDOM, Greedy, has, searches
from exegesis.questions.trust.explanations import Explanations
from exegesis.questions.trust.measure import DELETION, Answers, Case, Given, Measure, Score, card_of
from exegesis.questions.trust.measuring.people import Interpretability
from exegesis.questions.trust.pool import Pool, random_scores
from exegesis.results.attribution import Attribution

EQUAL_SHARE = 1e-3  # scores are those of leave-one-out if they differ by a smaller share of the largest score
APART = (Link.SIGMOID, Link.PROBABILITIES)  # each label is decided on its own, at a probability of 0.5
Marks = Sequence[Bool[np.ndarray, " _"] | None]


@dataclass(frozen=True, eq=False)
class Setting:
    """A text with a label, and the number that its explanations explain."""

    row: int
    case: Case
    target: Target
    decided: int

    def answers(self, raw: Float[Tensor, "n d c"], target: Target) -> Answers:
        """The model's answers from its outputs, averaged over draws of words."""
        rows, draws, width = raw.shape
        flat = raw.reshape(rows * draws, width)
        link = target.link
        numbers = target.take(torch.zeros(len(flat), dtype=torch.long)).of(flat)[:, 0].reshape(rows, draws).mean(1)
        each = link.numbers(flat)
        chances = each.reshape(rows, draws, each.shape[1]).mean(1)
        label = link.decide(flat) if draws == 1 else chances.argmax(1)
        index = int(target.index[0, 0])
        if link is Link.IDENTITY:  # numbers do not compete
            label = torch.full_like(label, self.decided)
        same = chances[:, index] > 0.5 if link in APART else label == self.decided
        return Answers(chances[:, index].numpy(), numbers.numpy(), same.numpy())


@dataclass(eq=False)
class Work:
    """The settings of an evaluation, shared by all batches, and its counts.

    ``unchecked`` explanations state nothing that could be checked; ``undecided`` texts are explained for a label that
    is not predicted; ``long`` texts have no greedy removal; ``unlisted`` explanations (by method and label) are not
    about the label of the word lists. ``others`` are the numbers of methods whose scores differ somewhere from those
    of leave-one-out. ``announced`` says how long greedy removal takes, once the first batch has been timed: it gets the
    batch and the seconds of a row.
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
    announced: Callable[[Batch, float], None] | None = None

    def measured(
        self, texts: Sequence[Text], explained: Sequence[Explanations], numbers: Sequence[int]
    ) -> list[tuple[str, list[list[Score]]]]:
        """The label of each text, and for each measure the scores of all methods and controls.

        Raises UsageError for explanations of another text or model, and for methods that explain different labels.
        """
        start = time.perf_counter()
        batch, raw = outputs(self.model, texts)
        if self.announced is not None:
            self.announced(batch, (time.perf_counter() - start) / len(texts))
            self.announced = None
        raw = raw.detach().to("cpu", torch.float64)
        pool = Pool(self.model, batch, raw, self.stock, self.seed)
        scores_of_texts: list[list[list[Score]]] = [[] for _ in texts]
        main = self._settings(texts, raw, [method.results for method in explained], numbers)
        present = [setting for setting in main if setting is not None]
        self.undecided += sum(not setting.case.decided and not setting.case.regression for setting in present)
        greedy = self.controls and any(card_of(measure).controls == DELETION for measure in self.measures)
        self.long += sum(greedy and setting.case.count > LONGEST for setting in present)
        for measure in self.measures:
            results, settings = [method.results for method in explained], main
            if isinstance(measure, Interpretability):
                results = [self._about(measure, method, raw) for method in explained]
                settings = self._settings(texts, raw, results, numbers)
            for row, scores in enumerate(self._scores(measure, settings, results, pool)):
                scores_of_texts[row].append(scores)
        self.counts.update(asked=pool.asked, run=pool.run, calls=pool.calls)
        return [
            ("" if setting is None else setting.case.label, scores)
            for setting, scores in zip(main, scores_of_texts, strict=True)
        ]

    def _about(
        self, measure: Interpretability, explanations: Explanations, raw: Float[Tensor, "b c"]
    ) -> Sequence[Attribution | None]:
        """A method's explanations of the label of word lists: those made for the label, or else those about it."""
        if measure.label in explanations.labelled:
            return explanations.labelled[measure.label]
        results: list[Attribution | None] = []
        for result, row in zip(explanations.results, raw, strict=True):
            about = None if result is None else label_of(target_of(result, self.model, row), self.model.labels)
            results.append(result if about == measure.label else None)
            if result is not None and about != measure.label and measure.concerns(result.text):
                self.unlisted[explanations.name, measure.label] += 1
        return results

    def _settings(
        self,
        texts: Sequence[Text],
        raw: Float[Tensor, "b c"],
        results: Sequence[Sequence[Attribution | None]],
        numbers: Sequence[int],
    ) -> list[Setting | None]:
        """The setting of each text, its explanations checked; None if no method explains it."""
        return [
            self._setting(
                row, text, raw[row], [r for by_text in results if (r := by_text[row]) is not None], numbers[row]
            )
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
            marks = np.zeros(len(text.words), dtype=bool)  # no marks in this text
        index, predicted = int(first.index[0, 0]), int(model.link.decide(raw[None])[0])
        chance = float(chances[index])
        decided = chance > 0.5 if model.link in APART else regression or predicted == index
        return Setting(row, Case(text, labels.pop(), chance, regression, marks, decided), first, predicted)

    def _scores(
        self,
        measure: Measure,
        settings: Sequence[Setting | None],
        results: Sequence[Sequence[Attribution | None]],
        pool: Pool,
    ) -> list[list[Score]]:
        """The scores of a measure for all texts, methods and controls, from one request to the pool."""
        givens = [
            [] if setting is None else [self._given(setting, result[setting.row], pool) for result in results]
            for setting in settings
        ]
        if self.controls:
            for row_givens, beside in zip(givens, self._controls(measure, settings, pool), strict=True):
                self._tell_apart(row_givens, beside)
                row_givens += beside
        asks = [
            [] if setting is None else [[] if g is None else measure.asks(setting.case, g[0]) for g in row_givens]
            for setting, row_givens in zip(settings, givens, strict=True)
        ]
        flat = [[mask for masks in of_text for mask in masks] for of_text in asks]
        raws = pool.raw(measure.how, flat) if measure.how else [torch.zeros(0, 1, 1)] * len(flat)
        width = len(results) + len(CONTROLS) * self.controls
        scores = []
        for setting, row_givens, row_masks, raw in zip(settings, givens, asks, raws, strict=True):
            if setting is None:
                scores.append([Score(math.nan)] * width)
                continue
            parts = torch.split(raw, [len(keeps) for keeps in row_masks]) if measure.how else [raw] * len(row_masks)
            scores.append([_read(measure, setting, g, part) for g, part in zip(row_givens, parts, strict=True)])
        return scores

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
        """Random scores, leave-one-out and greedy removal of each text, if the measure has these controls."""
        how, kind = measure.how or "drop", card_of(measure).controls
        key, none = (how, getattr(measure, "label", "")), [None] * len(settings)
        if has(kind, LEFT_OUT) and ("left", *key) not in pool.kept:
            pool.kept["left", *key] = self._left_out(settings, pool, how)
        words = searches(measure)
        if words and ("greedy", *key) not in pool.kept:
            pool.kept["greedy", *key] = self._greedy(settings, pool, how)
        left_out = pool.kept["left", *key] if has(kind, LEFT_OUT) else none
        greedy = pool.kept["greedy", *key] if words else none
        controls: list[list[tuple[Given, Target] | None]] = []
        for setting, losses, order in zip(settings, left_out, greedy, strict=True):
            if setting is None:
                controls.append([])
                continue
            number = float(setting.target.of(pool.whole[setting.row][None])[0, 0])
            chosen = {RANDOM: random_scores(setting.case.text, number, self.seed), LEFT_OUT: losses, GREEDY: order}
            controls.append(
                [
                    None if (s := chosen[name]) is None else (Given(s, number, number - float(s.sum())), setting.target)
                    for name in CONTROLS
                ]
            )
        return controls

    def _tell_apart(
        self, givens: Sequence[tuple[Given, Target] | None], controls: Sequence[tuple[Given, Target] | None]
    ) -> None:
        """Note the methods whose scores differ from those of leave-one-out, apart from their unit."""
        left_out = controls[CONTROLS.index(LEFT_OUT)] if controls else None
        if left_out is not None:
            scores = _scaled(left_out[0].scores)
            self.others |= {
                k
                for k, given in enumerate(givens)
                if given and np.abs(_scaled(given[0].scores) - scores).max() > EQUAL_SHARE
            }

    def _left_out(
        self, settings: Sequence[Setting | None], pool: Pool, how: str
    ) -> list[Float[np.ndarray, " _"] | None]:
        masks = [
            [] if setting is None else [setting.case.full & ~(1 << word) for word in range(setting.case.count)]
            for setting in settings
        ]
        losses: list[Float[np.ndarray, " _"] | None] = []
        for setting, raw in zip(settings, pool.raw(how, masks), strict=True):
            if setting is None:
                losses.append(None)
                continue
            number = float(setting.target.of(pool.whole[setting.row][None])[0, 0])
            losses.append(number - setting.answers(raw, setting.target).number)
        return losses

    def _greedy(self, settings: Sequence[Setting | None], pool: Pool, how: str) -> list[Float[np.ndarray, " _"] | None]:
        searches = [None if setting is None else Greedy(setting.case) for setting in settings]
        while any(masks := [[] if search is None else search.asks() for search in searches]):
            for setting, search, raw in zip(settings, searches, pool.raw(how, masks), strict=True):
                if setting is not None and search is not None and len(raw):
                    search.take(setting.answers(raw, setting.target).chance)
        return [None if search is None or not search.possible else search.scores() for search in searches]


def _scaled(scores: Float[np.ndarray, " words"]) -> Float[np.ndarray, " words"]:
    return scores / (float(np.abs(scores).max(initial=0.0)) or 1.0)


def _read(measure: Measure, setting: Setting, given: tuple[Given, Target] | None, raw: Float[Tensor, "n d c"]) -> Score:
    if given is None:
        return Score(math.nan)
    none = np.zeros(0)
    answers = setting.answers(raw, given[1]) if measure.how else Answers(none, none, none.astype(bool))
    return measure.score(setting.case, given[0], answers)


def _spans(result: Attribution) -> dict[tuple[str, Span], float]:
    """Scores of spans that are not words, by level and words."""
    text = result.text
    return {
        (level, text.words_under(span)): float(score)
        for span, level, score in zip(result.spans, result.levels, result.scores, strict=True)
        if level != "word"
    }
