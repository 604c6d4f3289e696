"""What the model says of many texts, and of texts without some words."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

import numpy as np
import torch
from jaxtyping import Bool, Float

from exegesis.api import read_text
from exegesis.core.text import Text
from exegesis.engine.run import array, finite, in_batches, prediction_of
from exegesis.mech.removal.perturbed import outputs_keeping
from exegesis.protocols.model import Classifier, Raw
from exegesis.results.attribution import Prediction

PART = 4096  # texts read at a time


def predictions(model: Classifier, texts: Sequence[Text]) -> list[Prediction]:
    """What the model says of each text, in order. Raises ModelError where its outputs are not finite."""

    def said(some: Sequence[Text]) -> list[Prediction]:
        raw = finite(model.outputs(model.encode(some)), model, "outputs")
        probabilities, decided = array(model.link.probabilities(raw)), model.link.decide(raw).tolist()
        return [prediction_of(model, probabilities[b], decided[b]) for b in range(len(some))]

    found: dict[int, Prediction] = dict(in_batches(texts, said, "predict"))
    return [found[number] for number in range(len(texts))]


def in_parts(model: Classifier, raws: Sequence[Raw]) -> Iterator[tuple[int, list[Text]]]:
    """Texts read part by part, each part with the number of its first."""
    for start in range(0, len(raws), PART):
        part = raws[start : start + PART]
        yield start, [read_text(model, raw, start + i, len(raws)) for i, raw in enumerate(part)]


def predict_all(
    model: Classifier, raws: Sequence[Raw], advance: Callable[[], object] = lambda: None
) -> list[Prediction]:
    """The same of raw texts, however many."""
    found: list[Prediction] = []
    for _, texts in in_parts(model, raws):
        found += predictions(model, texts)
        for _ in texts:
            advance()
    return found


def without(
    model: Classifier, texts: Sequence[Text], gone: Sequence[Iterable[Iterable[int]]]
) -> list[tuple[Float[np.ndarray, "n l"], list[str]]]:
    """Probabilities and labels of each text without some words: ``gone[i]`` are sets of word numbers of text i."""
    sets = {id(text): [set(one) for one in some] for text, some in zip(texts, gone, strict=True)}

    def said(some: Sequence[Text]) -> list[tuple[Float[np.ndarray, "n l"], list[str]]]:
        batch = model.encode(some)
        owner = [b for b, text in enumerate(some) for _ in sets[id(text)]]
        keep = [_kept(text, words, batch.ids.shape[1]) for text in some for words in sets[id(text)]]
        if not owner:
            return [(np.zeros((0, len(model.labels))), []) for _ in some]
        raw = finite(
            outputs_keeping(model, batch, torch.tensor(owner), torch.tensor(np.array(keep)), "drop"), model, "outputs"
        )
        probabilities, labels = array(model.link.probabilities(raw)), [model.labels[i] for i in model.link.decide(raw)]
        at, found = 0, []
        for text in some:
            stop = at + len(sets[id(text)])
            found.append((probabilities[at:stop], labels[at:stop]))
            at = stop
        return found

    results = dict(in_batches(texts, said, "leave words out"))
    return [results[number] for number in range(len(texts))]


def _kept(text: Text, gone: set[int], width: int) -> Bool[np.ndarray, " t"]:
    keep = np.ones(width, dtype=bool)
    for number in gone:
        keep[slice(*text.words[number])] = False
    return keep
