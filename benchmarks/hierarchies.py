"""Hierarchies and phrase scores beside plain versions with one call of the model a span, all in one run.

    python benchmarks/hierarchies.py --data DATA --out benchmarks/results/hierarchies.json

DATA is a folder with ``sst2/train.tsv`` and ``sst2/test.tsv`` (sentence<TAB>label); EXEGESIS_DATA is its default. The
model is that of the other benchmarks: an LSTM classifier (300 wide, hidden 150, last state), trained here with a seed.
The plain versions do what released code does: they call the user's module, without any of this package, for one
coalition (HEDGE), one span (ACD by leave-one-out; by contextual decomposition, as published, the NumPy version of the
tests) or one span with all of its drawn contexts (SOC) at a time; HEDGE remembers what it asked. They take the same
decisions, and both sides' trees and scores are compared. The words drawn for SOC are drawn beforehand and given to
both; what drawing takes is reported on its own. Seconds are of CPU time of one thread, so that other work on the
machine weighs little.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import decomposition
import torch
from sentiment import Lstm, heading, report, trained

import exegesis
from exegesis.core.text import Span
from exegesis.data.examples import read_examples
from exegesis.models.text.vocabulary import Vocabulary
from exegesis.protocols.language import fillings
from exegesis.questions.attributions.decomposition import ContextualDecomposition
from exegesis.questions.attributions.leave_one_out import LeaveOneOut
from exegesis.questions.attributions.soc import Soc

sys.path.append(str(Path(__file__).parents[1] / "tests"))
from slow import hierarchies as slow

SAMPLES, NEIGHBOURS, WINDOW = 20, 10, 2


class Plain:
    """The user's module, one call at a time: the logit (or lead) of a label."""

    def __init__(self, module: Lstm, vocabulary: Vocabulary) -> None:
        self.module, self.vocabulary, self.calls = module, vocabulary, 0

    def ids(self, words: Sequence[str | None]) -> list[int]:
        pad, numbers, unknown = self.vocabulary.pad, self.vocabulary.numbers, self.vocabulary.unknown
        return [pad if word is None else numbers.get(word, unknown or pad) for word in words] or [pad]

    @torch.no_grad()
    def raw(self, rows: Sequence[Sequence[str | None]]) -> torch.Tensor:
        """One call for rows of like length."""
        self.calls += 1
        ids = torch.tensor([self.ids(row) for row in rows])
        return self.module(ids, torch.full((len(ids),), ids.shape[1]))

    def label(self, words: Sequence[str]) -> int:
        return int(self.raw([words])[0].argmax())


def plain_acd(plain: Plain, words: Sequence[str]) -> dict[tuple[int, int], float]:
    label = plain.label(words)
    whole = float(plain.raw([words])[0, label])

    @cache
    def score(start: int, stop: int) -> float:
        return whole - float(plain.raw([[*words[:start], *words[stop:]]])[0, label])

    groups = [group for group, _, _ in slow.acd(score, len(words), 90.0)]
    return {span: score(*span) for span in [*groups, *((at, at + 1) for at in range(len(words)))]}


def plain_cd_acd(
    plain: Plain, decomposed: decomposition.Plain, model: Any, words: Sequence[str]
) -> dict[tuple[int, int], float]:
    """ACD as it was published: contextual decomposition, one phrase at a time."""
    label, text = plain.label(words), model.read(" ".join(words))

    @cache
    def score(start: int, stop: int) -> float:
        plain.calls += 1
        return float(decomposed.part(text, Span(start, stop), "acd")[label])

    groups = [group for group, _, _ in slow.acd(score, len(words), 90.0)]
    return {span: score(*span) for span in [*groups, *((at, at + 1) for at in range(len(words)))]}


def plain_hedge(plain: Plain, words: Sequence[str]) -> dict[tuple[int, int], float]:
    label = plain.label(words)

    @cache
    def outputs(kept: frozenset[int]) -> tuple[float, ...]:
        return tuple(plain.raw([[word if at in kept else None for at, word in enumerate(words)]])[0].tolist())

    cuts = slow.hedge(lambda kept: outputs(kept)[label], len(words), WINDOW)
    spans = [span for span, _, _ in cuts] + [(at, at + 1) for at in range(len(words))]
    found = {}
    for span in spans:
        raw = outputs(frozenset(range(*span)))
        found[span] = raw[label] - raw[1 - label]
    return found


def plain_soc(plain: Plain, words: Sequence[str], language: Any, spans: Sequence[tuple[int, int]]) -> list[float]:
    label, found = plain.label(words), []
    for start, stop in spans:
        near = range(max(0, start - NEIGHBOURS), min(len(words), stop + NEIGHBOURS))
        places = [place for place in near if not start <= place < stop]
        rows: list[list[str | None]] = []
        for filling in fillings(language, [words], [places], SAMPLES, 0)[0]:
            row: list[str | None] = list(words)
            for place, word in zip(places, filling, strict=True):
                row[place] = word
            rows.append(row)
        gone = [[*row[:start], *[None] * (stop - start), *row[stop:]] for row in rows]
        raw = plain.raw([*rows, *gone])[:, label]
        found.append(float((raw[: len(rows)] - raw[len(rows) :]).mean()))
    return found


