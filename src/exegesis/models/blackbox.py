"""Black boxes: any function from texts to numbers as a model, such as a scikit-learn pipeline or a service."""

from __future__ import annotations

import hashlib
import operator
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import Any, ClassVar, SupportsIndex

import torch
from jaxtyping import Float
from torch import Tensor

from exegesis.core.containers import shown
from exegesis.core.errors import TextError, UsageError
from exegesis.core.escapes import escaped
from exegesis.core.text import Text, text_of_words
from exegesis.models.functions import NO_WORDS, Function
from exegesis.models.text.words import Words, words_in
from exegesis.nn.context import ability
from exegesis.protocols.batch import Batch, pad
from exegesis.protocols.labels import Labels, label_names
from exegesis.protocols.model import Raw
from exegesis.protocols.target import Link


class BlackBox:
    """A function from a list of texts to probabilities ``[n, labels]`` (or ``[n]``: of the second of two labels).

    With one label, or with ``regression``, it gives plain numbers instead: ``[n, labels]``, or ``[n]`` for one label.

    A piece is a word with the white space before it (the last one also with the white space after it). The joined
    pieces of a row are the text that the function gets: the user's own text, to the character, if nothing was removed.
    ``mask`` and ``unknown`` are words that methods may substitute for a word; ``batch`` is the largest number of texts
    per call. Equal texts are passed once, so the function should be deterministic. With ``multilabel`` each label has
    an independent probability; otherwise they sum to one.

    At first the function is tried, in at most five calls more: a first text that comes alone is passed twice in one
    call, to see that two texts have two rows, and once alone; of the first list of different texts the shortest, the
    longest, and those with the smallest and the largest number are passed again, each alone. If a row depends on the
    texts beside it, by more than 0.001, the function gets one text a call from then on, and the log says so.

    ``empty`` is the text that the function gets if every word is removed. By default it is the empty text; for a
    function that cannot read it (an exception, NaN) it is the ``unknown`` word, else the ``mask``, else a full stop,
    and the log says so. A function that takes one text, and raises an exception for a list, is called for each text.

    Words are cut by the built-in rules, or by ``words``, a function from a text to words or to their (start, stop).

    The id of a piece is a hash of its string, so that ids are the same in every process; all strings are remembered.
    """

    lacks: ClassVar[Mapping[str, str]] = {
        "Differentiable": "a function of texts has no word vectors; wrap the model itself to see them",
        "Recurrent": "a function of texts shows no recurrent states; wrap the model itself to see them",
        "Gated": "a function of texts shows no gates; wrap the model itself to see them",
        "Trained": "a function of texts shows no weights; wrap the model itself to see them",
    }

    def __init__(
        self,
        function: Callable[[list[str]], Any],
        labels: Labels,
        name: str | None = None,
        *,
        mask: str | None = None,
        unknown: str | None = None,
        empty: str | None = None,
        batch: SupportsIndex = 256,
        multilabel: bool = False,
        regression: bool = False,
        words: Words | None = None,
    ) -> None:
        """Raise UsageError if ``function`` is not callable, for labels that are not distinct, and for other options."""
        if not callable(function):
            raise UsageError(f"a black box needs a function of a list of texts, not a {type(function).__name__}")
        if words is not None and not callable(words):
            raise UsageError(f"words must be a function from a text to words, not {type(words).__name__}")
        names = label_names(labels)
        if not names or len(set(names)) < len(names):
            raise UsageError("a black box needs two or more different labels, or one label for a regression")
        if multilabel and regression:
            raise UsageError("multilabel=True gives probabilities and regression=True plain numbers: say one of them")
        named = {"name": name, "mask": mask, "unknown": unknown, "empty": empty}
        for option, word in named.items():
            if not isinstance(word, str | None):
                raise UsageError(f"{option} must be a string, not {shown(word)}")
        self._words = words
        plain = regression or (len(names) == 1 and not multilabel)
        self._link = Link.IDENTITY if plain else Link.PROBABILITIES if multilabel else Link.PROBABILITY
        self._labels = names
        self._name = name or getattr(function, "__qualname__", None) or type(function).__name__
        spare = tuple(word for word in (unknown, mask, NO_WORDS) if word)
        self._function = Function(function, escaped(self._name), names, self._link, _whole(batch), empty, spare)
        self._strings = {0: ""}
        self._openings: set[int] = set()
        roles = {"mask": mask, "unknown": unknown}
        self._tokens = {"pad": 0} | {role: self._intern(" " + word) for role, word in roles.items() if word}

    @property
    def name(self) -> str:
        return self._name

    @property
    def labels(self) -> tuple[str, ...]:
        return self._labels

    @property
    def link(self) -> Link:
        return self._link

    @property
    def tokens(self) -> Mapping[str, int]:
        """Ids by role: ``pad`` (the empty string), and ``mask`` and ``unknown`` if they were given."""
        return self._tokens

    def __repr__(self) -> str:
        return f"BlackBox({self.name}, labels={list(self.labels)})"

    def read(self, raw: Raw) -> Text:
        """Read the words of a text. Raises TextError for a blank text, or a pair, which the function cannot take."""
        if not isinstance(raw, str):
            raise TextError(f"model {self.name} takes one text, not {type(raw).__name__}: join the parts of a pair")
        words = words_in(raw, self._words)
        ends = [0, *(stop for _, stop in words[:-1]), len(raw)]
        pieces = [raw[start:stop] for start, stop in pairwise(ends)]
        ids = [self._intern(piece, opening=number == 0) for number, piece in enumerate(pieces)]
        return text_of_words(raw, [(piece, *word) for piece, word in zip(pieces, words, strict=True)], ids)

    @ability
    def encode(self, texts: Sequence[Text]) -> Batch:
        for text in texts:  # a text that another process read
            for number, piece in enumerate(text.pieces):
                self._intern(piece, opening=number == 0)
        return pad(texts, self.tokens["pad"])

    def write(self, batch: Batch) -> list[str]:
        """The texts that the function gets for the rows of a batch."""
        rows = zip(batch.ids.tolist(), batch.lengths.tolist(), strict=True)
        return [self._written(ids[:length]) for ids, length in rows]

    def _written(self, ids: Sequence[int]) -> str:
        """The joined pieces; the white space before a piece is dropped with it, also if it has become the first."""
        joined = "".join(self._strings[i] for i in ids)
        return joined if ids and ids[0] in self._openings else joined.lstrip()

    @ability
    def outputs(self, batch: Batch) -> Float[Tensor, "b c"]:
        """The function's probabilities, or plain numbers, float64.

        Raises ModelError if the function fails or returns another shape, NaN or words; and, for probabilities, for
        whole numbers in one column, numbers outside 0 to 1 and rows that do not sum to one. Logs a warning if the first
        probabilities are all exactly 0 or 1.
        """
        return torch.from_numpy(self._function.rows(self.write(batch), {text.raw for text in batch.texts}))

    def _intern(self, piece: str, *, opening: bool = False) -> int:
        mark = b"opening" if opening else b""
        digest = hashlib.blake2b(piece.encode("utf-8", "surrogatepass"), digest_size=8, person=mark).digest()
        number = int.from_bytes(digest, "big") >> 1
        self._strings[number] = piece
        if opening:
            self._openings.add(number)
        return number


def _whole(batch: SupportsIndex) -> int:
    """The largest number of texts per call."""
    try:
        number = operator.index(batch)
    except TypeError:
        number = 0
    if number < 1:
        raise UsageError(f"batch must be the largest number of texts per call, at least 1, not {shown(batch)}")
    return number
