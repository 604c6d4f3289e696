"""The pages of substitutions and repairs. Imports no torch."""

from __future__ import annotations

import math
from collections.abc import Sequence

from exegesis.results.study import Shown
from exegesis.results.swaps import Mean, Pair, Repair, Substitution, Swap, Transfer
from exegesis.show.documents.study import SHEETS, facts, many, verdict
from exegesis.show.sheet import Bar, Bars, Grid, Heading, Marked, Part, Prose, Sheet, limit_of
from exegesis.show.wording import MINUS, percent, visible

FROM = {
    "synonyms": "of the list of synonyms",
    "neighbours": "of the nearest vectors, which are used alike and may mean the opposite",
    "language model": "that a language model holds likely at this place, whatever they mean",
}  # where the words of a swap come from
UNTRAINED = (
    "Nothing was trained, so the question is open: these are only the texts to train on. Give test texts with labels "
    "(--test in the command line, test= in Python), and models with and without them are trained and compared."
)
MOST, LISTED = 15, 20  # rows of a picture; new texts listed


def _substitution(study: Substitution) -> Sheet:
    """Tables 6 and 7."""
    before = study.before
    parts: list[Part] = [
        Prose(_replaced(study)),
        *(Prose(_from(name, flipped, count))
          for name, (flipped, count) in study.by_source.items()),
    ]  # fmt: skip
    limit = limit_of([before, *(shown for pair in study.pairs for shown in pair)])
    parts.append(Marked(((f"before · {verdict(before)}", before),), limit, study.asked.signed))
    after = tuple((_after(pair), pair.after) for pair in study.pairs)
    if after:
        parts.append(Marked(after, limit, study.asked.signed))
    rows = tuple(
        Bar(
            one.word,
            f"{visible(one.label)} · {', '.join(one.sources)}",
            one.probability,
            one.probability,
            -1 if one.flips else 1,
        )
        for one in study.swaps[:MOST]
    )
    said = f"probability of {visible(before.label)}; the line is what it was, the other colour flips the prediction"
    parts.append(Bars(f"Other words for “{visible(study.word)}”", said, rows, before.probability))
    parts.append(Grid(("word", "from", "prediction", "part of speech", "flips", f"P({visible(before.label)})"),
                      tuple(_swap_row(one) for one in study.swaps), left=5))  # fmt: skip
    listed = "synonyms" in study.by_source
    judge = (
        "Other words than the synonyms listed" if listed else "No list of synonyms named these words: they"
    ) + " need not mean the same; whether a swap keeps the meaning is yours to judge."
    parts.append(Prose(judge, muted=True))
    if study.transfers:
        parts += [Heading("The same swaps in other texts"), _transfer_grid(study.transfers)]
        for one in study.transfers:
            if one.examples:
                parts.append(Heading(f"“{visible(one.old)}” becomes “{visible(one.new)}”"))
                parts.append(_pairs(one.examples, study.asked.signed))
    kind, _, label = study.asked.target.partition(":")
    asked = study.asked._replace(target=f"{kind}:{before.label}") if label == "predicted" else study.asked
    return Sheet(f"What if another word stood for “{visible(study.word)}”", facts(asked), tuple(parts))


def _after(pair: Pair) -> str:
    """What the model says after the swap, and which label the scores are still for."""
    return f"after · {verdict(pair.after)} · scores for {visible(pair.before.label)}, predicted before"


def _replaced(study: Substitution) -> str:
    others, flips = many(len(study.swaps), "other word"), len(study.flips)
    what = f"{flips or 'none'} of them {'changes' if flips < 2 else 'change'} the prediction"
    before = study.before
    return (
        f"“{visible(study.word)}” was replaced by {others}; {what} from {visible(before.label)} "
        f"({percent(before.probability)})."
    )


def _from(name: str, flips: int, count: int) -> str:
    """How many words of one source change the prediction, and what the source is."""
    return f"It changes with {flips or 'none'} of the {many(count, 'word')} {FROM.get(name, name)}."


def _swap_row(one: Swap) -> tuple[str, ...]:
    kept, flips = "same" if one.same_tag else "other", "flips" if one.flips else ""
    return visible(one.word), ", ".join(one.sources), visible(one.label), kept, flips, percent(one.probability)


