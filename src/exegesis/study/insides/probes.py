"""What do hidden states hold of words and sentences? Probes, each beside a control task and an untrained model."""

from __future__ import annotations

import os
import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any, NamedTuple, cast

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from exegesis.api import as_model, bar
from exegesis.core.errors import UnsupportedError, UsageError, unknown
from exegesis.core.parameters import above, at_least, checked, fitted
from exegesis.core.text import Text
from exegesis.data.treebank import Sentence, read_treebank
from exegesis.engine.answer import in_batches
from exegesis.mech.probing.classifiers import Fit, linear, perceptron
from exegesis.mech.probing.description import online_code, shuffled_together, uniform_code
from exegesis.nn.context import entry
from exegesis.nn.untrained import shuffled
from exegesis.protocols.insides import Layered, Site, site_of
from exegesis.protocols.model import Classifier, missing
from exegesis.results.behaviour.study import Asked
from exegesis.results.internals.probes import Probed, ProbeStudy, Structure
from exegesis.statistics.bootstrap import draw_texts, interval, resampled_ratios
from exegesis.study.insides.attention_probe import attention_vectors, pairs_of, probed_pairs
from exegesis.study.insides.properties import PROPERTIES, Labelled, labelled
from exegesis.study.insides.treebanks import because, owners, read_whole
from exegesis.study.insides.trees import structures as trees_of

PROBES = ("linear", "mlp", "structure")
ATTENTION = "attention"  # the probe of all weights of attention, which is named if it is wanted
SHARE = 0.7  # of the sentences that probes are fitted to
States = dict[str, list[Float[Tensor, "t d"]]]  # by layer, the states of each sentence: one step or one a word


@checked
@dataclass(frozen=True)
class Probing:
    """How states are probed.

    ``penalty`` weighs the squared norm of a linear probe, for states that are scaled to a mean square of 1; ``hidden``
    are the units of the probe mlp, trained for ``epochs``; ``rank`` bounds the dimensions of structural probes. Labels
    that occur less than ``minimum`` times are left out. ``samples`` are those of the bootstrap over sentences.
    """

    penalty: Annotated[float, above(0)] = 0.01
    hidden: Annotated[int, at_least(1)] = 32
    epochs: Annotated[int, at_least(1)] = 20
    rank: Annotated[int, at_least(1)] = 32
    minimum: Annotated[int, at_least(2)] = 20
    samples: Annotated[int, at_least(10)] = 1000
    seed: int = 0


