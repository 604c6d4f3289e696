"""A user's function of texts: how it is called, what it may answer, what it gets in the place of an empty text."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from exegesis.core.errors import ModelError, out_of_memory
from exegesis.nn.alone import alone
from exegesis.nn.context import callers_device
from exegesis.protocols.target import Link

MIN_CERTAIN = 4  # a warning is logged if as many first answers are all exactly 0 or 1
TOLERANCE = 1e-3  # distance of a row from a distribution (half precision rounds to 5e-4)
NO_WORDS = "."  # stands in an empty text's place if nothing else is given
CONDITIONS = {
    Link.PROBABILITY: "probabilities of {}, which sum to one",
    Link.PROBABILITIES: "probabilities of {}, each from 0 to 1",
    Link.IDENTITY: "numbers, {}",
}
ONE_BY_ONE = "if it takes one text, pass lambda texts: [function(text) for text in texts]"
_log = logging.getLogger("exegesis.blackbox")


@dataclass(eq=False)
class Function:
    """A function from a list of at most ``batch`` texts to a row of numbers for each.

    A function that raises an exception for lists, and gives a row for a string, is called once for each text. So is one
    whose row for a text depends on the texts beside it, by more than ``TOLERANCE``: a first text that comes alone is
    asked twice in one call and once alone, and of the first list of different texts the shortest, the longest, and
    those with the smallest and the largest number are asked again alone, so that a black box has at most five calls
    more. Of an empty text it gets ``nothing`` instead; None until an empty text is first needed: then the empty text
    itself is tried, and if the function cannot read it (an exception, NaN, no row), the first of ``spare`` that it can.
    """

    call: Callable[[Any], Any]
    name: str
    labels: tuple[str, ...]
    link: Link
    batch: int
    nothing: str | None
    spare: tuple[str, ...]
    alone: bool | None = None  # called with a text, not with a list; None until it has been tried
    apart: bool | None = None  # called with lists of one text; None until different texts were asked together
    needs_words: bool = False  # it cannot read a text without a letter or digit either
    certain: int = 0  # answers so far, all of which were exactly 0 or 1; -1 once that is settled

    def rows(self, texts: Sequence[str], own: Collection[str] = ()) -> Float[np.ndarray, "n c"]:
        """The rows of texts, float64; a user's ``own`` texts are never replaced. Equal texts are asked once.

        Threads ask one after the other. Raises ModelError as ``BlackBox.outputs``.
        """
        with alone(self):
            return self._rows(texts, own)

    def _rows(self, texts: Sequence[str], own: Collection[str]) -> Float[np.ndarray, "n c"]:
        filled = [self.nothing if self._is_empty(text) and text not in own else text for text in texts]
        distinct = [text for text in dict.fromkeys(filled) if text is not None]
        try:
            parts = [self._ask(distinct[i : i + self.batch]) for i in range(0, len(distinct), self.batch)]
        except ModelError as complaint:
            bare = [text for text in distinct if text not in own and not _has_words(text)]
            if self.needs_words or not bare:
                raise
            return self._without_bare(texts, own, bare[0], complaint)
        row: dict[str | None, int] = {text: number for number, text in enumerate(distinct)}
        if None in filled:
            row[None] = len(distinct)
            parts.append(self._without_text())
        return np.concatenate([*parts, np.zeros((0, len(self.labels)))])[[row[text] for text in filled]]

    def _is_empty(self, text: str) -> bool:
        """True for a text that the function gets ``nothing`` for."""
        return not text or (self.needs_words and not _has_words(text))

    def _without_bare(
        self, texts: Sequence[str], own: Collection[str], bare: str, complaint: ModelError
    ) -> Float[np.ndarray, "n c"]:
        """The rows of texts if those without a letter or digit count as empty; for ``complaint`` about one of these.

        Raises the complaint if it stays, and ModelError if nothing is found to take their place.
        """
        self.needs_words = True
        try:
            rows = self.rows(texts, own)
        except ModelError as error:
            self.needs_words = False
            raise (error if self.nothing is None else complaint) from error.__cause__
        _log.warning("%s; texts without a letter, such as %r, count as empty", complaint, bare)
        return rows

    def _without_text(self) -> Float[np.ndarray, "1 c"]:
        """The row of an empty text, or of the first text in its place that the function can read."""
        complaint: ModelError | None = None
        for text in ("", "", *self.spare):  # twice: a service may fail once
            try:
                row = self._ask([text])
            except ModelError as error:
                complaint = complaint or error
                continue
            self.nothing = text
            if text:
                _log.warning("%s; in the place of an empty text it gets %r (empty=TEXT says another)", complaint, text)
            return row
        raise ModelError(
            f"{complaint}: it cannot read an empty text, nor {self.spare[-1]!r} in its place: say what it can, "
            "empty=TEXT"
        ) from complaint

    def _ask(self, texts: list[str]) -> Float[np.ndarray, "n c"]:
        if self.alone is None:
            rows = self._try(texts)
        elif self.alone:
            rows = np.concatenate([self._checked(self._row(self._called(text)), 1) for text in texts])
        elif self.apart:
            rows = np.concatenate([self._lone(text) for text in texts])
        else:
            rows = self._checked(self._called(list(texts)), len(texts))
        if len(texts) > 1 and self.apart is None and not self.alone:
            self.apart = self._depends(texts, rows)
            rows = np.concatenate([self._lone(text) for text in texts]) if self.apart else rows
        self._watch(rows)
        return rows

    def _depends(self, texts: list[str], rows: Float[np.ndarray, "n c"]) -> bool:
        """True if a text alone has another row than among others. Raises ModelError if it never has the same twice."""
        sizes = [len(text) for text in texts]
        extremes = (
            np.argmin(sizes),
            len(texts) - 1 - np.argmax(sizes[::-1]),
            rows[:, -1].argmin(),
            rows[:, -1].argmax(),
        )
        single: dict[str, Float[np.ndarray, " c"]] = {}
        for place in dict.fromkeys(int(place) for place in extremes):
            text, row = texts[place], rows[place]
            try:
                single[text] = single[text] if text in single else self._lone(text)[0]
            except ModelError:  # it takes lists of several texts only: nothing to compare
                return False
            if _same(row, single[text]):
                continue
            again = self._lone(text)[0]
            if not _same(single[text], again):
                raise self._drawn(single[text], again)
            _log.warning(
                "the numbers of the function %s for a text depend on the texts beside it (%s alone, %s in a list of "
                "%d): it gets lists of one text",
                *(self.name, again[:3], row[:3], len(texts)),
            )
            return True
        return False

    def _lone(self, text: str) -> Float[np.ndarray, "1 c"]:
        """The row of a list of one text."""
        return self._checked(self._row(self._called([text])), 1)

    def _try(self, texts: list[str]) -> Float[np.ndarray, "n c"]:
        """The rows of the first texts, and whether the function takes a list. Raises ModelError if that stays open."""
        asked = texts * 2 if len(texts) == 1 < self.batch else texts
        try:
            answer = self._called(list(asked))
        except ModelError:
            if self._alone(texts[0]) is None:
                raise
            self.alone = True
            _log.warning("the function %s raises an exception for a list of texts: it gets them one by one", self.name)
            return np.concatenate([self._checked(self._row(self._called(text)), 1) for text in texts])
        values = self._checked(answer, len(asked))
        if len(asked) == 1:  # a list of one may be read as a text
            single = self._alone(texts[0])
            if single is not None and not np.allclose(single, values, atol=TOLERANCE):
                raise self._wrong("a list of one text another row than the text itself", 1, f" ({ONE_BY_ONE})")
        elif len(asked) == len(self.labels) and np.ndim(answer) == 1:  # may be the row of one text
            self._checked(self._called([texts[0]] * (len(asked) + 1)), len(asked) + 1)
        doubled = len(asked) > len(texts)
        if doubled and self._depends(asked, values):
            self.alone, self.apart = False, True
            return self._lone(texts[0])
        if doubled and not _same(values[0], values[1]):
            raise self._drawn(values[0], values[1])
        self.alone = False
        return values[: len(texts)]

    def _alone(self, text: str) -> Float[np.ndarray, "1 c"] | None:
        """The row that the function gives for a string; None if it gives none, or one for each of its characters."""
        longer = text
        while len(longer) in (1, len(self.labels)):
            longer += f" {text}"
        try:
            self._checked(self._row(self._called(longer)), 1)
            return self._checked(self._row(self._called(text)), 1)
        except ModelError:
            return None

    def _row(self, answer: Any) -> Any:
        """The answer to one text as the answer to a list of one."""
        try:
            plain = np.asarray(answer.detach().cpu() if isinstance(answer, Tensor) else answer)
        except (TypeError, ValueError):
            return answer
        return plain[None] if plain.ndim < 2 else plain

    def _called(self, texts: Any) -> Any:
        try:
            with callers_device():
                return self.call(texts)
        except Exception as error:
            if out_of_memory(error):
                raise
            line = re.sub(r"\s+", " ", str(error))[:200]
            raise ModelError(f"the function {self.name} raised {type(error).__name__}: {line}") from error

    def _checked(self, answer: Any, rows: int) -> Float[np.ndarray, "n c"]:
        try:
            plain = answer.detach().to("cpu", torch.float64) if isinstance(answer, Tensor) else answer
            if _are_labels(np.asarray(plain), numbers=self.link is not Link.IDENTITY):
                raise self._wrong("class labels", rows, " (predict_proba?)")
            values = np.asarray(plain, dtype=np.float64)
        except (TypeError, ValueError) as error:
            raise self._wrong(f"a {type(answer).__name__} that is not a table of numbers", rows) from error
        if not np.isfinite(values).all():
            raise self._wrong("NaN or infinity", rows)
        if self.link is Link.IDENTITY:
            return self._shaped(values, rows)
        if values.min(initial=0) < -TOLERANCE or values.max(initial=0) > 1 + TOLERANCE:
            raise self._wrong(f"{values.min():.4g} to {values.max():.4g} (logits? apply softmax)", rows)
        values = self._shaped(values, rows)
        sums = values.sum(1)
        if self.link is Link.PROBABILITY and np.abs(sums - 1).max(initial=0) > TOLERANCE:
            worst = sums[np.abs(sums - 1).argmax()]
            raise self._wrong(f"a row that sums to {worst:.4g} (labels on their own? multilabel=True)", rows)
        return values.clip(0, 1)

    def _shaped(self, values: np.ndarray, rows: int) -> Float[np.ndarray, "n c"]:
        count = len(self.labels)
        if values.shape in ((rows,), (rows, 1)) and count == 2 and self.link is Link.PROBABILITY:
            values = np.stack([1 - values.reshape(rows), values.reshape(rows)], 1)
        elif values.shape == (rows,) and count == 1:
            values = values[:, None]
        if values.shape != (rows, count):
            single = values.shape in ((), (count,), (1, count)) and rows > 1
            raise self._wrong(f"numbers of shape {list(values.shape)}", rows, f" ({ONE_BY_ONE})" if single else "")
        return values

    def _watch(self, values: Float[np.ndarray, "n c"]) -> None:
        """Warn once if the first answers are all exactly 0 or 1: the model may be certain, or return labels."""
        if self.certain < 0 or self.link is Link.IDENTITY:
            return
        self.certain = self.certain + len(values) if bool(((values == 0) | (values == 1)).all()) else -1
        if self.certain >= MIN_CERTAIN:
            self.certain = -1
            _log.warning(
                "the function %s gives 0 and 1 alone for its first texts: give one of probabilities, such as "
                "predict_proba, if it gives labels",
                self.name,
            )

    def _drawn(self, first: np.ndarray, second: np.ndarray) -> ModelError:
        return ModelError(
            f"the function {self.name} gives the same text two answers ({first[:3]} and {second[:3]}): no number would "
            "hold; fix its random choices (a torch module needs eval() first)"
        )

    def _wrong(self, what: str, rows: int, hint: str = "") -> ModelError:
        named = CONDITIONS[self.link].format(", ".join(self.labels[:10]))
        return ModelError(
            f"the function {self.name} gave {what} for {rows} texts{hint}: it must give [{rows}, {len(self.labels)}] "
            f"{named}"
        )


def _same(one: np.ndarray, other: np.ndarray) -> bool:
    return np.allclose(one, other, rtol=TOLERANCE, atol=TOLERANCE)


def _has_words(text: str) -> bool:
    return any(character.isalnum() for character in text)


def _are_labels(answer: np.ndarray, *, numbers: bool) -> bool:
    """True if an answer holds classes: words, or Booleans and (among ``numbers``) whole numbers in one column."""
    column = answer.ndim == 1 or (answer.ndim == 2 and answer.shape[1] == 1)
    words = answer.dtype.kind == "O" and answer.size > 0 and all(isinstance(item, str) for item in answer.flat)
    kinds = "biu" if numbers else "b"
    return words or answer.dtype.kind in "US" or (column and answer.size > 0 and answer.dtype.kind in kinds)
