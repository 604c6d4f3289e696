"""What all weights of attention between two words together say of them: an arc or none, and which relation."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from exegesis.core.text import Text
from exegesis.data.treebank import Sentence
from exegesis.mech.attending.layout import read, refuse_unless_square
from exegesis.mech.probing.classifiers import Fit
from exegesis.protocols.model import Classifier
from exegesis.results.internals.probes import Probed
from exegesis.statistics.bootstrap import draw_texts, interval, resampled_ratios
from exegesis.study.insides.treebanks import between_words, owners

LAYER = "all attention"
ARC, NONE = "arc", "none"


class Pairs(NamedTuple):
    """Pairs of words, each with its sentence, its label, and the label of the control task."""

    sentences: tuple[int, ...]
    words: tuple[tuple[int, int], ...]
    labels: tuple[str, ...]
    control: tuple[str, ...]


def attention_vectors(model: Classifier, pairs: Sequence[tuple[Sentence, Text]]) -> list[Float[np.ndarray, "f w w"]]:
    """For each sentence, of every two words i and j the weights of all layers and heads from i to j, then from j to i.

    Raises UnsupportedError for a model whose attention does not run from all pieces to all.
    """
    found = []
    for sentence, text in pairs:
        seen = read(model, model.encode([text]))
        refuse_unless_square("the attention probe", model, seen.layout)
        between = between_words(seen, owners(sentence, text), len(sentence.words))
        forth = between.reshape(-1, *between.shape[-2:])
        found.append(np.concatenate([forth, forth.transpose(0, 2, 1)]))
    return found


def pairs_of(sentences: Sequence[Sentence], minimum: int, seed: int) -> dict[str, Pairs]:
    """The examples of both tasks, in the order (dependent, head).

    ``arc``: each dependent with its head, and as often with a word drawn from those that are neither its head nor its
    dependents. ``relation``: each dependent with its head, relations of less than ``minimum`` words left out. The
    control task labels a pair of word types at random, with the same frequencies (Hewitt and Liang 2019).
    """
    draw = random.Random(seed)
    arcs, related = [], []
    for number, sentence in enumerate(sentences):
        for word, head in enumerate(sentence.heads):
            if head < 0 or sentence.relations[word] == "punct":
                continue
            related.append((number, (word, head), sentence.relations[word]))
            others = [
                other for other in range(len(sentence.words))
                if other not in (word, head) and sentence.heads[other] != word
            ]  # fmt: skip
            if others:
                arcs += [(number, (word, head), ARC), (number, (word, draw.choice(others)), NONE)]
    counts: dict[str, int] = {}
    for _, _, label in related:
        counts[label] = counts.get(label, 0) + 1
    related = [one for one in related if counts[one[2]] >= minimum]
    return {name: _controlled(rows, sentences, draw) for name, rows in (("arc", arcs), ("relation", related)) if rows}


def _controlled(
    rows: Sequence[tuple[int, tuple[int, int], str]], sentences: Sequence[Sentence], draw: random.Random
) -> Pairs:
    labels = [label for _, _, label in rows]
    of: dict[tuple[str, ...], str] = {}
    control = [
        of.setdefault(tuple(sentences[number].words[word].lower() for word in words), draw.choice(labels))
        for number, words, _ in rows
    ]
    return Pairs(tuple(row[0] for row in rows), tuple(row[1] for row in rows), tuple(labels), tuple(control))


def probed_pairs(
    name: str, given: Pairs, own: Sequence[Float[np.ndarray, "f w w"]], blank: Sequence[Float[np.ndarray, "f w w"]],
    first: set[int], fit: Fit, samples: int, seed: int,
) -> Probed | None:  # fmt: skip
    """The row of a task: a linear probe of all weights (Ravishankar et al. 2021), fitted to the ``first`` sentences.

    None if one part has too few labels.
    """
    fitting = torch.tensor([number in first for number in given.sentences])
    held = [label for label, inside in zip(given.labels, fitting.tolist(), strict=True) if not inside]
    fitted = [label for label, inside in zip(given.labels, fitting.tolist(), strict=True) if inside]
    if not held or len(set(fitted)) < 2:
        return None
    right = {
        "own": _right(given, own, given.labels, fitting, fit),
        "control": _right(given, own, given.control, fitting, fit),
        "untrained": _right(given, blank, given.labels, fitting, fit),
    }
    numbers, owner = np.unique([number for number in given.sentences if number not in first], return_inverse=True)
    sums = np.stack([np.bincount(owner, row) for row in (right["own"], right["own"] - right["control"])])
    drawn = resampled_ratios(sums, np.bincount(owner).astype(float), draw_texts(len(numbers), samples, seed))
    most = max(sorted(set(fitted)), key=fitted.count)
    nothing = float("nan")
    return Probed(
        name, "pair", "linear", LAYER, len(set(given.labels)), len(held), float(right["own"].mean()),
        *interval(drawn[0], len(numbers)), float(right["control"].mean()), *interval(drawn[1], len(numbers)),
        float(right["untrained"].mean()), float(np.mean([label == most for label in held])), nothing, nothing,
        float(np.log2(len(set(given.labels)))),
    )  # fmt: skip


def _right(
    given: Pairs, vectors: Sequence[Float[np.ndarray, "f w w"]], labels: Sequence[str], fitting: Tensor,
    fit: Callable[..., object],
) -> Float[np.ndarray, " n"]:  # fmt: skip
    places = zip(given.sentences, given.words, strict=True)
    inputs = torch.tensor(np.stack([vectors[number][:, one, other] for number, (one, other) in places]))
    names = sorted(set(labels))
    numbers = torch.tensor([names.index(label) for label in labels])
    probe: object = fit(inputs[fitting], numbers[fitting], len(names))
    found = probe.logs(inputs[~fitting]).argmax(1)  # type: ignore[attr-defined]
    return np.asarray((found == numbers[~fitting]).double().numpy())
