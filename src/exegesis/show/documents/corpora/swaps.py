"""The documents of substitutions and repairs (REAT paper, Sec. 4.8.2, Tables 6 and 7)."""

from __future__ import annotations

import math
from collections.abc import Sequence

from exegesis.results.behaviour.faults import Mean, Pair, Repair, Retrained, Substitution, Swap, Transfer
from exegesis.results.behaviour.study import Shown
from exegesis.show import document as doc
from exegesis.show.documents.corpora import corpus
from exegesis.show.wording import decimal, many, percent, visible

SOURCES = {
    "synonyms": "of the list of synonyms",
    "neighbours": "of the nearest vectors, which are used alike and may mean the opposite",
    "language model": "that a language model holds likely at this place, whatever they mean",
}
UNTRAINED = (
    "Nothing was trained, so the question is open: these are only the texts to train on. Give test texts with labels "
    "(--test in the command line, test= in Python), and models with and without them are trained and compared."
)
LISTED = 20  # new texts


def substitution(study: Substitution) -> doc.Section:
    """A word replaced by others: which flip the prediction, in this text and in others."""
    before, signs = study.before, study.asked.signed
    label = visible(before.label)
    limit = corpus.limit_of([before, *(shown for pair in study.pairs for shown in pair)])
    parts: list[doc.Part] = [doc.Prose(_replaced(study))]
    parts += [doc.Prose(_source(name, flips, count)) for name, (flips, count) in study.by_source.items()]
    parts += _before_after(study.before, study.pairs, signs, limit)
    axis = f"probability of {label}; the line is what it was, the other colour flips the prediction"
    rows = tuple(map(_swap_bar, study.swaps[: corpus.MAX_ROWS]))
    if rows:
        parts.append(doc.Chart(f"Other words for “{visible(study.word)}”", axis, rows, mark=before.probability))
    columns = ("word", "from", "prediction", "part of speech", "flips", f"P({label})")
    parts.append(doc.table(columns, map(_swap_row, study.swaps), words=5))
    listed = "synonyms" in study.by_source
    judge = "Other words than the synonyms listed" if listed else "No list of synonyms named these words: they"
    meaning = f"{judge} need not mean the same; whether a swap keeps the meaning is yours to judge."
    parts.append(doc.Prose(meaning, "muted"))
    if study.transfers:
        parts += [doc.Heading("The same swaps in other texts"), _transfers(study.transfers)]
        for transfer in study.transfers:
            if transfer.examples:
                parts.append(doc.Heading(f"“{visible(transfer.old)}” becomes “{visible(transfer.new)}”"))
                limit = corpus.limit_of(shown for pair in transfer.examples for shown in pair)
                for pair in transfer.examples:
                    parts += _before_after(pair.before, [pair], signs, limit)
    kind, _, predicted = study.asked.target.partition(":")
    asked = study.asked._replace(target=f"{kind}:{before.label}") if predicted == "predicted" else study.asked
    return corpus.section(f"What if another word stood for “{visible(study.word)}”", corpus.facts(asked), parts)


def _before_after(before: Shown, pairs: Sequence[Pair], signs: bool, limit: float) -> list[doc.Passage]:
    """A text, and what became of it: what the model says after each swap, and which label the scores are still for."""
    label = visible(before.label)
    first = corpus.texts([before], lambda shown: f"before · {corpus.verdict(shown)}", signs, limit)
    after = [pair.after for pair in pairs]
    return first + corpus.texts(
        after, lambda shown: f"after · {corpus.verdict(shown)} · scores for {label}, predicted before", signs, limit
    )


def _replaced(study: Substitution) -> str:
    others, flips, before = many(len(study.swaps), "other word"), len(study.flips), study.before
    what = f"{flips or 'none'} of them {'changes' if flips < 2 else 'change'} the prediction"
    return (
        f"“{visible(study.word)}” was replaced by {others}; {what} from {visible(before.label)} "
        f"({percent(before.probability)})."
    )


def _source(name: str, flips: int, count: int) -> str:
    """The number of words of a source that change the prediction, and what the source is."""
    return f"It changes with {flips or 'none'} of the {many(count, 'word')} {SOURCES.get(name, visible(name))}."


def _swap_bar(swap: Swap) -> doc.Bar:
    note = f"{visible(swap.label)} · {', '.join(swap.sources)}"
    return doc.Bar(visible(swap.word), note, swap.probability, swap.probability, -1 if swap.flips else 1)


