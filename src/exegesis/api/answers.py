"""Answers of language models: why these words."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Sequence
from typing import Any, cast

from exegesis.api.models import as_model
from exegesis.core.errors import UnsupportedError, UsageError, unknown
from exegesis.core.text import Text
from exegesis.engine.cost import allowed
from exegesis.engine.methods import Method, card_of, make
from exegesis.nn.context import entry
from exegesis.protocols.generative import Generative, Number, Prompt
from exegesis.protocols.model import Classifier, missing
from exegesis.questions.attributions.context_cite import ContextCite
from exegesis.questions.steps.answers import Answer, contrasted, explained
from exegesis.questions.steps.cited import cited, placed, prompt_of, split, with_trust
from exegesis.results.generation import Generation

NUMBERS = ("log-probability", "logit", "log-odds")
DEFAULT, CITED = "leave-one-out", "context-cite"
LOGITS = ("lrp", "deeplift")  # methods with rules for the parts of a network, not for a softmax over the vocabulary


@entry
def generation(
    model: Classifier | str | os.PathLike[str],
    prompt: Prompt,
    continuation: str | None = None,
    method: str | Method | None = None,
    *,
    unit: str = "word",
    number: str | None = None,
    contrast: str | None = None,
    at: int | None = None,
    most_pieces: int = 50,
    most: int | None = None,
    **parameters: Any,
) -> Generation:
    """Explain the answer of a language model: each of its words against all words before, of the prompt and of itself.

    ``model`` is a causal model or an encoder-decoder (``load``). ``prompt`` is a text, or the messages of a chat,
    ``[{"role": "user", "content": "..."}]``, in the tokenizer's template, whose own words and special pieces are kept
    apart. ``continuation`` is the answer to explain, by default the model's own likeliest one of at most
    ``most_pieces`` pieces. ``method`` is a name or a value, with its ``parameters``, as for ``explain``; by default
    leave-one-out.

    ``unit``: ``word``, ``piece``, or ``answer`` for one number for the whole. ``number``: the sum of the
    ``log-probability`` of a part's pieces, each given all before it, or of their ``logit`` (the default of lrp and
    deeplift), or the ``log-odds`` of the part's probability. ``Generation.over`` sums over a run of parts.

    ``contrast`` is another answer: the result says why the model gives the first rather than that one, with one number
    for both as wholes. With ``at``, the number of a word of the answer, from 0, the two differ there: why this word
    rather than ``contrast``, given the answer before it.

    Raises UsageError and TextError for arguments that do not fit (an empty continuation, one that the tokenizer cannot
    spell), UnsupportedError for a model that writes no text, and the errors of ``explain``.
    """
    writer = _generative(model)
    chosen = make(DEFAULT if method is None else method, parameters)
    kind = _number(number, chosen)
    prompted = writer.prompted(prompt)
    answer = Answer(writer.continued(prompted, continuation, most_pieces), len(prompted.words))
    with allowed(most):
        if contrast is None:
            if at is not None:
                raise UsageError("at= names the word that a contrast is about; give contrast= too")
            return explained(writer, answer, chosen, kind, unit)
        if at is not None:
            prompted, answer = _placed(writer, prompted, answer, at)
        other = Answer(writer.continued(prompted, contrast, most_pieces), len(prompted.words))
        if other.text.ids == answer.text.ids:
            raise UsageError(f"the contrast {contrast!r:.40} is the answer itself; give another one")
        one, two = (explained(writer, each, chosen, kind, "answer") for each in (answer, other))
        return contrasted(one, two)


@entry
def citations(
    model: Classifier | str | os.PathLike[str],
    question: str,
    sources: Sequence[str] | str,
    continuation: str | None = None,
    method: str | Method | None = None,
    *,
    chat: bool = False,
    number: str | None = None,
    trust: bool = True,
    seed: int = 0,
    most_pieces: int = 50,
    most: int | None = None,
    **parameters: Any,
) -> Generation:
    """Which sources made this answer: a score for each of them, for the answer as a whole.

    The prompt has the ``sources`` one under the other and the ``question`` below them, as a text or as a message of a
    ``chat``. A string of sources is cut at blank lines, one without blank lines into its sentences. ``method`` scores
    whole sources, as ``explain`` scores words: ``context-cite`` by default (64 prompts with half of the sources, a
    sparse linear model of the answer's log odds), ``leave-one-out``, ``shapley``; methods of gradients give the sum
    over a source's pieces. All else of the prompt stays as it is.

    ``trust`` measures the result (``details["sources"]``): how far the answer's log-probability falls without the top
    sources, beside as many random ones, and how well sums of scores predict it in new prompts with half of the sources
    (rank correlation; LDS in the paper). ``seed`` draws these. ``number`` and the other arguments are those of
    ``generation``. Raises the errors of ``generation``, and TextError for a source without a word.
    """
    writer = _generative(model)
    listed = split(sources) if isinstance(sources, str) else list(sources)
    chosen = make(CITED if method is None else method, parameters)
    text = prompt_of(listed, question)
    prompted = writer.prompted([{"role": "user", "content": text}] if chat else text)
    answer = Answer(writer.continued(prompted, continuation, most_pieces), len(prompted.words))
    if isinstance(chosen, ContextCite):
        number = number or "log-odds"
        if "penalty" not in parameters and (method is None or isinstance(method, str)):
            pieces = len(answer.text) - len(prompted)
            chosen = dataclasses.replace(chosen, penalty=chosen.penalty * pieces)  # the paper divides by the pieces
    kind = _number(number, chosen)
    with allowed(most):
        result = cited(writer, answer, placed(prompted, listed), chosen, kind)
        return with_trust(writer, answer, result, seed) if trust else result


def _generative(model: Classifier | str | os.PathLike[str]) -> Generative:
    classifier = as_model(model)
    reasons = missing(classifier, Generative)
    if reasons:
        raise UnsupportedError(
            f"the model {classifier.name} writes no text (it has no language-model head): take a causal model or an "
            "encoder-decoder that was trained to write"
        )
    return cast(Generative, classifier)


def _number(number: str | None, method: Method) -> Number:
    if number is None:
        number = "logit" if card_of(method).name in LOGITS else "log-probability"
    if number not in NUMBERS:
        raise unknown("number", number, NUMBERS)
    return cast(Number, number)


def _placed(writer: Generative, prompted: Text, answer: Answer, at: int) -> tuple[Text, Answer]:
    """The text before a word of the answer, and that word as the answer to it."""
    words = answer.text.words[answer.first :]
    if not isinstance(at, int) or isinstance(at, bool) or not 0 <= at < len(words):
        raise UsageError(f"at must be the number of a word of the answer, 0 to {len(words) - 1}, not {at!r}")
    ids, word = answer.text.ids, words[at]
    before = writer.continued(prompted, ids[len(prompted) : word.start], 1) if at else prompted
    return before, Answer(writer.continued(before, ids[word.start : word.stop], 1), len(before.words))
