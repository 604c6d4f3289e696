"""What the layers of models hold of a corpus's words."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from exegesis.api import as_model, bar
from exegesis.api.inputs import in_order, read_texts
from exegesis.core.errors import UsageError
from exegesis.core.parameters import fitted
from exegesis.models.modules.wrap import wrap
from exegesis.models.tagger import Tagger, default_tagger, universal
from exegesis.models.trained.folder import TrainedClassifier
from exegesis.nn.context import entry
from exegesis.protocols.model import Classifier
from exegesis.protocols.target import ask
from exegesis.questions.inside.information import Layers, Measure
from exegesis.questions.inside.information import information as informed
from exegesis.results.behaviour.study import Asked
from exegesis.results.internals.information import DISCARDED, MINIMUM, NONE, Information
from exegesis.results.internals.information_study import InformationStudy, LayerHeld, Survivor
from exegesis.statistics.bootstrap import Spread, spread
from exegesis.study.corpus import Corpus, Data, normal

CONTENT = ("NOUN", "VERB", "ADJ", "ADV")
HELD_MOST = 5  # of so many words of a text, one is among those held most
NAMED = 12  # words of each model


@entry
def information(
    models: Classifier | str | Sequence[Classifier | str],
    data: Data,
    layers: Layers = "all",
    *,
    tagger: Tagger | None = None,
    draws: int = 1000,
    bootstrap_seed: int = 0,
    progress: bool = False,
    **parameters: Any,
) -> InformationStudy:
    """Compare what the layers of models hold of the words of a corpus (Guan et al. 2019).

    ``models`` is a model or several, ``data`` texts, examples or the path of a file, which also normalise the states of
    every model. ``layers`` and ``parameters`` are those of ``exegesis.information``; all models have one rate.
    Words are content words by the tags of ``tagger``, by default the bundled one. Intervals are a bootstrap of
    ``draws`` draws of texts.

    Raises like ``exegesis.information``, and UsageError for no models, no texts, or two models of one name.
    """
    listed: list[Any] = list(models) if isinstance(models, list | tuple) else [models]
    opened = [as_model(model) for model in listed]
    names = [model.name for model in opened]
    if not names or len(set(names)) < len(names):
        raise UsageError(f"a study takes models of different names, not {', '.join(names) or 'none'}")
    measure = Measure(**fitted(Measure, "information", parameters))
    corpus, assign = Corpus.of(data, None, opened[0].labels), tagger or default_tagger()
    rows, survivors, words = list[LayerHeld](), list[Survivor](), 0
    with bar(progress, len(corpus) * len(opened), "information") as advance:
        for model in opened:
            texts = read_texts(model, corpus.raws)
            choice = ask(None, model.labels, model.link)
            results = in_order(informed(model, texts, measure, choice, layers, texts), advance)
            words = words or sum(len(result.words) for result in results)
            rows += _rows(results, assign, draws, bootstrap_seed)
            survivors += _survivors(results)
    asked = Asked(" · ".join(names), repr(measure), "information", "logit:predicted", len(corpus), words, False)
    return InformationStudy(asked, measure.rate, tuple(rows), tuple(survivors))


class Epochs:
    """Hears of every epoch of a training, and measures what the layers hold then (Guan et al. 2019, Figure 9).

    ``exegesis.models.trained.training.train(..., each=Epochs(texts))``; ``study`` has the epochs so far in the place of
    models. ``layers`` and ``parameters`` are those of ``information``, ``data`` the texts, which also normalise.
    """

    def __init__(self, data: Data, layers: Layers = "all", *, tagger: Tagger | None = None, **parameters: Any) -> None:
        self.data, self.layers, self.tagger, self.parameters = data, layers, tagger, parameters
        self._studies: list[InformationStudy] = []

    def __call__(self, number: int, trained: TrainedClassifier) -> None:
        name = f"epoch {number}"
        model = wrap(trained.module, vocabulary=trained.vocabulary, labels=trained.labels, name=name)
        self._studies.append(information(model, self.data, self.layers, tagger=self.tagger, **self.parameters))

    @property
    def study(self) -> InformationStudy:
        """The epochs so far. Raises UsageError before the first."""
        if not self._studies:
            raise UsageError("no epoch is over; give this to a training as each=")
        first = self._studies[0]
        asked = first.asked._replace(model=" · ".join(study.asked.model for study in self._studies))
        rows = tuple(row for study in self._studies for row in study.rows)
        survivors = tuple(one for study in self._studies for one in study.survivors)
        return InformationStudy(asked, first.rate, rows, survivors)


def _rows(results: Sequence[Information], assign: Tagger, samples: int, seed: int) -> Iterator[LayerHeld]:
    """The layers of one model, those of its first text."""
    content = [np.array([universal(tag) in CONTENT for tag in assign(list(one.words))], dtype=bool) for one in results]
    before: np.ndarray | None = None
    for at, layer in enumerate(results[0].layers):
        discarded = np.array([result.discarded[at] for result in results])
        kept = [result.kept[at] for result in results]
        both = [(k[c].mean(), k[~c].mean()) for k, c in zip(kept, content, strict=True) if c.any() and not c.all()]
        states = [state for result in results for state in result.states[at]]
        total = _spread(discarded, samples, seed)
        more = _spread(np.full_like(discarded, np.nan) if before is None else discarded - before, samples, seed)
        gap = _spread(np.array([a - b for a, b in both]), samples, seed)
        yield LayerHeld(
            results[0].model, layer, total.texts, total.mean, total.mean_low, total.mean_high,
            more.mean, more.mean_low, more.mean_high, float(np.concatenate(kept).mean()),
            _mean([a for a, _ in both]), _mean([b for _, b in both]), gap.mean, gap.mean_low, gap.mean_high,
            sum(state in (MINIMUM, DISCARDED) for state in states) / len(states), states.count(NONE) / len(states),
        )  # fmt: skip
        before = discarded


def _spread(values: np.ndarray, samples: int, seed: int) -> Spread:
    """The spread of one number for each text, of those that have one."""
    there = np.flatnonzero(np.isfinite(values))
    if not len(there):
        return Spread(0, 0, *[math.nan] * 11)
    return spread(values[there], there, samples, seed)


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(values)) if len(values) else math.nan


def _survivors(results: Sequence[Information]) -> list[Survivor]:
    """The words most often among those that the last layer holds most."""
    held, seen = Counter[str](), Counter[str]()
    for result in results:
        kept = result.kept[-1]
        best = np.argsort(-kept, kind="stable")[: max(1, len(kept) // HELD_MOST)]
        seen.update({normal(word) for word in result.words})
        held.update({normal(result.words[number]) for number in best if kept[number] > 0})
    ranked = sorted(held, key=lambda word: (-held[word], word))[:NAMED]
    return [Survivor(results[0].model, word, held[word], seen[word]) for word in ranked]