def _swap_row(swap: Swap) -> tuple[str, ...]:
    tag, flips = "same" if swap.same_tag else "other", "flips" if swap.flips else ""
    return visible(swap.word), ", ".join(swap.sources), visible(swap.label), tag, flips, percent(swap.probability)


def _transfers(transfers: Sequence[Transfer]) -> doc.Table:
    rows = (
        (
            visible(transfer.old), visible(transfer.new), f"{transfer.texts:,}", f"{transfer.flips:,}",
            f"{transfer.broken:,}", f"{transfer.mended:,}", decimal(transfer.change, 3, plus=True),
        )
        for transfer in transfers
    )  # fmt: skip
    return doc.table(("word", "becomes", "texts", "flips", "broken", "mended", "change of probability"), rows, words=2)


def repair(study: Repair) -> doc.Section:
    """New training texts against a fault, and what retraining with them changes."""
    swaps = ", ".join(f"{visible(first)} and {visible(second)}" for first, second in study.swaps)
    added = f"{many(len(study.added), 'new training text')} (to {study.training:,})"
    parts: list[doc.Part] = [doc.Prose(f"{added} by words that may stand for each other: {swaps}.")]
    if study.runs:
        parts += [
            doc.Prose(_change(study.fault, "where the fault shows")),
            doc.Prose(_change(study.beyond, "there, against a model that saw the originals once more instead,")),
            doc.Prose(_change(study.test, "on the test texts")),
            doc.Chart("Accuracy where the fault shows", "accuracy; three trainings per seed",
                  tuple(bar for run in study.runs for bar in _run_bars(run))),
            doc.table(("seed", "fault before", "control", "after", "test before", "control", "after"),
                  ((str(run.seed), *map(percent, run[1:])) for run in study.runs)),
        ]  # fmt: skip
    else:
        parts.append(doc.Prose(UNTRAINED))
    rows = ((*_both(new.text, new.origin), visible(new.label)) for new in study.added[:LISTED])
    parts += [doc.Heading("New training texts"), doc.table(("new text", "made from", "label"), rows, words=3)]
    if len(study.added) > LISTED:
        parts.append(doc.Prose(f"{len(study.added) - LISTED:,} more stand in the saved result.", "muted"))
    title = "Does training on counterfactual texts mend the fault?"
    return corpus.section(title, doc.facts({"trained": visible(study.trained)}), parts)


def _run_bars(run: Retrained) -> tuple[doc.Bar, doc.Bar, doc.Bar]:
    return (
        doc.Bar(f"seed {run.seed}", "without", run.fault_before, run.fault_before, -1),
        doc.Bar("", "with the originals once more", run.fault_control, run.fault_control, -1),
        doc.Bar("", "with the new texts", run.fault_after, run.fault_after, 1),
    )


def _change(mean: Mean, where: str) -> str:
    """The change of an accuracy, and which chance its interval holds: other texts and other trainings, or less."""
    sample = many(mean.texts, "text")
    if 0 < mean.origins < mean.texts:
        sample += f" made from {mean.origins:,}"
    value, low, high = (decimal(100 * part, 1, plus=True) for part in (mean.value, mean.low, mean.high))
    start = f"The accuracy {where}"
    if math.isnan(mean.low):
        return f"{start} changes by {value} points ({sample}): too few for an interval, so nothing is claimed."
    if mean.seeds < 2:
        return (
            f"{start} changes by {value} points in one training (for other texts {low} to {high}, {sample}); another "
            "training may change it otherwise, so nothing is claimed."
        )
    sure = "rises" if mean.low > 0 else "falls" if mean.high < 0 else "does not change for sure"
    interval = f"{low} to {high} for other texts and trainings; {sample}, {mean.seeds} seeds"
    return f"{start} {sure}: {value} points ({interval})."


def _both(new: str, old: str) -> tuple[str, str]:
    """Two texts cut to where they begin to differ."""
    first, second = (visible(" ".join(text.split())) for text in (new, old))
    same = next((i for i, (a, b) in enumerate(zip(first, second, strict=False)) if a != b), 0)
    start = max(0, first.rfind(" ", 0, max(0, same - 25)) + 1)
    cut = ["…" * bool(start) + line[start : start + 70] + "…" * (len(line) > start + 70) for line in (first, second)]
    return cut[0], cut[1]
