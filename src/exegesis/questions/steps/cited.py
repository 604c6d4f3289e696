"""Sources of an answer: which of the texts in a prompt made it, and how far that can be trusted."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from exegesis.core.errors import TextError, UsageError
from exegesis.core.text import Span, Text
from exegesis.engine.answer import one_per_text
from exegesis.engine.methods import Method
from exegesis.engine.run import run
from exegesis.protocols.draws import generator
from exegesis.protocols.generative import Generative, Number
from exegesis.protocols.target import Ask
from exegesis.questions.attributions.context_cite import numbers_keeping
from exegesis.questions.steps.answers import SPECIAL, Answer, parts_of
from exegesis.results.generation import Generation
from exegesis.results.header import Account, Prediction

TOP, RANDOM, HELD_OUT = 3, 8, 32  # sources taken out, draws of random ones, prompts in which sums are judged
REST = "the rest of the prompt"
_SENTENCE = re.compile(r"(?<=[.!?。！？])\s+")
_PARAGRAPH = re.compile(r"\n\s*\n")


def split(text: str) -> list[str]:
    """The paragraphs of a text, cut at blank lines; the sentences of one without."""
    parts = _PARAGRAPH.split(text) if _PARAGRAPH.search(text.strip()) else _SENTENCE.split(text)
    return [part.strip() for part in parts if part.strip()]


def prompt_of(sources: Sequence[str], question: str) -> str:
    """The prompt of a question about sources: one under the other, the question below.

    Raises UsageError for anything but strings, TextError for a blank one.
    """
    if not isinstance(question, str) or not all(isinstance(source, str) for source in sources):
        raise UsageError("sources are a list of strings, and the question is a string")
    if not sources or not question.strip() or not all(source.strip() for source in sources):
        raise TextError("a question needs at least one source, and none of them may be blank")
    return "\n".join([*(source.strip() for source in sources), "", question.strip()])


def placed(prompted: Text, sources: Sequence[str]) -> list[Span]:
    """The pieces of each source in the prompt, from its first word to its last.

    Raises TextError for a source that has no word of its own there.
    """
    spans, at = [], 0
    for number, source in enumerate(sources, 1):
        start = prompted.raw.find(source.strip(), at)
        stop = at = start + len(source.strip())
        places = [(word, *prompted.characters(word)) for word in prompted.words]
        inside = [word for word, first, last in places if start <= first and last <= stop and start >= 0]
        if not inside:
            raise TextError(f"source {number} ({source!r:.40}) has no word of its own in the prompt")
        spans.append(Span(inside[0].start, inside[-1].stop))
    return spans


def cited(model: Generative, answer: Answer, spans: Sequence[Span], method: Method, number: Number) -> Generation:
    """The scores of sources for an answer as a whole. Raises the errors of ``engine.run``."""
    text, parts = _of_sources(answer.text, spans), parts_of(answer, "answer")
    (scores,) = one_per_text(run(model.steps(text, parts, number), [text], method, Ask("logit", (0,))))
    account = {REST if name == SPECIAL else name: part for name, part in scores.remainder.parts.items()}
    subject = replace(
        scores.subject,
        text=answer.text,
        model=model.name,
        prediction=Prediction(next(iter(parts)), _chance(number, scores.subject.explained[0]), {}),
        targets=tuple(f"{number}:{name}" for name in parts),
    )
    return Generation(
        subject, scores.origin, tuple(spans), tuple(parts.values()), scores.at("word").values, answer.first, "answer",
        remainder=Account(account, scores.complete),
    )  # fmt: skip


def with_trust(model: Generative, answer: Answer, result: Generation, seed: int = 0) -> Generation:
    """The result with what it is worth in ``details["sources"]``.

    ``fall``: how far the log-probability of the answer falls without the ``top`` sources of largest score, at most
    three and not all; ``random``: without as many random ones, on average over eight draws; ``held_out``: the rank
    correlation of sums of scores with the log-probability in ``prompts`` new prompts with half of the sources, NaN
    where one side does not vary.
    """
    from scipy import stats

    text, parts = _of_sources(answer.text, result.inputs), parts_of(answer, "answer")
    steps = model.steps(text, parts, "log-probability")
    scores, count = result.values[0], len(result.inputs)
    top = min(TOP, max(1, count - 1))
    best = np.argsort(-scores, kind="stable")[:top]
    draws = generator(answer.text, seed)
    rows = [torch.ones(count, dtype=torch.bool), _without(count, torch.from_numpy(best.copy()))]
    rows += [_without(count, torch.randperm(count, generator=draws)[:top]) for _ in range(RANDOM)]
    half = torch.rand(HELD_OUT, count, generator=draws, dtype=torch.float64) < 0.5
    presence: Bool[Tensor, "s w"] = torch.cat([torch.stack(rows), half])
    batch = steps.encode([text])
    target = Ask("logit", (0,)).of(steps.outputs(batch), steps.link)
    numbers = numbers_keeping(steps, batch, target, [presence], "drop")[0][:, 0].numpy()
    whole, fall, random = numbers[0], numbers[0] - numbers[1], float(np.mean(numbers[0] - numbers[2 : 2 + RANDOM]))
    found, told = numbers[2 + RANDOM :], half.numpy() @ scores
    details = {
        "top": int(top),
        "fall": float(fall),
        "random": random,
        "held_out": _correlation(stats, told, found),
        "prompts": HELD_OUT,
        "log_probability": float(whole),
    }
    return result.replace(details={**result.details, "sources": details})


def _correlation(stats: object, first: Float[np.ndarray, " n"], second: Float[np.ndarray, " n"]) -> float | None:
    if np.ptp(first) == 0 or np.ptp(second) == 0:
        return None
    return float(stats.spearmanr(first, second).statistic)  # type: ignore[attr-defined]


def _without(count: int, gone: Tensor) -> Bool[Tensor, " w"]:
    flags = torch.ones(count, dtype=torch.bool)
    flags[gone] = False
    return flags


def _of_sources(text: Text, spans: Sequence[Span]) -> Text:
    """A text whose words are its sources; everything else of it stays where it is, like a special piece."""
    inside = {n for span in spans for n in range(*span)}
    return replace(text, words=tuple(spans), special=tuple(n not in inside for n in range(len(text))))


def _chance(number: Number, explained: float) -> float:
    """The probability of an answer from its number; NaN from logits."""
    if number == "logit":
        return float("nan")
    return float(np.exp(explained) if number == "log-probability" else 1 / (1 + np.exp(-explained)))