@entry
def probe(
    model: Classifier | str,
    data: str | os.PathLike[str] | Sequence[Sentence],
    properties: str | Sequence[str] = "all",
    layers: str | Sequence[str] = "all",
    *,
    probes: str | Sequence[str] = "all",
    limit: int | None = None,
    progress: bool = False,
    **parameters: Any,
) -> ProbeStudy:
    """What the layers of a model hold of words and sentences, over a treebank (a file in CoNLL-U, or its sentences).

    ``properties`` of words are their ``tag``, the ``relation`` to their head and their ``depth`` in the tree; of
    sentences their ``length``, the ``tense`` of their root, and which frequent word they hold (``content``). A word's
    state is the mean over its pieces, a sentence's that over its steps. ``layers`` are sites as for ``information``;
    ``all`` begins with the word vectors, which know no context. ``probes`` are ``linear``, ``mlp`` (one hidden layer)
    and ``structure`` (distances and depths in the tree), and, only if it is named, ``attention``: all weights between
    two words, of every layer and head and both ways, into a linear probe that says whether an arc joins them, and which
    relation it has (Ravishankar et al. 2021). ``parameters`` are those of ``Probing``.

    Probes are fitted to 70 % of the distinct sentences and tried on the rest. Beside each stands its control task, so
    that what the probe learns by heart shows (selectivity), the same model with shuffled weights, and the most frequent
    label; of linear probes also the bits of the labels by an online code.

    Raises UnsupportedError for a model whose states are out of sight, UsageError for an unknown property, layer or
    probe and for too few sentences; and the errors of ``read_treebank``.
    """
    classifier, how = as_model(model), Probing(**fitted(Probing, "probe", parameters))
    names, kinds = _listed(properties, tuple(PROPERTIES), "property"), _listed(probes, PROBES, "probe", (ATTENTION,))
    if list(kinds) == [ATTENTION] and properties != "all":
        raise UsageError(f"the probe {ATTENTION} reads arcs and relations, no properties: leave properties out")
    for name, reason in missing(classifier, Layered).items():
        raise UnsupportedError(f"the model {classifier.name} is not {name.lower()}: {reason}")
    sentences = list(read_treebank(data) if isinstance(data, str | os.PathLike) else data)[:limit]
    complaints = list[str]()
    pairs = [(sentence, text) for sentence in dict.fromkeys(sentences) if len(sentence.words) > 1
             if (text := read_whole(classifier, sentence, complaints)) is not None]  # fmt: skip
    chosen = [sentence for sentence, _ in pairs]
    if len(pairs) < 10:
        raise UsageError(
            f"{len(pairs)} different sentences can be read by the model word for word: give at least "
            f"ten{because(complaints)}"
        )
    sites = _sites(cast(Layered, classifier), [text for _, text in pairs], layers)
    order = list(range(len(pairs)))
    random.Random(how.seed).shuffle(order)
    first = set(order[: round(SHARE * len(order))])
    labels = {name: labelled(name, chosen, how.minimum, how.seed) for name in names}
    steps = len(sites) * (
        sum(one is not None for one in labels.values()) * sum(k in ("linear", "mlp") for k in kinds) + 1
    )
    with bar(progress, 2 + steps, "probe") as advance:
        states = _states(cast(Layered, classifier), pairs, sites)
        advance()
        blank = _states(_untrained(classifier, how.seed), pairs, sites)
        advance()
        probed, structures = list[Probed](), list[Structure]()
        for site in sites:
            layer = str(site.place)
            for kind in (kind for kind in kinds if kind in ("linear", "mlp")):
                for one in labels.values():
                    if one is None:
                        continue
                    task = _Task(one, states[layer], blank[layer], first)
                    if task.fits:
                        probed.append(task.probed(layer, kind, how))
                    advance()
            if "structure" in kinds:
                structures += trees_of(
                    layer, chosen, states[layer], blank[layer], first, how.rank, how.samples, how.seed
                )
            advance()
        if ATTENTION in kinds:
            probed += _attention(classifier, pairs, first, how)
    asked = Asked(classifier.name, repr(how), "probe", "hidden states", len(pairs),
                  sum(len(sentence.words) for sentence in chosen), False)  # fmt: skip
    return ProbeStudy(asked, tuple(probed), tuple(structures), len(first), len(pairs) - len(first))


def _listed(given: str | Sequence[str], known: Sequence[str], what: str, more: Sequence[str] = ()) -> tuple[str, ...]:
    names = tuple(given.split(",")) if isinstance(given, str) else tuple(given)
    names = tuple(known) if names == ("all",) else tuple(name.strip() for name in names if name.strip())
    for name in names:
        if name not in (*known, *more):
            raise unknown(what, name, (*known, *more))
    if not names:
        raise UsageError(f"no {what} is named: give some of {', '.join(known)}")
    return tuple(dict.fromkeys(names))


def _attention(
    model: Classifier, pairs: Sequence[tuple[Sentence, Text]], first: set[int], how: Probing
) -> list[Probed]:
    """The rows of the probe of all weights of attention."""
    own, blank = (attention_vectors(one, pairs) for one in (model, _untrained(model, how.seed)))
    tasks = pairs_of([sentence for sentence, _ in pairs], how.minimum, how.seed)
    rows = [
        probed_pairs(name, given, own, blank, first, _fit("linear", how), how.samples, how.seed)
        for name, given in tasks.items()
    ]
    return [row for row in rows if row is not None]


def _sites(model: Layered, texts: Sequence[Text], layers: str | Sequence[str]) -> list[Site]:
    found = model.sites(model.encode(texts[:1]))
    if layers == "all":
        return [site for site in found.values() if site.layered]
    names = layers.split(",") if isinstance(layers, str) else list(layers)
    sites = [site_of(name.strip(), found) for name in names if name.strip()]
    if not sites:
        raise UsageError("no layer is named; take layers='all', or names such as 'layer 1' and 'pooled'")
    return sites


def _states(model: Layered, pairs: Sequence[tuple[Sentence, Text]], sites: Sequence[Site]) -> States:
    """The states of every sentence: those of its words where there is a state for each piece, else a single one."""
    found: dict[str, list[Any]] = {str(site.place): [None] * len(pairs) for site in sites}
    lengths: dict[int, list[int]] = {}
    for number, (_, text) in enumerate(pairs):
        lengths.setdefault(len(text), []).append(number)
    for numbers in lengths.values():

        def work(part: Sequence[Text], numbers: list[int] = numbers) -> list[list[Tensor]]:
            batch = model.encode(part)
            with torch.no_grad():
                every = model.states_from(model.embed(batch).detach(), batch, sites)
            return [[state[row].detach().double() for state in every] for row in range(len(part))]

        for at, states in in_batches([pairs[number][1] for number in numbers], work, "probe", model):
            sentence, text = pairs[numbers[at]]
            for site, state in zip(sites, states, strict=True):
                whole = len(state) == len(text) and site.steps is not None
                found[str(site.place)][numbers[at]] = _of_words(state, sentence, text) if whole else state.mean(0)[None]
    return found


