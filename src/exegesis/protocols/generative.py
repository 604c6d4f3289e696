"""What a question may ask of a model that writes text: prompts, answers, and the steps of an answer as numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, Protocol

from exegesis.core.text import Span, Text
from exegesis.protocols.model import Classifier

Message = Mapping[str, str]  # one turn of a chat: its role and its content
Prompt = str | Sequence[Message]
Number = Literal["log-probability", "logit", "log-odds"]


class Generative(Classifier, Protocol):
    """A language model: it writes an answer to a prompt, piece by piece.

    ``prompted`` reads a prompt, a text or the messages of a chat; of a chat all that its template adds is special.
    ``continued`` gives a text with an answer behind it: the user's own as a string, pieces by their ids, or the model's
    likeliest one (None) of at most ``most`` pieces. Its last segment is the answer; a further answer may follow it.

    ``steps`` shows the answer's pieces as the outputs of a classifier of that one text, with a column for each of
    ``parts``: the sum over the part's pieces of their log-probability, or logit, given all pieces before them; or the
    log odds of the part, of which the sum of log-probabilities is the logarithm of the probability. All
    columns of a row come from one pass. Pieces that are removed are not read; the answer that is scored stays the same.
    """

    def prompted(self, prompt: Prompt) -> Text: ...
    def continued(self, text: Text, answer: str | Sequence[int] | None, most: int) -> Text: ...
    def steps(self, text: Text, parts: Mapping[str, Span], number: Number) -> Classifier: ...
