"""The information of each word that hidden states still hold (Guan et al. 2019)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Annotated, NamedTuple, cast

import numpy as np
import torch
from torch import Tensor

from exegesis.core.errors import UnsupportedError, UsageError
from exegesis.core.parameters import above, at_least, checked
from exegesis.core.text import Text
from exegesis.engine.answer import Task, answer, array, finite
from exegesis.mech.noise.minimum import Minimum, Search, minima
from exegesis.mech.noise.spread import components, pieces_of, variances
from exegesis.mech.noise.states import Texts
from exegesis.protocols.budget import limited
from exegesis.protocols.insides import Layered, Site, site_of
from exegesis.protocols.model import Classifier, missing
from exegesis.protocols.target import Ask
from exegesis.results.header import Origin, Subject
from exegesis.results.internals.information import DISCARDED, MINIMUM, NONE, UNSETTLED, Information

SPREADS = 10.0  # the cap is as many standard deviations of the components of the word vectors
Layers = str | Sequence[str]


class _Body(NamedTuple):
    layers: tuple[str, ...]
    found: tuple[tuple[Tensor, ...], ...]  # by layer: sigma, linear, error, certificate, its error
    states: tuple[tuple[str, ...], ...]
    variance: tuple[float, ...]
    variance_error: tuple[float, ...]
    dimensions: tuple[int, ...]
    width: int
    cap: float


@checked
@dataclass(frozen=True)
class Measure:
    """How the information of words in hidden states is measured.

    ``rate`` is Kλ of Eqs. 5 and 7, K the dimensions of a word vector: at the minimum of a linear state each word's
    noise makes up ``rate / 2`` of the state's variance σ_S². (The code that came with the paper has this number too.)
    The paper leaves λ to the user. The default is small, so that the noise of all words of a text together stays far
    below σ_S²: there Eq. 7 has a minimum for every word that is seen, in recurrent layers and above norms too, and two
    seeds agree on it. At 0.01 many words of such states have none, and the result says so. (Half precision rounds away
    noise as small as that of the default: give a model in bfloat16 a ``rate`` of 0.01, or read it in float32.)

    σ_S² is the total variance of the state, the sum over its dimensions, over ``samples`` texts in which each piece of
    a word is one of the reference's, drawn alike for all texts. ``pairs`` of draws ±ε are taken at first, and up to
    ``most`` until the standard error of every log σ is below ``tolerance``, or below a tenth of the spread of log σ
    over the text's words where that is less (but for half the tolerance), so that two seeds order the words alike. A
    text that ``most`` draws would not settle, because rare ones change a saturated state at a stroke, ends with those
    it has, and its words are called unsettled. The Jacobian's norm takes up to ``probes`` backward passes. ``steps`` is
    the most steps towards a minimum. ``seed`` gives other draws.
    ``rows`` bounds the memory: so many texts with noise run at a time (or one for each text of a batch), by default
    what fits the device; it changes no result.

    Words of several pieces have one σ; pieces of no word, such as [CLS], bear no noise (the released code gives each
    piece, these included, a σ of its own).
    """

    rate: Annotated[float, above(0)] = 0.0001
    samples: Annotated[int, at_least(2)] = 512
    pairs: Annotated[int, at_least(2)] = 64
    most: Annotated[int, at_least(2)] = 512
    probes: Annotated[int, at_least(2)] = 2048
    steps: Annotated[int, at_least(1)] = 24
    tolerance: Annotated[float, above(0)] = 0.02
    seed: int = 0
    rows: Annotated[int, at_least(1)] | None = None

    @property
    def bounded(self) -> AbstractContextManager[None]:
        """The block in which no more than ``rows`` run at a time."""
        return nullcontext() if self.rows is None else limited("gradients", rows=self.rows)

    @property
    def search(self) -> Search:
        """The parameters of the search for minima."""
        return Search(self.pairs, max(self.most, self.pairs), self.probes, self.steps, self.tolerance, self.seed)


def information(
    model: Classifier,
    texts: Sequence[Text],
    measure: Measure,
    choice: Ask,
    layers: Layers = "all",
    reference: Sequence[Text] | None = None,
) -> Iterator[tuple[int, Information]]:
    """The information of texts (see ``Information``) as it is ready, each with the number of its text.

    ``reference`` are the texts whose words the normaliser draws, by default ``texts``. Raises UnsupportedError if
    states of the model are out of sight, UsageError, which lists the sites that exist, for a layer that does not exist,
    ModelError if states are not finite, CapacityError if a single text needs too much memory.
    """
    yield from answer(model, texts, Held.of(model, measure, layers, texts if reference is None else reference), choice)


@dataclass(frozen=True, eq=False)
class Held:
    """The question of the information that states at ``layers`` hold; ``drawn`` are the ids of the reference."""

    measure: Measure
    layers: tuple[str, ...]
    drawn: Tensor
    reference: str

    @classmethod
    def of(cls, model: Classifier, measure: Measure, layers: Layers, reference: Sequence[Text]) -> Held:
        """The question for checked arguments. Raises UnsupportedError and UsageError as ``information``."""
        for name, reason in missing(model, Layered).items():  # the first, if there are any
            raise UnsupportedError(f"the model {model.name} is not {name.lower()}: {reason}")
        drawn = pieces_of(reference)
        if len(set(drawn.tolist())) < 2:
            raise UsageError(
                "the normaliser draws other words, and there is one word only: give texts as the reference"
            )
        named = tuple(layers.split(",")) if isinstance(layers, str) else tuple(map(str, layers))
        named = tuple(name.strip() for name in named if name.strip())
        if not named:
            raise UsageError("no layer is named; take layers='all', or names such as 'layer 1' and 'pooled'")
        return cls(measure, named, drawn, f"words drawn from {len(reference)} text{'s' * (len(reference) > 1)}")

    @property
    def name(self) -> str:
        """The name of the question."""
        return "information"

    @property
    def parameters(self) -> str:
        """The measure with its parameters, as code."""
        return repr(self.measure)

    def answer(self, task: Task) -> list[_Body]:
        """The information of each text; texts of one length run together."""
        lengths = task.batch.lengths.tolist()
        bodies: dict[int, _Body] = {}
        for length in dict.fromkeys(lengths):
            rows = [row for row, other in enumerate(lengths) if other == length]
            bodies.update(zip(rows, self._alike(task, torch.tensor(rows)), strict=True))
        return [bodies[row] for row in range(len(lengths))]

    def _alike(self, task: Task, rows: Tensor) -> Iterator[_Body]:
        texts, sites, states, spread, doubt = self.seen(task, rows)
        cap = SPREADS * components(texts, self.drawn)
        with self.measure.bounded:
            found = minima(texts, sites, self.measure.rate * spread, cap, self.measure.search)
        for row, text in enumerate(texts.batch.texts):
            count = len(text.words)
            yield _Body(
                tuple(str(site.place) for site in sites),
                tuple(tuple(part[row, :count] for part in _parts(one)) for one in found),
                tuple(_named(one, row, count) for one in found),
                tuple(spread[:, row].tolist()),
                tuple(doubt[:, row].tolist()),
                tuple(state.shape[1] for state in states),
                texts.vectors.shape[2],
                cap,
            )

    def seen(self, task: Task, rows: Tensor) -> tuple[Texts, list[Site], list[Tensor], Tensor, Tensor]:
        """Texts of one length with the sites that are asked for, their states there, σ_S² of each site and text, and
        its standard error."""
        model = cast(Layered, task.model)
        texts = Texts.of(model, task.batch.take(rows))
        sites = _sites(model, texts, self.layers)
        finite(texts.vectors, model, "word vectors")
        with torch.no_grad():
            states = [state.detach() for state in texts.states(sites, texts.vectors, torch.arange(len(texts.batch)))]
        for site, state in zip(sites, states, strict=True):
            finite(state, model, f"states at {site.place}")
        with self.measure.bounded:
            spread, doubt = variances(texts, sites, self.drawn, self.measure.samples, self.measure.seed)
        return texts, sites, states, spread, doubt

    def result(self, subject: Subject, origin: Origin, body: _Body) -> Information:
        """The information of one text."""
        sigma, linear, error, *proof = (
            np.stack([array(one) for one in parts]) for parts in zip(*body.found, strict=True)
        )
        return Information(
            subject, origin, body.layers, sigma, linear, error, proof[0], proof[1], body.states, body.variance,
            body.dimensions, self.measure.rate, body.width, body.cap, self.reference, body.variance_error,
        )  # fmt: skip


def _sites(model: Layered, texts: Texts, names: Sequence[str]) -> list[Site]:
    """The sites of some names; ``all`` are the layers, without the word vectors themselves, which hold everything."""
    found = model.sites(texts.batch)
    sites: dict[str, Site] = {}
    for name in names:
        every = [site for site in found.values() if site.layered and site.path] if name == "all" else []
        for site in every or [site_of(name, found)]:
            sites[str(site.place)] = site
    return list(sites.values())


def _parts(found: Minimum) -> tuple[Tensor, ...]:
    return found.sigma, found.linear, found.error, found.certificate, found.certificate_error


def _named(found: Minimum, row: int, count: int) -> tuple[str, ...]:
    """What was found for each word."""
    flags = zip(found.unseen[row, :count], found.capped[row, :count], found.settled[row, :count], strict=True)
    return tuple(
        DISCARDED if unseen else NONE if capped else MINIMUM if settled else UNSETTLED
        for unseen, capped, settled in flags
    )
