"""Do the outputs of a model follow a concept? Directions in hidden states, tested against random sets (TCAV)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, cast

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from exegesis.api import as_model, bar
from exegesis.api.inputs import read_texts, several
from exegesis.core.errors import ModelError, TextError, UnsupportedError, UsageError
from exegesis.core.parameters import above, at_least, checked, fitted
from exegesis.core.text import Text
from exegesis.data.concepts import read_concepts
from exegesis.engine.answer import array, finite, in_batches
from exegesis.mech.directions.directions import directions
from exegesis.mech.directions.slopes import mean_states, slopes
from exegesis.nn.context import entry
from exegesis.protocols.insides import Movable, Site, site_of
from exegesis.protocols.model import Classifier, missing
from exegesis.protocols.target import Ask, Link, Wish, ask
from exegesis.results.behaviour.study import Asked
from exegesis.results.internals.concepts import CERTAIN, ConceptAt, ConceptStudy
from exegesis.statistics.significance import holm
from exegesis.study.corpus import Corpus, Data, normal

TAILS = (0.025, 0.975)  # of the random sets, for the range that is shown
Layers = str | Sequence[str]


@checked
@dataclass(frozen=True)
class Trials:
    """How concepts are tested.

    ``sets`` random sets stand beside each concept; every set, the concept's too, is told ``draws`` times from as many
    other examples, at most ``most`` on each side. ``penalty`` is the weight of the squared norm in the classifiers
    (``mech.directions.directions``), ``compared`` the most examples of no concept that are read. ``seed`` gives other
    draws.
    """

    sets: Annotated[int, at_least(19)] = 500
    draws: Annotated[int, at_least(1)] = 2
    most: Annotated[int, at_least(2)] = 40
    compared: Annotated[int, at_least(4)] = 400
    penalty: Annotated[float, above(0)] = 0.01
    seed: int = 0


@entry
def concepts(
    model: Classifier | str,
    data: Data,
    concepts: object,
    layers: Layers = "all",
    target: Wish = None,
    *,
    compared: object = None,
    sentences: bool = False,
    within: bool = False,
    progress: bool = False,
    **parameters: Any,
) -> ConceptStudy:
    """How far a number of a model follows concepts in its hidden states (Kim et al. 2018, TCAV).

    ``data`` are the texts whose outputs are asked about: texts, examples or the path of a file. ``concepts`` are
    examples by the name of each concept: a mapping, or files of a word a line (``sentences``: of a text a line), each
    read by the model as a text of its own; with ``within``, a concept's examples are the compared texts that hold one
    of its words, and the others are those that hold none. ``compared`` are examples of no concept, by default the words
    of ``data`` where every example is a single word, else its texts. ``layers`` are sites as for ``information``;
    states of several steps are averaged.

    ``target`` is one number, the same for all texts: by default the margin of the second of two labels, or what a
    single output says. ``parameters`` are those of ``Trials``.

    Raises UnsupportedError for a model whose hidden states cannot be moved and where moving a layer changes no output,
    TextError for a concept with fewer than two examples that the model knows, UsageError for too few compared examples
    or random sets, an unknown layer, and several targets.
    """
    classifier, trials = as_model(model), Trials(**fitted(Trials, "concepts", parameters))
    for name, reason in missing(classifier, Movable).items():
        raise UnsupportedError(f"the model {classifier.name} is not {name.lower()}: {reason}")
    choice = _single(classifier, target)
    named = read_concepts(concepts, whole=sentences)
    corpus = Corpus.of(data, None, classifier.labels)
    texts = read_texts(classifier, corpus.raws)
    listed = None if compared is None else several(compared) or [compared]
    sets, others = _examples(classifier, named, texts, listed, within, trials)
    seen = _Seen(cast(Movable, classifier), _named_layers(layers), choice)
    everything = [*texts, *others, *(text for one in sets.values() for text in one)]
    _enough(trials.sets, len(sets) * len(seen.found(texts)))
    with bar(progress, len(everything), "concepts") as advance:
        states = seen.run([*others, *(text for one in sets.values() for text in one)], advance, slope=False)
        found = seen.run(texts, advance, slope=True)
    rows = _tested(seen.sites, sets, len(others), states, found, trials, classifier.name)
    asked = Asked(classifier.name, repr(trials), "concepts", _target_name(choice, classifier), len(texts),
                  sum(len(text.words) for text in texts), True)  # fmt: skip
    return ConceptStudy(asked, len(others), trials.sets, within, tuple(rows))


def _enough(sets: int, tests: int) -> None:
    """Raise UsageError if no concept could be told from random sets, all concepts and layers together."""
    needed = round(tests / CERTAIN) - 1
    if sets < needed:
        raise UsageError(
            f"{sets} random sets cannot tell a concept from chance at {tests} concepts and layers together: take "
            f"sets={needed} or more, or fewer layers"
        )


def _single(model: Classifier, target: Wish) -> Ask:
    """The one number of all texts. Raises UsageError if it is not one."""
    if target is None:
        if model.link is Link.IDENTITY and len(model.labels) == 1:
            return Ask("logit", (0,))
        if len(model.labels) == 2 and model.link is not Link.IDENTITY:
            plain = model.link in (Link.BINARY, Link.SIGMOID)
            return Ask("logit", (1,)) if plain else Ask("margin", (1, 0))
        raise UsageError(
            f"name the number that may follow a concept, the same for all texts: target='{model.labels[0]}' or another "
            f"of {', '.join(model.labels[:8])}"
        )
    choice = ask(target, model.labels, model.link)
    if not choice.labels or choice.count != 1:
        raise UsageError(
            f"a concept is tested on one number, the same for all texts: a label or a margin, not {target!r}"
        )
    return choice


def _target_name(choice: Ask, model: Classifier) -> str:
    return f"{model.link.called(choice.kind)}:{','.join(model.labels[number] for number in choice.labels)}"


def _named_layers(layers: Layers) -> tuple[str, ...]:
    named = layers.split(",") if isinstance(layers, str) else map(str, layers)
    found = tuple(name.strip() for name in named if name.strip())
    if not found:
        raise UsageError("no layer is named; take layers='all', or names such as 'layer 1' and 'pooled'")
    return found


def _examples(
    model: Classifier, named: Mapping[str, Sequence[str]], texts: Sequence[Text], listed: Sequence[Any] | None,
    within: bool, trials: Trials,
) -> tuple[dict[str, list[Text]], list[Text]]:  # fmt: skip
    """The examples of each concept, and those of none, as texts that the model reads."""
    draws = np.random.default_rng(trials.seed)
    words = all(len(example.split()) == 1 for examples in named.values() for example in examples)
    if within:
        pool = list(texts) if listed is None else read_texts(model, listed)
        holds = {name: [_holds(text, examples) for text in pool] for name, examples in named.items()}
        sets = {name: [text for text, held in zip(pool, hits, strict=True) if held] for name, hits in holds.items()}
        rest = [text for number, text in enumerate(pool) if not any(hits[number] for hits in holds.values())]
    else:
        sets = {name: _known(model, examples) for name, examples in named.items()}
        taken = {normal(example) for examples in named.values() for example in examples}
        if listed is not None:
            rest = read_texts(model, listed)
        elif words:
            spelled = sorted({normal(word) for text in texts for word in text.word_strings()} - taken)
            rest = _known(model, [word for word in spelled if any(map(str.isalnum, word))])
        else:
            rest = [text for text in texts if normal(text.raw) not in taken]
    for name, found in sets.items():
        if len(found) < 2:
            how = "compared texts hold a word of it" if within else "of its examples are known to the model"
            raise TextError(
                f"the concept {name!r} has {len(found)} examples: at least two {how}, or there is no direction"
            )
    kept = [rest[row] for row in sorted(draws.permutation(len(rest))[: trials.compared].tolist())]
    needed = max(min(len(found), trials.most) for found in sets.values())
    if len(kept) < needed:
        raise UsageError(
            f"{len(kept)} examples of no concept are too few beside {needed} of a concept: give more as compared="
        )
    return sets, kept


def _holds(text: Text, words: Sequence[str]) -> bool:
    own = {normal(word) for word in text.word_strings()}
    return any(normal(word) in own for word in words)


def _known(model: Classifier, examples: Sequence[str]) -> list[Text]:
    """The examples that hold a piece that the model knows."""
    unknown, found = model.tokens.get("unknown"), list[Text]()
    for example in examples:
        try:
            text = model.read(example)
        except TextError:
            continue
        pieces = [text.ids[piece] for word in text.words for piece in range(word.start, word.stop)]
        if any(piece != unknown for piece in pieces):
            found.append(text)
    return found


class _Seen:
    """States and slopes of texts at sites, which the first text names."""

    def __init__(self, model: Movable, layers: Sequence[str], choice: Ask) -> None:
        self.model, self.layers, self.choice = model, layers, choice
        self.sites: list[Site] = []

    def run(
        self, texts: Sequence[Text], advance: Callable[..., object], *, slope: bool
    ) -> list[Float[np.ndarray, "n _"]]:
        """For each site a row for each text: its state, or the slope of the number by it."""
        rows: dict[int, list[np.ndarray]] = {}
        for number, row in in_batches(texts, lambda part: self._batch(part, slope), "concepts", self.model):
            rows[number] = row
            advance()
        return [np.stack([rows[number][at] for number in range(len(texts))]) for at in range(len(self.sites))]

    def found(self, texts: Sequence[Text]) -> list[Site]:
        """Find the sites, on the longest of the texts."""
        batch = self.model.encode([max(texts, key=len)])
        found, sites = self.model.sites(batch), dict[str, Site]()
        for name in self.layers:
            every = [site for site in found.values() if site.layered] if name == "all" else []
            for site in every or [site_of(name, found)]:
                sites[str(site.place)] = site
        self.sites = list(sites.values())
        return self.sites

    def _batch(self, texts: Sequence[Text], slope: bool) -> list[list[np.ndarray]]:
        batch, lengths = self.model.encode(texts), [len(text) for text in texts]
        rows: dict[int, list[np.ndarray]] = {}
        for length in dict.fromkeys(lengths):
            own = [row for row, other in enumerate(lengths) if other == length]
            part = batch.take(torch.tensor(own))
            values = (
                slopes(self.model, part, self.sites, self.choice)
                if slope
                else mean_states(self.model, part, self.sites)
            )
            for site, value in zip(self.sites, values, strict=True):
                finite(value, self.model, f"{'slopes' if slope else 'states'} at {site.place}")
            rows.update((row, [array(value[at]) for value in values]) for at, row in enumerate(own))
        return [rows[row] for row in range(len(texts))]


def _tested(
    sites: Sequence[Site], sets: Mapping[str, Sequence[Text]], others: int, states: Sequence[np.ndarray],
    found: Sequence[np.ndarray], trials: Trials, model: str,
) -> list[ConceptAt]:  # fmt: skip
    """The rows of the study: every concept at every site."""
    rows, first = list[ConceptAt](), others
    for name, examples in sets.items():
        members = np.arange(first, first + len(examples))
        first += len(examples)
        everyone = np.concatenate([members, np.arange(others)])
        for site, state, slope in zip(sites, states, found, strict=True):
            if not slope.any():
                raise UnsupportedError(
                    f"moving the states at {site.place} changes no output of {model}: what is above reads another "
                    "thing; take another layer"
                )
            try:
                rows.append(_row(name, str(site.place), state[everyone], len(examples), slope, trials))
            except ModelError as error:
                raise ModelError(f"{site.place}, concept {name!r}: {error}") from None
    score = holm(np.array([row.score_p for row in rows]))
    effect = holm(np.array([row.effect_p for row in rows]))
    return [row._replace(score_p=float(s), effect_p=float(e)) for row, s, e in zip(rows, score, effect, strict=True)]


def _row(
    name: str, layer: str, states: Float[np.ndarray, "n h"], count: int, slope: Float[np.ndarray, "b h"], trials: Trials
) -> ConceptAt:
    """A concept at a site; the first ``count`` states are its examples', the others those of no concept.

    A random set takes as many of all these examples; if the concept were nothing, it would be one more of them.
    """
    rng = np.random.default_rng([trials.seed, count])
    total, size = len(states), min(count, trials.most)
    chosen = [np.arange(count), *(rng.permutation(total)[:count] for _ in range(trials.sets))]
    positive, negative = _drawn(chosen, total, size, trials.draws, rng)
    rows = torch.from_numpy(states)
    normals, _ = directions(rows, positive, negative, trials.penalty)
    spread = (rows @ normals.t()).std(0)
    moved = (torch.from_numpy(slope) @ (normals * spread[:, None]).t()).view(len(slope), len(chosen), trials.draws)
    scores = array((moved > 0).double().mean((0, 2)))
    effects = array(moved.mean((0, 2)))
    direction = (normals * spread[:, None])[: trials.draws].mean(0)
    return ConceptAt(
        name, layer, count, _accuracy(rows, positive[: trials.draws], negative[: trials.draws], trials.penalty),
        *_placed(scores, 0.5), *_placed(effects, 0.0), array(direction),
    )  # fmt: skip


def _drawn(
    chosen: Sequence[Int[np.ndarray, " _"]], total: int, size: int, draws: int, rng: np.random.Generator
) -> tuple[Int[Tensor, "k m"], Int[Tensor, "k m"]]:
    """For every set ``draws`` times some of its rows and as many of the others."""
    inside, outside = [], []
    for rows in chosen:
        rest = np.setdiff1d(np.arange(total), rows)
        for _ in range(draws):
            inside.append(rng.permutation(rows)[:size])
            outside.append(rng.permutation(rest)[:size])
    return torch.from_numpy(np.stack(inside)), torch.from_numpy(np.stack(outside))


def _placed(values: Float[np.ndarray, " sets"], middle: float) -> tuple[float, float, float, float]:
    """A concept's number, the range of those of random sets, and its p value."""
    low, high = np.quantile(values[1:], TAILS)
    return float(values[0]), float(low), float(high), _rank(np.abs(values - middle))


def _rank(sizes: Float[np.ndarray, " sets"]) -> float:
    """The share of sets, the concept's own included, that reach its size: exact if it is one of them by chance."""
    return float((1 + (sizes[1:] >= sizes[0] - 1e-12).sum()) / len(sizes))


def _accuracy(states: Tensor, positive: Tensor, negative: Tensor, penalty: float) -> float:
    """The share of held-out examples on the right side, the halves of each draw in turn."""
    half, right = positive.shape[1] // 2, list[Tensor]()
    if not half:
        return float("nan")
    parts = (slice(0, half), slice(half, 2 * half))
    for fitted_on, held in (parts, parts[::-1]):
        normal_, threshold = directions(states, positive[:, fitted_on], negative[:, fitted_on], penalty)
        above_ = torch.einsum("kmh,kh->km", states[positive[:, held]], normal_) > threshold[:, None]
        below = torch.einsum("kmh,kh->km", states[negative[:, held]], normal_) <= threshold[:, None]
        right += [above_, below]
    return float(torch.cat(right).double().mean())