def _of_words(state: Float[Tensor, "t d"], sentence: Sentence, text: Text) -> Float[Tensor, "w d"]:
    """The mean state of the pieces of each word."""
    owned = torch.tensor(owners(sentence, text), device=state.device)
    member = torch.stack([owned == word for word in range(len(sentence.words))]).to(state)
    return (member / member.sum(1, keepdim=True)) @ state


def _untrained(model: Classifier, seed: int) -> Layered:
    """The model with shuffled weights. Raises UnsupportedError if its module is out of sight."""
    module: Any = getattr(model, "module", None)
    if not isinstance(module, nn.Module):
        raise UnsupportedError(f"the weights of {model.name} are out of sight: no untrained model can stand beside it")
    return cast(Layered, replace(cast(Any, model), module=shuffled(module, seed)))


class _Right(NamedTuple):
    """Of each example that was held back: whether the label was right."""

    right: Float[np.ndarray, " n"]
    bits: float


@dataclass(frozen=True, eq=False)
class _Task:
    """A property at a layer: its examples, those of the fitted sentences first."""

    given: Labelled
    states: list[Float[Tensor, "t d"]]
    blank: list[Float[Tensor, "t d"]]
    first: set[int]

    @property
    def fits(self) -> bool:
        """True unless the property is of words and the states are not."""
        return self.given.level == "sentence" or len(self.states[self.given.places[0][0]]) > 1

    def probed(self, layer: str, kind: str, how: Probing) -> Probed:
        """The row of this property and probe."""
        given = self.given
        fit = _fit(kind, how)
        held = [number for number, _ in given.places if number not in self.first]
        found = self._tried(self.states, given.labels, fit, how, code=kind == "linear")
        control = self._tried(self.states, given.control, fit, how, code=kind == "linear")
        untrained = self._tried(self.blank, given.labels, fit, how, code=False)
        sentences, sentence = np.unique(held, return_inverse=True)
        rights = np.stack([found.right, control.right, found.right - control.right])
        sums = np.stack([np.bincount(sentence, row) for row in rights])
        drawn = resampled_ratios(
            sums, np.bincount(sentence).astype(float), draw_texts(len(sentences), how.samples, how.seed)
        )
        classes = len(set(given.labels))
        split: dict[bool, list[str]] = {True: [], False: []}
        for (number, _), label in zip(given.places, given.labels, strict=True):
            split[number in self.first].append(label)
        most = max(sorted(set(split[True])), key=split[True].count)
        return Probed(
            given.name, given.level, kind, layer, classes, len(held), float(found.right.mean()),
            *interval(drawn[0], len(sentences)), float(control.right.mean()), *interval(drawn[2], len(sentences)),
            float(untrained.right.mean()), float(np.mean([label == most for label in split[False]])), found.bits,
            control.bits, uniform_code(1, classes),
        )  # fmt: skip

    def _tried(
        self, states: list[Float[Tensor, "t d"]], labels: Sequence[str], fit: Fit, how: Probing, *, code: bool
    ) -> _Right:
        places = self.given.places
        inputs = torch.stack([states[n].mean(0) if word < 0 else states[n][word] for n, word in places])
        names = sorted(set(labels) | set(self.given.labels))
        numbers = torch.tensor([names.index(label) for label in labels], device=inputs.device)
        fitting = torch.tensor([number in self.first for number, _ in places], device=inputs.device)
        probe = fit(inputs[fitting], numbers[fitting], len(names))
        right = (probe.logs(inputs[~fitting]).argmax(1) == numbers[~fitting]).double().cpu().numpy()
        bits = float("nan")
        if code:
            ordered = shuffled_together(inputs[fitting], numbers[fitting], how.seed)
            bits = online_code(*ordered, len(names), fit) / int(fitting.sum())
        return _Right(right, bits)


def _fit(kind: str, how: Probing) -> Fit:
    def fit(states: Float[Tensor, "n d"], labels: Int[Tensor, " n"], classes: int) -> Any:
        if kind == "linear":
            return linear(states, labels, classes, how.penalty)
        return perceptron(states, labels, classes, how.hidden, how.penalty, how.epochs, how.seed)

    return fit
