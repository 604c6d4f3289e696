"""Methods that score training texts: what they are given, what they give, and their registry."""

from __future__ import annotations

import typing
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol, TypeVar, overload

import torch
from jaxtyping import Float, Int
from torch import Tensor

from exegesis.core.errors import TextError, UnsupportedError, UsageError
from exegesis.core.registry import Registry
from exegesis.core.text import Text
from exegesis.data.examples import Example
from exegesis.mech.curvature.factors import Factors
from exegesis.mech.curvature.passes import Passes
from exegesis.protocols.batch import Batch
from exegesis.protocols.loss import gold_of
from exegesis.protocols.model import Classifier, members, missing
from exegesis.protocols.target import Link, Target


@dataclass(frozen=True, eq=False)
class Training:
    """The training texts as a model reads them; ``gold[n]`` is the number of a text's class (a value for a
    regression), ``labels[n]`` the name that the model has for it."""

    examples: Sequence[Example]
    texts: Sequence[Text]
    gold: Float[Tensor, " n"]
    labels: Sequence[str]

    @classmethod
    def of(
        cls,
        model: Classifier,
        examples: Sequence[Example],
        *,
        what: str = "training text",
        first: int = 1,
        later: bool = False,
    ) -> Training:
        """Read training texts; ``later``, each only when it is asked for.

        Raises UsageError without one, for a missing label and one that the model does not know, TextError for a text
        without words; the text is named by ``what`` it is and by its number, from ``first``.
        """
        if not examples:
            raise UsageError(f"there are no {what}s; give at least one")
        known = dict[str | None, float]()
        for number, example in enumerate(examples):
            if example.label not in known:
                with _named(f"{what} {number + first} of {len(examples) + first - 1}"):
                    known[example.label] = gold_of(example.label, model.labels, model.link)
        gold = [known[example.label] for example in examples]
        texts = Texts(model, examples, what, first)
        names = [
            example.label or "" if model.link is Link.IDENTITY else model.labels[int(number)]
            for example, number in zip(examples, gold, strict=True)
        ]
        read = texts if later else tuple(texts)
        return cls(tuple(examples), read, torch.tensor(gold, dtype=torch.float64), names)

    def copies(self, text: Text) -> list[int]:
        """The numbers of the training texts that are this text."""
        if isinstance(self.texts, Texts):
            return [number for number, one in enumerate(self.examples) if _raw(one) == text.raw]
        return [number for number, one in enumerate(self.texts) if one.ids == text.ids]

    def __len__(self) -> int:
        return len(self.texts)


class Texts(Sequence[Text]):
    """Examples as a model reads them, each when it is asked for."""

    def __init__(self, model: Classifier, examples: Sequence[Example], what: str, first: int) -> None:
        self.model, self.examples, self.what, self.first = model, examples, what, first

    def __len__(self) -> int:
        return len(self.examples)

    @overload
    def __getitem__(self, number: int) -> Text: ...
    @overload
    def __getitem__(self, number: slice) -> Sequence[Text]: ...
    def __getitem__(self, number: int | slice) -> Text | Sequence[Text]:
        if isinstance(number, slice):
            return [self[one] for one in range(*number.indices(len(self)))]
        with _named(f"{self.what} {number + self.first} of {len(self.examples) + self.first - 1}"):
            text = self.model.read(self.examples[number].text)
            if not text.words:
                raise TextError("it holds no word that the model reads")
        return text


@contextmanager
def _named(what: str) -> Iterator[None]:
    """Say in an error which text it is about."""
    try:
        yield
    except (TextError, UsageError) as error:
        raise type(error)(f"{what}: {error}") from error


def _raw(example: Example) -> str:
    return example.text if isinstance(example.text, str) else "\n".join(example.text)


@dataclass(frozen=True, eq=False)
class Queries:
    """The numbers to explain: one of each text of a batch."""

    texts: Sequence[Text]
    batch: Batch
    raw: Float[Tensor, "b c"]
    target: Target

    @property
    def classes(self) -> Int[Tensor, " b"]:
        """The class that each number speaks for."""
        return self.target.index[:, 0]

    def factors(self, passes: Passes, row: int) -> Factors:
        """The gradient of the number of one text to the weights, as factors."""
        alone = self.batch.take(torch.tensor([row]))
        return passes.factors(alone, partial(_slopes, self.target.take(torch.tensor([row]))))[1]

    def gradients(self, passes: Passes, rows: range) -> Float[Tensor, "q p"]:
        """The gradients of the numbers of some texts to the weights."""
        return torch.cat([self.factors(passes, row).dense()[0] for row in rows])


def _slopes(target: Target, raw: Float[Tensor, "b c"]) -> Float[Tensor, "1 b c"]:
    """The gradient of the number of each text to the outputs, at these outputs."""
    leaf = raw.detach().requires_grad_()
    (found,) = torch.autograd.grad(target.of(leaf)[:, 0].sum(), leaf)
    return found[None]


@dataclass(frozen=True, eq=False)
class Scored:
    """What a method says of q texts: ``values[q, n]`` of every training text, above zero if it helps, NaN if it was not
    looked at; for each text ``details``, plain values, and ``notes``, sentences for a reader. If a score is the
    product of a vector with minus the gradient of a training text's loss, ``vectors`` has these."""

    values: Float[Tensor, "q n"]
    details: Sequence[Mapping[str, Any]] = ()
    notes: Sequence[Sequence[str]] = ()
    vectors: Float[Tensor, "q p"] | None = None


class Method(Protocol):
    """A frozen dataclass of parameters; the annotation of ``model`` is the ability that it needs."""

    def __call__(self, model: Any, training: Training, queries: Queries) -> Scored: ...


@dataclass(frozen=True)
class Card:
    """The public facts about a method: what its score is (``unit``), its paper, the ability that it needs.

    ``products``: it asks for nothing but gradients of the number, and its scores are products with them, so that it can
    explain the saliency of a word, and score the words of training texts, and other texts (``Scored.vectors``).
    ``inverse``: its scores hold the inverse of a matrix of all training texts.
    """

    name: str
    summary: str
    unit: str
    paper: str
    year: int
    needs: type
    cls: type
    products: bool = False
    inverse: bool = False


METHODS: Registry[Card] = Registry("method for training texts")
T = TypeVar("T", bound=type)


def method(
    name: str, *, summary: str, unit: str, paper: str, year: int, products: bool = False, inverse: bool = False
) -> Callable[[T], T]:
    """Register a frozen dataclass as a method that scores training texts; the arguments are those of ``Card``.

    Raises UsageError if the name is taken, or if ``model`` is not annotated with a protocol.
    """

    def register(cls: T) -> T:
        needs = typing.get_type_hints(cls.__call__).get("model")
        if not isinstance(needs, type) or not members(needs) >= members(Classifier):
            raise UsageError(f"method {name!r}: annotate model with Classifier, Trained or another such protocol")
        METHODS.add(Card(name, summary, unit, paper, year, needs, cls, products, inverse))
        return cls

    return register


def require(model: Classifier, method: Method) -> Card:
    """The card of a method that a model can serve. Raises UnsupportedError, with the reason, if it cannot."""
    card = METHODS.of(method)
    reasons = missing(model, card.needs)
    if reasons:
        wanted = {"Trained": "a model whose weights can be seen"}.get(card.needs.__name__, card.needs.__name__)
        raise UnsupportedError(f"{card.name} needs {wanted}: {next(iter(reasons.values()))}")
    return card
