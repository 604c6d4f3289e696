"""What the heads of an encoder make of links between words, beside simple rules."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from exegesis.api import as_model, bar
from exegesis.core.errors import UsageError, unknown
from exegesis.core.text import Text
from exegesis.data.links import Link, Linked, read_coreference, read_negation, reflexives
from exegesis.mech.attending.layout import read, refuse_unless_square
from exegesis.nn.context import entry
from exegesis.protocols.model import Classifier
from exegesis.results.behaviour.study import Asked
from exegesis.results.internals.links import Linking, LinkStudy, Rule
from exegesis.statistics.bootstrap import draw_texts, interval, resampled_ratios
from exegesis.study.insides.treebanks import OFFSETS, because, between_words, owners, read_whole

READERS = {"negation": read_negation, "coreference": read_coreference}
KINDS = (*READERS, "reflexives")
LEAST = 1e-9  # of a share of attention, below which a cross-entropy would have no end


class Followed(NamedTuple):
    """A link in a text by its number: which heads, offsets and rules find a goal, and the confusion of each head."""

    text: int
    right: Float[np.ndarray, "l h"]
    fixed: Float[np.ndarray, " o"]
    rules: dict[str, float]
    confusion: Float[np.ndarray, "l h"] | None
    chance: float


@entry
def links(
    model: Classifier | str,
    data: str | os.PathLike[str] | Sequence[Linked] | None = None,
    kind: str = "negation",
    *,
    limit: int | None = None,
    samples: int = 1000,
    seed: int = 0,
    progress: bool = False,
) -> LinkStudy:
    """Which heads of an encoder follow links between words, over a file of a ``kind``, or texts with links.

    ``negation``: from each word of a scope to the cue (Zhao and Bethard 2020; files of CD-SCO, or of the columns of
    SFU). ``coreference``: from the head of a mention to one of those of its antecedents in three sentences (Clark et
    al. 2019, Sec. 4.3; CoNLL-U with ``Entity=``). ``reflexives``: from "himself" to the noun that it means, in
    sentences that are made here, without a file. For each, the head whose most attended word is most often a goal,
    beside the best fixed offset and the rules of the data (the nearest mention, the same words); and where a link has
    rivals, how far attention is confused between them and the goals (Lin et al. 2019). Attention of a word is the mean
    over its pieces, to a word the sum over its pieces; a head and an offset are chosen on every other text and measured
    on the rest.

    Raises UsageError for an unknown kind, for a file with reflexives and for fewer than two texts that can be read;
    UnsupportedError for a model whose attention does not run from all pieces to all; and the errors of the readers.
    """
    if kind not in KINDS:
        raise unknown("kind of link", kind, KINDS)
    classifier = as_model(model)
    if isinstance(data, str | os.PathLike):
        if kind not in READERS:
            raise UsageError("sentences with reflexives are made here: leave the file out")
        texts = READERS[kind](data)
    elif data is not None:
        texts = list(data)
    elif kind in READERS:
        raise UsageError(f"links of {kind} are read from a file: give one")
    else:
        texts = reflexives(seed=seed)
    found: dict[str, list[Followed]] = defaultdict(list)
    read_texts = words = 0
    complaints = list[str]()
    texts = list(dict.fromkeys(texts))[:limit]  # a text that stands twice is evidence once
    with bar(progress, len(texts), "links") as advance:
        for number, linked in enumerate(texts):
            advance()
            text = read_whole(classifier, linked, complaints)
            if text is None:
                continue
            between = _attention(classifier, linked, text)
            read_texts, words = read_texts + 1, words + len(linked.words)
            for link in linked.links:
                found[link.name].append(_followed(number, link, between))
    rows = [row for name, own in found.items() if (row := _linking(name, own, samples, seed)) is not None]
    if not rows:
        raise UsageError(
            f"too few texts with links can be read by the model word for word: give at least two{because(complaints)}"
        )
    asked = Asked(classifier.name, f"Links(kind={kind!r})", "links", "attention", read_texts, words, False)
    return LinkStudy(asked, tuple(rows))


def _attention(model: Classifier, linked: Linked, text: Text) -> Float[np.ndarray, "l h w w"]:
    """Attention from word to word."""
    found = read(model, model.encode([text]))
    refuse_unless_square("the study of links", model, found.layout)
    if len({len(weights) for weights in found.weights}) > 1:
        raise UsageError(f"the layers of {model.name} have different numbers of heads")
    return between_words(found, owners(linked, text), len(linked.words))


def _followed(number: int, link: Link, between: Float[np.ndarray, "l h w w"]) -> Followed:
    looks = between[:, :, link.source]  # [l, h, w]
    right = np.isin(looks.argmax(-1), link.goals).astype(float)
    fixed = np.array([float(link.source + offset in link.goals) for offset in OFFSETS])
    rules = {name: float(word in link.goals) for name, word in link.rules}
    if not link.rivals:
        return Followed(number, right, fixed, rules, None, np.nan)
    goals, rivals = (looks[..., list(words)].sum(-1) for words in (link.goals, link.rivals))
    share = goals / np.maximum(goals + rivals, LEAST)
    chance = len(link.goals) / (len(link.goals) + len(link.rivals))
    return Followed(number, right, fixed, rules, -np.log(np.maximum(share, LEAST)), -np.log(chance))


def _linking(name: str, found: Sequence[Followed], samples: int, seed: int) -> Linking | None:
    """The best head on odd texts beside the best offset, both chosen on even ones, and the rules."""
    chosen, rest = ([one for one in found if one.text % 2 == part] for part in (0, 1))
    if not chosen or not rest:
        return None
    shape = found[0].right.shape

    def best(values: Float[np.ndarray, "l h"]) -> tuple[int, int]:
        layer, head = np.unravel_index(int(values.argmax()), shape)
        return int(layer), int(head)

    head = best(np.mean([one.right for one in chosen], 0))
    offset = int(np.mean([one.fixed for one in chosen], 0).argmax())
    rows = {
        "head": [one.right[head] for one in rest],
        f"offset {OFFSETS[offset]:+d}": [one.fixed[offset] for one in rest],
    }
    rows |= {rule: [one.rules[rule] for one in rest] for rule in rest[0].rules}
    clear = [one.confusion for one in chosen if one.confusion is not None]
    clearest = best(-np.mean(clear, 0)) if clear else (-1, -1)
    numbers, owner = np.unique([one.text for one in rest], return_inverse=True)
    counts = np.bincount(owner).astype(float)
    draws = draw_texts(len(numbers), samples, seed)

    def drawn(values: Sequence[float]) -> tuple[float, float, float]:
        sums = np.bincount(owner, np.asarray(values))
        return float(np.mean(values)), *interval(resampled_ratios(sums[None], counts, draws)[0], len(numbers))

    rules = tuple(
        Rule(rule, *drawn(values), *drawn(np.subtract(rows["head"], values).tolist())[1:])
        for rule, values in rows.items()
        if rule != "head"
    )
    confused = [one.confusion[clearest] if one.confusion is not None else np.nan for one in rest]
    told = np.isfinite(confused)
    confusion = (np.nan,) * 3
    if clear and told.any():
        owners_told, filled = owner[told], np.asarray(confused)[told]
        sums, parts = (np.bincount(owners_told, value, len(numbers)) for value in (filled, np.ones(len(filled))))
        spread = resampled_ratios(sums[None], parts, draws)[0]
        confusion = (float(filled.mean()), *interval(spread[np.isfinite(spread)], int((parts > 0).sum())))
    chance = float(np.mean([one.chance for one in rest if np.isfinite(one.chance)])) if told.any() else np.nan
    return Linking(
        name, len(rest), head[0] + 1, head[1] + 1, *drawn(rows["head"]), rules, clearest[0] + 1, clearest[1] + 1,
        *confusion, chance,
    )  # fmt: skip
