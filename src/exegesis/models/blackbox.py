"""Black boxes: any function from texts to probabilities as a model, such as a scikit-learn pipeline or a service."""

from __future__ import annotations

import hashlib
import logging
import re
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import Any, ClassVar

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from exegesis.core.errors import ModelError, TextError, UsageError, out_of_memory
from exegesis.core.text import Text, text_of_words
from exegesis.models.text.tokenizer import tokenize
from exegesis.protocols.batch import Batch, pad
from exegesis.protocols.model import Raw
from exegesis.protocols.target import Labels, Link, label_names

MIN_CERTAIN = 4  # a warning is logged if as many first answers are all exactly 0 or 1
_log = logging.getLogger("exegesis.blackbox")
TOLERANCE = 1e-3  # distance of a row from a distribution (half precision rounds to 5e-4)


class BlackBox:
    """A function from a list of texts to probabilities ``[n, labels]`` (or ``[n]``: of the second of two labels).

    A piece is a word with the white space before it (the last one also with the white space after it). The joined
    pieces of a row are the text that the function gets: the user's own text, to the character, if nothing was removed.
    ``mask`` and ``unknown`` are words that methods may substitute for a word; ``batch`` is the largest number of texts
    per call. Equal texts are passed once, so the function should be deterministic. With ``multilabel`` each label has
    an independent probability; otherwise they sum to one.

    The id of a piece is a hash of its string, so that ids are the same in every process; all strings are remembered.
    """

    lacks: ClassVar[Mapping[str, str]] = {
        "Differentiable": "a function of texts has no word vectors; wrap the model itself to see them",
        "Recurrent": "a function of texts shows no recurrent states; wrap the model itself to see them",
        "Gated": "a function of texts shows no gates; wrap the model itself to see them",
    }

    def __init__(
        self,
        function: Callable[[list[str]], Any],
        labels: Labels,
        name: str | None = None,
        *,
        mask: str | None = None,
        unknown: str | None = None,
        batch: int = 256,
        multilabel: bool = False,
    ) -> None:
        """Raise UsageError if ``function`` is not callable, for fewer than two distinct labels, or if ``batch < 1``."""
        if not callable(function):
            raise UsageError(f"a black box needs a function of a list of texts, not a {type(function).__name__}")
        names = label_names(labels)
        if len(names) < (1 if multilabel else 2) or len(set(names)) < len(names):
            raise UsageError("a black box needs two or more different labels (one or more with multilabel=True)")
        if batch < 1:
            raise UsageError(f"batch must be the largest number of texts per call, at least 1, not {batch}")
        self.function, self.batch, self.multilabel = function, batch, multilabel
        self._labels = names
        self._name = name or getattr(function, "__qualname__", None) or type(function).__name__
        self._strings = {0: ""}
        self._openings: set[int] = set()
        self._certain = 0  # answers so far, all of which were exactly 0 or 1; -1 once that is settled
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
        return Link.PROBABILITIES if self.multilabel else Link.PROBABILITY

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
        words = tokenize(raw)
        if not words:
            raise TextError("the text is empty or blank; give a text with at least one word")
        ends = [0, *(word.stop for word in words[:-1]), len(raw)]
        pieces = [raw[start:stop] for start, stop in pairwise(ends)]
        ids = [self._intern(piece, opening=number == 0) for number, piece in enumerate(pieces)]
        return text_of_words(raw, [(p, w.start, w.stop) for p, w in zip(pieces, words, strict=True)], ids)

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

    def outputs(self, batch: Batch) -> Float[Tensor, "b c"]:
        """The function's probabilities, float64.

        Raises ModelError if the function fails or returns another shape, NaN, class labels (words, or whole numbers in
        one column), numbers outside 0 to 1 or rows that do not sum to one. Logs a warning if the first answers are all
        exactly 0 or 1.
        """
        written = self.write(batch)
        texts = list(dict.fromkeys(written))
        answers = [self._ask(texts[i : i + self.batch]) for i in range(0, len(texts), self.batch)]
        rows = np.concatenate([*answers, np.zeros((0, len(self.labels)))])
        row = {text: number for number, text in enumerate(texts)}
        return torch.from_numpy(rows[[row[text] for text in written]])

    def _intern(self, piece: str, *, opening: bool = False) -> int:
        mark = b"opening" if opening else b""
        digest = hashlib.blake2b(piece.encode("utf-8", "surrogatepass"), digest_size=8, person=mark).digest()
        number = int.from_bytes(digest, "big") >> 1
        self._strings[number] = piece
        if opening:
            self._openings.add(number)
        return number

    def _ask(self, texts: list[str]) -> Float[np.ndarray, "n c"]:
        try:
            answer = self.function(list(texts))
        except Exception as error:
            if out_of_memory(error):
                raise
            line = re.sub(r"\s+", " ", str(error))[:200]
            raise ModelError(f"the function {self.name} raised {type(error).__name__}: {line}") from error
        return self._checked(answer, len(texts))

    def _checked(self, answer: Any, rows: int) -> Float[np.ndarray, "n c"]:
        try:
            plain = answer.detach().to("cpu", torch.float64) if isinstance(answer, Tensor) else answer
            if _are_labels(np.asarray(plain)):
                raise self._wrong("class labels", rows, " (predict_proba?)")
            values = np.asarray(plain, dtype=np.float64)
        except (TypeError, ValueError) as error:
            raise self._wrong(f"a {type(answer).__name__} that is not a table of numbers", rows) from error
        if not np.isfinite(values).all():
            raise self._wrong("NaN or infinity", rows)
        if values.min(initial=0) < -TOLERANCE or values.max(initial=0) > 1 + TOLERANCE:
            raise self._wrong(f"{values.min():.4g} to {values.max():.4g} (logits? apply softmax)", rows)
        count = len(self.labels)
        if values.shape in ((rows,), (rows, 1)) and count == 2 and not self.multilabel:
            values = np.stack([1 - values.reshape(rows), values.reshape(rows)], 1)
        if values.shape != (rows, count):
            raise self._wrong(f"numbers of shape {list(values.shape)}", rows)
        sums = values.sum(1)
        if not self.multilabel and np.abs(sums - 1).max(initial=0) > TOLERANCE:
            worst = sums[np.abs(sums - 1).argmax()]
            raise self._wrong(f"a row that sums to {worst:.4g} (labels on their own? multilabel=True)", rows)
        self._watch(values)
        return values.clip(0, 1)

    def _watch(self, values: Float[np.ndarray, "n c"]) -> None:
        """Warn once if the first answers are all exactly 0 or 1: the model may be certain, or return labels."""
        if self._certain < 0:
            return
        self._certain = self._certain + len(values) if bool(((values == 0) | (values == 1)).all()) else -1
        if self._certain >= MIN_CERTAIN:
            self._certain = -1
            _log.warning(
                "the function %s gives 0 and 1 alone for its first texts: give one of probabilities, such as "
                "predict_proba, if it gives labels",
                self.name,
            )

    def _wrong(self, what: str, rows: int, hint: str = "") -> ModelError:
        condition = "each from 0 to 1" if self.multilabel else "which sum to one"
        return ModelError(
            f"the function {self.name} gave {what} for {rows} texts{hint}: it must give [{rows}, {len(self.labels)}] "
            f"probabilities of {', '.join(self.labels[:10])}, {condition}"
        )


def _are_labels(answer: np.ndarray) -> bool:
    """True if an answer holds classes: words, or Booleans and whole numbers in one column."""
    column = answer.ndim == 1 or (answer.ndim == 2 and answer.shape[1] == 1)
    words = answer.dtype.kind == "O" and answer.size > 0 and all(isinstance(item, str) for item in answer.flat)
    return words or answer.dtype.kind in "US" or (column and answer.size > 0 and answer.dtype.kind in "biu")
