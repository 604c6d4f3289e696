"""Interpretable adversaries: the words that a text's word vectors are pulled to where a prediction is to fall."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated, NamedTuple, cast

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn.functional import logsigmoid

from exegesis.core.errors import TextError, UnsupportedError, UsageError
from exegesis.core.parameters import at_least, checked
from exegesis.core.rewriting import rewritten
from exegesis.core.text import Text
from exegesis.engine.answer import Task, answer, array, finite
from exegesis.nn.adversary import directions, moved, neighbours, weights_of, within
from exegesis.protocols.batch import Batch, filled
from exegesis.protocols.lexicon import Lexicon
from exegesis.protocols.model import Classifier, Differentiable, missing
from exegesis.protocols.target import Ask, Link
from exegesis.results.header import Origin, Subject
from exegesis.results.internals.adversary import Adversary, Pull, Rewrite

HALVINGS = 12  # lengths of a step that are tried: the whole, a half, and so on


@checked
@dataclass(frozen=True)
class Moving:
    """How the vectors of words are moved.

    ``budget`` bounds the norm of the weights over a text, in standard deviations of the components of the word vectors,
    which the paper normalises. ``neighbours`` are the nearest words (cosine) that a word may be pulled to. ``steps``
    are steps along the projected slope of the loss, cut to the budget: the first is the paper's. A step that does not
    make the loss larger is halved until it does, and left out if it never does.
    """

    budget: Annotated[float, at_least(0)] = 5.0
    neighbours: Annotated[int, at_least(1)] = 10
    steps: Annotated[int, at_least(1)] = 10


class _Body(NamedTuple):
    label: str
    budget: float
    loss: float
    moved: float
    sizes: Float[Tensor, " w"]
    pulls: tuple[tuple[Pull, ...], ...]
    flip: Rewrite | None


def adversaries(
    model: Classifier, texts: Sequence[Text], moving: Moving, choice: Ask, lexicon: Lexicon
) -> Iterator[tuple[int, Adversary]]:
    """The adversaries of texts (see ``Adversary``) as they are ready, each with the number of its text.

    Raises ModelError if vectors or slopes are not finite, and the errors of ``require_movable``.
    """
    require_movable(model, choice)
    yield from answer(model, texts, Pulled(moving, lexicon), choice)


def require_movable(model: Classifier, choice: Ask) -> None:
    """Raise UnsupportedError if word vectors are out of sight or the outputs are no probabilities, UsageError for
    several labels at once."""
    for name, reason in missing(model, Differentiable).items():  # the first, if there are any
        raise UnsupportedError(f"the model {model.name} is not {name.lower()}: {reason}")
    if model.link is Link.IDENTITY:
        raise UnsupportedError("an adversary lowers the probability of a label, and a regression gives none")
    if len(choice.labels) > 1:
        raise UsageError("an adversary lowers the probability of one label: take one as the target")


@dataclass(frozen=True, eq=False)
class Pulled:
    """The question of where word vectors are pulled."""

    moving: Moving
    lexicon: Lexicon

    @property
    def name(self) -> str:
        """The name of the question."""
        return "adversarial"

    @property
    def parameters(self) -> str:
        """The parameters, as code."""
        return repr(self.moving)

    def answer(self, task: Task) -> list[_Body]:
        """The moves of each text, one text after the other."""
        model = cast(Differentiable, task.model)
        ids = self.lexicon.ids.to(task.batch.device)
        with torch.no_grad():
            table = model.embed(filled(ids, task.batch.ids.shape[1])).flatten(0, 1)[: len(ids)].detach()
        finite(table, model, "word vectors")
        return [self._one(task.row(number), table) for number in range(len(task.batch))]

    def _one(self, task: Task, table: Float[Tensor, "v d"]) -> _Body:
        model, (text,), batch = cast(Differentiable, task.model), task.texts, task.batch
        label, vectors = int(task.target.index[0, 0]), model.embed(batch).detach()
        near, real = self._near(text, batch, vectors, table)
        towards = directions(vectors, table[near], real)
        budget = self.moving.budget * float(table.double().std(correction=0))
        weights, loss, grown = self._search(task, vectors, towards, budget, label)
        move = moved(weights, towards)[0].norm(dim=1)
        sizes = torch.stack([move[word.start] * real[0, word.start] for word in text.words])
        gaps = (table[near] - vectors[:, :, None]).norm(dim=-1)
        pulls = self._pulls(text, weights[0], near[0], gaps[0], real[0])
        return _Body(model.labels[label], budget, loss, grown, sizes, pulls, self._flip(task, pulls, label))

    def _near(
        self, text: Text, batch: Batch, vectors: Float[Tensor, "1 t d"], table: Float[Tensor, "v d"]
    ) -> tuple[Int[Tensor, "1 t k"], Bool[Tensor, "1 t"]]:
        """The nearest words of every piece, as rows of the lexicon, and the pieces that are words of their own."""
        rows = {number: row for row, number in enumerate(self.lexicon.ids.tolist())}
        own = torch.tensor([rows.get(number, -1) for number in text.ids], device=table.device)
        usable = torch.ones(len(table), dtype=torch.bool, device=table.device)
        real = torch.zeros(batch.ids.shape, dtype=torch.bool, device=table.device)
        for word in text.words:
            real[0, word.start] = word.stop - word.start == 1
        return neighbours(table, vectors[0], own, self.moving.neighbours, usable)[None], real

    def _search(
        self, task: Task, vectors: Float[Tensor, "1 t d"], towards: Float[Tensor, "1 t k d"], budget: float, label: int
    ) -> tuple[Float[Tensor, "1 t k"], float, float]:
        """The weights found, the loss without them and the loss with them."""
        model = cast(Differentiable, task.model)

        def loss(weights: Float[Tensor, "r t k"]) -> Float[Tensor, " r"]:
            rows = task.batch.take(torch.zeros(len(weights), dtype=torch.long))
            raw = model.outputs_from(vectors + moved(weights, towards.expand(len(weights), -1, -1, -1)), rows)
            return losses(model.link, raw, label)

        weights = vectors.new_zeros(towards.shape[:3])
        start = best = float(loss(weights)[0].detach())
        shares = 0.5 ** torch.arange(HALVINGS).to(vectors)[:, None, None]
        for _ in range(self.moving.steps if budget > 0 else 0):
            changed = (vectors + moved(weights, towards)).requires_grad_()
            now = losses(model.link, model.outputs_from(changed, task.batch), label)
            slope = finite(torch.autograd.grad(now.sum(), changed)[0], model, "slopes")
            tried = within(weights + shares * weights_of(slope, towards, budget), budget)
            with torch.no_grad():
                found = loss(tried).double()
            better = (found > best).nonzero()[:, 0]
            if not len(better):
                break
            weights, best = tried[better[0]][None], float(found[better[0]])
        return weights, start, best

    def _pulls(
        self, text: Text, weights: Float[Tensor, "t k"], near: Int[Tensor, "t k"], gaps: Float[Tensor, "t k"],
        real: Bool[Tensor, " t"],
    ) -> tuple[tuple[Pull, ...], ...]:  # fmt: skip
        """The words that each word of the text is pulled to, the largest weight first."""
        found = []
        for word in text.words:
            at, pulls = word.start, list[Pull]()
            if bool(real[at]) and bool(weights[at].any()):
                for k in weights[at].argsort(descending=True, stable=True).tolist():
                    pulls.append(Pull(self.lexicon.words[int(near[at, k])], float(weights[at, k]), float(gaps[at, k])))
            found.append(tuple(pulls))
        return tuple(found)

    def _flip(self, task: Task, pulls: Sequence[tuple[Pull, ...]], label: int) -> Rewrite | None:
        """The sentence in which words are replaced, one after the other, until the prediction is another one."""
        model, (text,) = task.model, task.texts
        wanted = sorted((-own[0].weight, at, own[0].word) for at, own in enumerate(pulls) if own and own[0].weight > 0)
        new, tried = dict[int, str](), list[tuple[dict[int, str], Text]]()
        for _, at, word in wanted:
            raw = rewritten(text.raw if len(text.segments) < 2 else _pair(text), text, {**new, at: word})
            try:
                put = model.read(raw)
            except TextError:
                continue
            if len(put.ids) == len(text.ids) and len(put.words) == len(text.words):  # it is one piece there too
                new = {**new, at: word}
                tried.append((new, put))
        if not tried:
            return None
        raw_outputs = torch.cat([model.outputs(model.encode([put])) for _, put in tried])
        cost, decided = losses(model.link, raw_outputs, label), model.link.decide(raw_outputs)
        other = (decided != model.link.decide(task.raw)[0]).nonzero()[:, 0]
        at = int(other[0]) if len(other) else int(cost.argmax())
        words, put = tried[at]
        return Rewrite(put.raw, tuple(words.items()), model.labels[int(decided[at])], float(cost[at]))

    def result(self, subject: Subject, origin: Origin, body: _Body) -> Adversary:
        """The adversary of one text."""
        return Adversary(
            subject, origin, body.label, body.budget, body.loss, body.moved, array(body.sizes), body.pulls, body.flip
        )


def losses(link: Link, raw: Float[Tensor, "b c"], label: int) -> Float[Tensor, " b"]:
    """−log p of a label, from raw outputs."""
    if link in (Link.SOFTMAX, Link.LOG_SOFTMAX):
        return -raw.log_softmax(-1)[:, label]
    if link is Link.SIGMOID:
        return -logsigmoid(raw[:, label])
    if link is Link.BINARY:
        return -logsigmoid(raw[:, 0] if label else -raw[:, 0])
    return -raw[:, label].clamp_min(torch.finfo(raw.dtype).tiny).log()


def _pair(text: Text) -> tuple[str, str]:
    """The two texts of a pair."""
    first, second = (text.surface(part) for part in text.segments)
    return first, second
