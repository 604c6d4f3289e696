"""What the heads of an encoder know: dependencies beside fixed offsets, tags, special pieces; what they are worth."""

from __future__ import annotations

import os
from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from exegesis.api import as_model, bar
from exegesis.core.errors import UsageError
from exegesis.core.text import Text
from exegesis.data.treebank import Sentence, read_treebank
from exegesis.engine.answer import array
from exegesis.mech.attending.interventions import total_variation
from exegesis.mech.attending.layout import Read, outputs_with, read, refuse_unless_square
from exegesis.nn.context import entry
from exegesis.protocols.batch import Batch
from exegesis.protocols.budget import budget_for
from exegesis.protocols.model import Classifier, Differentiable, offers
from exegesis.protocols.target import Ask, Link
from exegesis.results.behaviour.study import Asked
from exegesis.results.internals.heads import HeadStudy, Relation
from exegesis.statistics.bootstrap import draw_texts, interval, owners_of, resampled_ratios
from exegesis.study.insides.treebanks import OFFSETS, because, between_words, owners, read_whole

DIRECTIONS = ("to head", "to dependent")
NEAR = {"previous": -1, "same": 0, "next": 1}
Hits = dict[tuple[str, str], list[tuple[int, Float[np.ndarray, "l h"], Float[np.ndarray, " o"]]]]


@entry
def heads(
    model: Classifier | str,
    data: str | os.PathLike[str] | Sequence[Sentence],
    *,
    limit: int | None = None,
    minimum: int = 20,
    tried: int = 20,
    samples: int = 1000,
    seed: int = 0,
    progress: bool = False,
) -> HeadStudy:
    """What every head of an encoder attends to, over the sentences of a treebank (a file in CoNLL-U, or its sentences).

    For each relation of at least ``minimum`` words: the head whose most attended word is most often the right one, from
    the dependent to its head or back, beside the fixed offset that is (Clark et al. 2019, Sec. 4.2; Htut et al. 2019).
    Both are chosen on every other sentence and measured on the others, so that the best of many heads has no luck on
    its side; copies of a sentence stay together, in either half and in the intervals. A word's attention is the mean
    over its pieces, attention to a word the sum over its pieces; special pieces are never the most attended word.

    Also, for each head: the share of attention to special pieces, to each part of speech, how often the most attended
    word is the previous one, the next or the word itself; and on the first ``tried`` sentences, what it is worth: the
    size of the derivative of the predicted class by a gate on it, and how far the prediction moves (total variation)
    without it (not for a regression, which predicts no class).

    Raises UsageError if no relation is frequent enough; UnsupportedError for a model whose attention does not run from
    all pieces to all; and the errors of ``read_treebank``.
    """
    classifier = as_model(model)
    decides = classifier.link is not Link.IDENTITY
    sentences = list(read_treebank(data) if isinstance(data, str | os.PathLike) else data)[:limit]
    contents = owners_of([sentence.text for sentence in sentences]).tolist()
    hits: Hits = defaultdict(list)
    near: dict[str, list[np.ndarray]] = {name: [] for name in NEAR}
    special: list[np.ndarray] = []
    tags: dict[str, list[np.ndarray]] = defaultdict(list)
    worth, cost, words = list[np.ndarray](), list[np.ndarray](), 0
    complaints = list[str]()
    with bar(progress, len(sentences), "heads") as advance:
        for number, sentence in enumerate(sentences):
            advance()
            text = read_whole(classifier, sentence, complaints)
            if text is None or len(sentence.words) < 2:
                continue
            batch = classifier.encode([text])
            slopes = number < tried and decides and offers(classifier, Differentiable)
            target = Ask("logit" if not classifier.link.hidden else "probability")
            asked: Any = (lambda raw, target=target: target.of(raw, classifier.link).of(raw)) if slopes else None
            found = read(classifier, batch, asked)
            refuse_unless_square("the study of heads", classifier, found.layout)
            if len({len(weights) for weights in found.weights}) > 1:
                raise UsageError(f"the layers of {classifier.name} have different numbers of heads")
            owned = owners(sentence, text)
            words += len(sentence.words)
            between = between_words(found, owned, len(sentence.words))
            _count(sentence, contents[number], between, hits, near, tags)
            special.append(_to_special(found, text))
            if slopes:
                worth.append(_importance(found))
                cost.append(_cost(classifier, batch, found))
    if not special:
        raise UsageError(f"no sentence of the treebank can be read by the model word for word{because(complaints)}")
    frequent = [name for name, count in Counter({n: len(hits[n, DIRECTIONS[0]]) for n, _ in hits}).most_common()
                if count >= minimum]  # fmt: skip
    relations = [row for name in frequent if (row := _relation(name, hits, samples, seed)) is not None]
    if not relations:
        raise UsageError(
            f"no relation occurs {minimum} times, and in two different sentences: give more sentences, or a smaller "
            "minimum"
        )
    nothing = np.zeros_like(special[0])
    name = Asked(classifier.name, "Heads()", "heads", "logit:predicted", len(special), words, False)
    return HeadStudy(
        name, tuple(relations), np.mean(special, 0),
        {which: np.mean(rows, 0) for which, rows in near.items()},
        {tag: np.mean(rows, 0) for tag, rows in sorted(tags.items()) if len(rows) >= minimum},
        np.mean(worth, 0) if worth else nothing, np.mean(cost, 0) if cost else nothing, len(worth),
    )  # fmt: skip


