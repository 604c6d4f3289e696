"""Predictions for many texts, and for texts without some of their words."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

import numpy as np
import torch
from jaxtyping import Bool, Float

from exegesis.api import read_text
from exegesis.core.text import Text
from exegesis.engine import answer
from exegesis.engine.answer import array, finite, in_batches, one_per_text, outputs
from exegesis.mech.removal.perturbed import outputs_keeping
from exegesis.protocols.model import Classifier, Raw
from exegesis.results.attribution import Prediction

MAX_READ = 4096  # texts read at a time


def predictions(model: Classifier, texts: Sequence[Text]) -> list[Prediction]:
    """The prediction of each text, in order, with all labels. Raises ModelError if outputs are not finite."""

    def predict(part: Sequence[Text]) -> list[Prediction]:
        return answer.predictions(model, outputs(model, part)[1], most=len(model.labels))

    return one_per_text(in_batches(texts, predict, "predict", model))


def in_parts(model: Classifier, raws: Sequence[Raw]) -> Iterator[tuple[int, list[Text]]]:
    """Read texts part by part; each part with the number of its first text."""
    for start in range(0, len(raws), MAX_READ):
        part = raws[start : start + MAX_READ]
        yield start, [read_text(model, raw, start + i, len(raws)) for i, raw in enumerate(part)]


def predict_all(
    model: Classifier, raws: Sequence[Raw], advance: Callable[..., object] = lambda: None
) -> list[Prediction]:
    """The model's prediction for each raw text, however many there are."""
    predicted: list[Prediction] = []
    for _, texts in in_parts(model, raws):
        predicted += predictions(model, texts)
        for _ in texts:
            advance()
    return predicted


def without(
    model: Classifier, texts: Sequence[Text], removed: Sequence[Iterable[Iterable[int]]]
) -> list[tuple[Float[np.ndarray, "n l"], list[str]]]:
    """Probabilities and labels for each text without some words; ``removed[i]`` are sets of word numbers of text i."""
    sets = {id(text): [set(words) for words in of_text] for text, of_text in zip(texts, removed, strict=True)}

    def predict(part: Sequence[Text]) -> list[tuple[Float[np.ndarray, "n l"], list[str]]]:
        batch = model.encode(part)
        owner = [b for b, text in enumerate(part) for _ in sets[id(text)]]
        keep = [_keep(text, words, batch.ids.shape[1]) for text in part for words in sets[id(text)]]
        if not owner:
            return [(np.zeros((0, len(model.labels))), []) for _ in part]
        raw = finite(
            outputs_keeping(model, batch, torch.tensor(owner), torch.tensor(np.array(keep)), "drop"), model, "outputs"
        )
        probabilities, labels = array(model.link.probabilities(raw)), [model.labels[i] for i in model.link.decide(raw)]
        start, answers = 0, []
        for text in part:
            stop = start + len(sets[id(text)])
            answers.append((probabilities[start:stop], labels[start:stop]))
            start = stop
        return answers

    return one_per_text(in_batches(texts, predict, "leave words out", model))


def _keep(text: Text, removed: set[int], width: int) -> Bool[np.ndarray, " t"]:
    keep = np.ones(width, dtype=bool)
    for number in removed:
        keep[slice(*text.words[number])] = False
    return keep