class Remembered:
    """A language model whose draws are made once; single words of the classifier's vocabulary, so that texts align."""

    name = "remembered"

    def __init__(self, language: Any, tokenize: Callable[[str], list[str]]) -> None:
        self.language, self.known, self.tokenize = language, {}, tokenize

    def sample(self, texts: Any, positions: Any, count: int, seed: int) -> Any:
        keys = [(tuple(words), tuple(places)) for words, places in zip(texts, positions, strict=True)]
        new = [key for key in keys if key not in self.known]
        if new:
            drawn = self.language.sample([words for words, _ in new], [places for _, places in new], count, seed)
            for key, some in zip(new, drawn, strict=True):
                self.known[key] = [
                    tuple(word if len(self.tokenize(word)) == 1 else "the" for word in filling) for filling in some
                ]
        return [self.known[key] for key in keys]


def spans_of(result: Any) -> dict[tuple[int, int], float]:
    return {tuple(result.text.words_under(part.span)): part.score for part in result.parts}


def differences(ours: Sequence[dict], theirs: Sequence[dict]) -> dict[str, Any]:
    """Trees that are not the same (rounding may break a tie elsewhere), and the largest difference of a score."""
    same = [set(a) == set(b) for a, b in zip(ours, theirs, strict=True)]
    worst = max(abs(a[s] - b[s]) for a, b in zip(ours, theirs, strict=True) for s in set(a) & set(b))
    return {"same_trees": f"{sum(same)} of {len(same)}", "largest_difference": worst}


def cpu(call: Callable[[], Any]) -> tuple[Any, float]:
    """What a call gives, and the seconds of CPU time that it took."""
    start = time.process_time()
    return call(), time.process_time() - start


def compared(
    ours: Callable[[list[str]], list[dict]], theirs: Callable[[str], dict], texts: list[str], plain: Plain, runs: int
) -> dict[str, Any]:
    """All texts in one call, and one text a call, beside the plain version."""
    plain.calls = 0
    ours(texts[:2])  # warm
    own, alone, other = [], [], []
    for run in range(runs):
        found, seconds = cpu(lambda: ours(texts))
        own.append(seconds)
        alone.append(cpu(lambda: [ours([text]) for text in texts])[1])
        if run == 0:  # the slow one is timed once, in the middle
            expected, seconds = cpu(lambda: [theirs(text) for text in texts])
            other.append(seconds)
            calls = plain.calls
    slow_s, fast_s, single_s = (statistics.median(each) / len(texts) for each in (other, own, alone))
    return {
        "texts": len(texts),
        "plain_model_calls": calls,
        "plain_s_a_text": slow_s,
        "together_s_a_text": fast_s,
        "times_faster_together": slow_s / fast_s,
        "one_text_a_call_s_a_text": single_s,
        "times_faster_one_text_a_call": slow_s / single_s,
        **differences(found, expected),
        "goal": ">= 10 x faster, same numbers",
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default=os.environ.get("EXEGESIS_DATA"), help="folder with sst2/")
    parser.add_argument("--out", default=None, help="where to keep the figures, a .json file")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--texts", type=int, default=64)
    options = parser.parse_args()
    if not options.data:
        parser.error("give --data, or set EXEGESIS_DATA")
    data = Path(options.data)
    torch.set_num_threads(1)
    module, model = trained(data, options.epochs)
    every = [str(e.text) for e in read_examples(data / "sst2" / "test.tsv")]
    texts = [" ".join(model.read(text).word_strings()) for text in every[:: max(1, len(every) // options.texts)]]
    texts = [text for text in texts if len(text.split()) == len(model.read(text).words)][: options.texts]
    plain = Plain(module, model.reader.vocabulary)

    def split(word: str) -> list[str]:
        return list(model.read(word).word_strings())

    found: dict[str, Any] = {
        **heading(),
        "words_a_text": sum(len(text.split()) for text in texts) / len(texts),
    }
    found["acd / one call a span"] = compared(
        lambda some: [spans_of(r) for r in exegesis.hierarchy(model, some, "acd", method=LeaveOneOut(), percentile=90)],
        lambda text: plain_acd(plain, text.split()), texts, plain, options.runs,
    )  # fmt: skip
    decomposed, acd = decomposition.Plain(module), ContextualDecomposition("acd")
    some = texts[: max(1, len(texts) // 4)]
    found["acd by contextual decomposition / one phrase at a time"] = compared(
        lambda some: [spans_of(r) for r in exegesis.hierarchy(model, some, "acd", method=acd, percentile=90)],
        lambda text: plain_cd_acd(plain, decomposed, model, text.split()), some, plain, options.runs,
    )  # fmt: skip
    found["hedge / one call a coalition"] = compared(
        lambda some: [spans_of(r) for r in exegesis.hierarchy(model, some, "hedge", window=WINDOW)],
        lambda text: plain_hedge(plain, text.split()), texts, plain, options.runs,
    )  # fmt: skip
    language = Remembered(exegesis.language(), split)
    method = Soc(NEIGHBOURS, SAMPLES, language=language)

    def soc(few: list[str]) -> list[dict]:
        results = exegesis.explain(model, few, method, level="all")
        return [
            {tuple(r.text.words_under(s)): float(x) for s, x in zip(r.spans, r.scores, strict=True)} for r in results
        ]

    first, drawing = cpu(lambda: soc(some))
    spans = {text: list(one) for text, one in zip(some, first, strict=True)}
    found["soc / one call a span (its contexts in a batch)"] = compared(
        soc,
        lambda text: dict(zip(spans[text], plain_soc(plain, text.split(), language, spans[text]), strict=True)),
        some, plain, options.runs,
    )  # fmt: skip
    soc_s = found["soc / one call a span (its contexts in a batch)"]["together_s_a_text"]
    found["soc / one call a span (its contexts in a batch)"]["drawing_s_a_text"] = drawing / len(some) - soc_s
    report(found, options.out)


if __name__ == "__main__":
    main()