def _to_special(found: Read, text: Text) -> Float[np.ndarray, "l h"]:
    """The share of attention of ordinary pieces that goes to special ones."""
    special = torch.tensor(text.special)
    return np.stack([array(one[:, ~special][:, :, special].sum(-1).mean(-1)) for one in found.weights])


def _count(
    sentence: Sentence, number: int, between: Float[np.ndarray, "l h w w"], hits: Hits,
    near: dict[str, list[np.ndarray]], tags: dict[str, list[np.ndarray]],
) -> None:  # fmt: skip
    """Count, for every arc and every head, whether the most attended word is the other end of the arc; ``number`` is
    that of the sentence's text."""
    most, size = between.argmax(-1), len(sentence.words)  # [l, h, w]
    for which, offset in NEAR.items():
        near[which].append((most == np.arange(size) + offset).mean(-1))
    for tag in set(sentence.tags):
        tags[tag].append(between[..., np.array(sentence.tags) == tag].sum(-1).mean(-1))
    for word, (head, relation) in enumerate(zip(sentence.heads, sentence.relations, strict=True)):
        if head < 0 or relation == "punct":
            continue
        for direction, (source, goal) in zip(DIRECTIONS, ((word, head), (head, word)), strict=True):
            right = (most[:, :, source] == goal).astype(float)
            fixed = np.array([float(source + offset == goal) for offset in OFFSETS])
            hits[relation, direction].append((number, right, fixed))


def _relation(name: str, hits: Hits, samples: int, seed: int) -> Relation | None:
    """The best head of a relation on odd sentences beside the best offset, both chosen on even ones."""
    best: tuple[float, str, int] | None = None
    offset, most = 0, -1.0
    for direction in DIRECTIONS:
        chosen = [(right, fixed) for number, right, fixed in hits[name, direction] if number % 2 == 0]
        if not chosen:
            return None
        right, fixed = (np.mean([one[part] for one in chosen], 0) for part in (0, 1))
        if best is None or right.max() > best[0]:
            best = float(right.max()), direction, int(right.argmax())
            offset, most = int(fixed.argmax()), float(fixed.max())
    assert best is not None
    _, direction, place = best
    rows = [(number, right.ravel()[place], fixed[offset])
            for number, right, fixed in hits[name, direction] if number % 2]  # fmt: skip
    if not rows or most < 0:
        return None
    numbers, sentence = np.unique([row[0] for row in rows], return_inverse=True)
    values = np.array([[row[1], row[2]] for row in rows])
    sums = np.stack([np.bincount(sentence, values[:, part]) for part in (0, 1)])
    counts = np.bincount(sentence).astype(float)
    drawn = resampled_ratios(sums, counts, draw_texts(len(numbers), samples, seed))
    ends = [interval(row, len(numbers)) for row in (drawn[0], drawn[1], drawn[0] - drawn[1])]
    count = hits[name, direction][0][1].shape[1]
    means = values.mean(0)
    return Relation(
        name, len(rows), place // count + 1, place % count + 1, direction, float(means[0]), *ends[0], OFFSETS[offset],
        float(means[1]), *ends[1], *ends[2],
    )  # fmt: skip


def _importance(found: Read) -> Float[np.ndarray, "l h"]:
    """|sum A dS/dA| of each head: the derivative by a gate on it."""
    pairs = zip(found.weights, found.by_weights, strict=True)
    return np.stack([array((weights * slopes).sum((1, 2)).abs()) for weights, slopes in pairs])


def _cost(model: Classifier, batch: Batch, found: Read) -> Float[np.ndarray, "l h"]:
    """The total variation of the probabilities without each head: what it brings is zero."""
    layers, count = len(found.weights), len(found.weights[0])
    places = [(layer, head) for layer in range(layers) for head in range(count)]
    step = budget_for("perturbed", batch.device).rows_of(batch.ids.shape[1])
    own = model.link.probabilities(model.outputs(batch)).double()
    moved = []
    for start in range(0, len(places), step):
        part = places[start : start + step]

        def change(place: int, rows: slice, weights: Tensor, part: list[tuple[int, int]] = part) -> Tensor:
            changed = weights.clone()
            for row, (layer, head) in enumerate(part[rows]):
                if layer == place:
                    changed[row, head] = 0.0
            return changed

        raw = outputs_with(model, batch.take(torch.zeros(len(part), dtype=torch.long)), found.layout, change)
        moved.append(total_variation(model.link.probabilities(raw).double(), own))
    return array(torch.cat(moved)).reshape(layers, count)