def _transfer_grid(transfers: Sequence[Transfer]) -> Grid:
    rows = tuple(
        (
            visible(one.old), visible(one.new), f"{one.texts:,}", f"{one.flips:,}", f"{one.broken:,}",
            f"{one.mended:,}", "" if math.isnan(one.change) else f"{one.change:+.3f}".replace("-", MINUS),
        )
        for one in transfers
    )  # fmt: skip
    return Grid(("word", "becomes", "texts", "flips", "broken", "mended", "change of probability"), rows, left=2)


def _pairs(pairs: Sequence[Pair], signed: bool) -> Marked:
    texts: list[tuple[str, Shown]] = []
    for pair in pairs:
        texts += [(f"before · {verdict(pair.before)}", pair.before), (_after(pair), pair.after)]
    return Marked(tuple(texts), limit_of([shown for _, shown in texts]), signed)


def _repair(study: Repair) -> Sheet:
    swaps = ", ".join(f"{visible(a)} and {visible(b)}" for a, b in study.swaps)
    parts: list[Part] = [
        Prose(
            f"{many(len(study.added), 'new training text')} (to {study.training:,}) by words that may stand for each "
            f"other: {swaps}."
        )
    ]
    if study.runs:
        parts += [
            Prose(_change(study.fault, "where the fault shows")),
            Prose(_change(study.beyond, "there, against a model that saw the originals once more instead,")),
            Prose(_change(study.test, "on the test texts")),
            Bars("Accuracy where the fault shows", "accuracy; three trainings a seed",
                 tuple(bar for run in study.runs for bar in (
                     Bar(f"seed {run.seed}", "without", run.fault_before, run.fault_before, -1),
                     Bar("", "with the originals once more", run.fault_control, run.fault_control, -1),
                     Bar("", "with the new texts", run.fault_after, run.fault_after, 1),
                 ))),
            Grid(("seed", "fault before", "control", "after", "test before", "control", "after"), tuple(
                (str(run.seed), *(percent(value) for value in run[1:])) for run in study.runs)),
        ]  # fmt: skip
    else:
        parts.append(Prose(UNTRAINED))
    parts.append(Heading("New training texts"))
    rows = tuple((*_both(one.text, one.origin), visible(one.label)) for one in study.added[:LISTED])
    parts.append(Grid(("new text", "made from", "label"), rows, left=3))
    if len(study.added) > LISTED:
        parts.append(Prose(f"{len(study.added) - LISTED:,} more stand in the saved result.", muted=True))
    head = (("trained", study.trained),) if study.trained else ()
    return Sheet("Does training on counterfactual texts mend the fault?", head, tuple(parts))


def _change(mean: Mean, where: str) -> str:
    """The change, and what of chance its interval holds: other texts and other trainings, or less."""
    texts = many(mean.texts, "text")
    if 0 < mean.origins < mean.texts:
        texts += f" made from {mean.origins:,}"
    value, low, high = (f"{100 * one:+.1f}".replace("-", MINUS) for one in (mean.value, mean.low, mean.high))
    start = f"The accuracy {where}"
    if math.isnan(mean.low):
        return f"{start} changes by {value} points ({texts}): too few for an interval, so nothing is claimed."
    if mean.seeds < 2:
        return (
            f"{start} changes by {value} points in one training (for other texts {low} to {high}, {texts}); another "
            "training may change it otherwise, so nothing is claimed."
        )
    sure = "rises" if mean.low > 0 else "falls" if mean.high < 0 else "does not change for sure"
    return (
        f"{start} {sure}: {value} points ({low} to {high} for other texts and trainings; {texts}, {mean.seeds} seeds)."
    )


def _both(new: str, old: str) -> tuple[str, str]:
    """Two texts cut to where they begin to differ."""
    one, two = (visible(" ".join(text.split())) for text in (new, old))
    same = next((i for i, (a, b) in enumerate(zip(one, two, strict=False)) if a != b), 0)
    start = max(0, one.rfind(" ", 0, max(0, same - 25)) + 1)
    cut = ["…" * bool(start) + line[start : start + 70] + "…" * (len(line) > start + 70) for line in (one, two)]
    return cut[0], cut[1]


SHEETS |= {Substitution: _substitution, Repair: _repair}
