"""Extractive question answering: the start and the end of an answer in its context."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from exegesis.core.errors import TextError
from exegesis.core.text import Span, Text
from exegesis.models.huggingface.adapter import PARTS
from exegesis.models.huggingface.views.places import PlacedClassifier, places_of
from exegesis.models.huggingface.views.reading import at_pieces, every_logit
from exegesis.models.huggingface.windows import fullest, marked, windowed
from exegesis.protocols.batch import Batch, pad
from exegesis.protocols.model import Raw

LABELS = ("answer", "start", "end")
LONGEST = 30  # pieces of an answer


@dataclass(frozen=True, eq=False, repr=False)
class AnswerClassifier(PlacedClassifier):
    """An answer to a question, as a span of its context: the logits of its start and of its end.

    A text is a pair ``(question, context)``. Three numbers can be explained, without probabilities: ``answer``, the sum
    of the two logits by which answers are ranked, ``start`` and ``end``. The answer is the span of the context with the
    largest sum, of at most 30 pieces, or ``wanted``: an answer of the user's, which the context must have. It stays the
    same while words are removed; where its own first or last piece is removed, the model reads its mask token there.

    A context beyond the limit is read in windows, with the question in each. An answer counts where its first piece has
    most context, and has to end there; that window is the one that is explained, words outside it have no part in it.
    """

    wanted: str | None = None

    @classmethod
    def probes(cls) -> Sequence[Raw]:
        return [
            ("a word", "a word"),
            ("a word", "a word or"),
            ("a word", "a word and some"),
            ("a word", "more of them"),
        ]

    @property
    def count(self) -> int:
        return 2

    def answering(self, answer: str) -> AnswerClassifier:
        """The model that explains this answer instead of its own."""
        return replace(self, wanted=answer)

    def read(self, raw: Raw) -> Text:
        """Read a question and its context, and find the answer. Raises TextError for anything but a pair."""
        if not isinstance(raw, tuple):
            raise TextError(f"model {self.name} answers questions about a context: give (question, context)")
        text = self.reader.read(raw)
        first, last = self._best(text) if self.wanted is None else self._named(text, raw, self.wanted)
        return replace(text, places=(Span(first, first + 1), Span(last, last + 1)))

    def _named(self, text: Text, raw: tuple[str, str], wanted: str) -> tuple[int, int]:
        at = raw[1].find(wanted) if wanted.strip() else -1
        if at < 0:
            raise TextError(f"the context does not have the answer {wanted!r:.60}: name a part of it as written")
        start, stop = (len(raw[0]) + 1 + at + shift for shift in (0, len(wanted)))
        inside = [n for n in self._context(text) if text.offsets[n][0] < stop and start < text.offsets[n][1]]
        windows = self._windows(text)
        if windows and inside[-1] >= fullest(windows, inside[0]).stop:
            raise TextError(f"the answer {wanted!r:.60} ends beyond its window of the context: name a shorter one")
        return inside[0], inside[-1]

    def _windows(self, text: Text) -> tuple[Span, ...]:
        return () if self.reader.windows is None else self.reader.windows.over(text, part=1)

    def _best(self, text: Text) -> tuple[int, int]:
        """The first and the last piece of the best answer."""
        windows, context = self._windows(text), self._context(text)
        if not windows:
            return self._best_of(text, context, context)[1]
        found = []
        for window in windows:
            inside = [n for n in context if window.start <= n < window.stop]
            found.append(self._best_of(text, inside, [n for n in inside if fullest(windows, n) == window], window))
        return max(found)[1]

    def _best_of(
        self, text: Text, context: list[int], firsts: list[int], window: Span | None = None
    ) -> tuple[float, tuple[int, int]]:
        """The best answer within some pieces of the context, read in a window, and the sum of its two logits."""
        batch = pad([text], self.tokens["pad"])
        every = [] if window is None else [self._windows(text)]
        own = None if window is None else windowed(marked(batch, every, PARTS, [window]), PARTS, self.tokens["pad"])
        with torch.no_grad():
            starts, ends = self._scores((batch if own is None else own.batch).to(self.device))
        places = torch.arange(len(text))[None] if own is None else own.pieces
        at = {piece: n for n, piece in enumerate(places[0].tolist())}
        first, last = (torch.tensor([at[n] for n in part]) for part in (firsts, context))
        sums = starts[0].cpu()[first, None] + ends[0].cpu()[None, last]
        distance = last[None] - first[:, None]
        sums = sums.masked_fill((distance < 0) | (distance >= LONGEST), -torch.inf)
        best = int(sums.argmax())
        return float(sums.flatten()[best]), (firsts[best // len(context)], context[best % len(context)])

    def _scores(self, batch: Batch) -> tuple[Float[Tensor, "b t"], Float[Tensor, "b t"]]:
        answer = self._called(batch, None)
        starts, ends = (every_logit(self, answer, batch, None, name)[..., 0] for name in ("start_logits", "end_logits"))
        return starts, ends

    def _context(self, text: Text) -> list[int]:
        """The pieces of the context that are the user's."""
        part = text.segments[-1]
        return [n for n in range(part.start, part.stop) if not text.special[n]]

    def _read_off(self, answer: Any, batch: Batch) -> Float[Tensor, "b c"]:
        parts = [every_logit(self, answer, batch, None, name) for name in ("start_logits", "end_logits")]
        start, end = (at_pieces(part, places_of(batch, number))[:, 0] for number, part in enumerate(parts))
        return torch.stack([start + end, start, end], 1)
