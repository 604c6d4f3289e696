"""The pages of failures and summaries. Imports no torch."""

from __future__ import annotations

import math

from exegesis.results.faults import FINDINGS, Cause, Failures, Summary, Training
from exegesis.show.documents.study import READ_BOX, SHEETS, facts, interval, many, number, verdict
from exegesis.show.sheet import Bar, Bars, Box, Boxes, Grid, Heading, Marked, Part, Prose, Sheet, limit_of
from exegesis.show.wording import MINUS, percent, visible

MOST = 15  # rows of a picture


def _failures(study: Failures) -> Sheet:
    """Section 4.8.1."""
    seen = study.corpora
    parts: list[Part] = [Prose(line) for line in _failure_sentences(study)]
    if study.causes:
        rows = tuple(
            Bar(
                one.word,
                f"says {visible(one.label)} · {one.errors} of {many(one.uses, 'text')} wrong",
                one.wrong,
                one.cured,
            )
            for one in study.causes[:MOST]
        )
        axis = "wrong predictions; the deep part comes right without the word"
        parts += [Bars("Words that carry most of a wrong prediction", axis, rows), _cause_grid(study)]
        named = [name for name in FINDINGS if any(name in one.findings for one in study.causes)]
        parts += [Prose(f"{name}: {FINDINGS[name]}.", muted=True) for name in named]
        limit = limit_of([shown for one in study.causes for shown in one.examples])
        for one in study.causes:
            if one.examples and (one.cured or one.findings):
                parts.append(Heading(f"“{visible(one.word)}”"))
                parts.append(Prose(_cause_sentence(one), muted=True))
                parts.append(Marked(tuple((verdict(shown), shown) for shown in one.examples), limit))
    if seen.leaks:
        parts.append(Heading("Texts that stand among the training texts too"))
        leaks = tuple((visible(" ".join(one.text.split())), one.gold, one.training) for one in seen.leaks)
        parts.append(Grid(("text", "label", "training label"), leaks, left=3))
    return Sheet("Where the model fails, and which words made it", facts(study.asked), tuple(parts))


def _failure_sentences(study: Failures) -> list[str]:
    seen, wrong = study.corpora, study.wrong
    verb, right = ("is" if wrong == 1 else "are"), percent(seen.right / max(seen.texts, 1))
    lines = [f"{wrong:,} of {many(seen.texts, 'prediction')} {verb} wrong (accuracy {right})."]
    if wrong:
        blamed = sum(one.wrong for one in study.causes)
        lines.append(
            f"{study.cured:,} of them come right when the word that carries the most is left out, "
            f"{study.by_chance:,.1f} when a word at random is. The words below carry the most in {blamed:,} of them."
        )
    else:
        lines.append("There is nothing to explain.")
    if seen.sample:
        labels = ", ".join(f"{visible(label)} {count:,}" for label, count in seen.labels.items())
        lines.append(
            f"Training texts: {labels}; accuracy on {seen.sample:,} of them: {percent(seen.training_accuracy)}. "
            f"{seen.leaked:,} of the texts studied stand among them too, {seen.clashing:,} with another label."
        )
    return lines


def _cause_grid(study: Failures) -> Grid:
    known = any(one.training is not None for one in study.causes)
    size = max(abs(one.score) for one in study.causes)
    rows = tuple(
        (
            visible(one.word), visible(one.label), ", ".join(one.findings), str(one.wrong), str(one.cured),
            number(one.score, size), f"{one.errors} of {one.uses}", percent(one.same), percent(one.truly),
            *(_training_cells(one.training) if known else ()),
        )
        for one in study.causes
    )  # fmt: skip
    columns = ("word", "says", "findings", "wrong", "cured", "score", "errors", "speaks so", "truly so")
    more = ("in training", "so labelled", "of all", "p") if known else ()
    return Grid((*columns, *more), rows, left=3)


def _training_cells(held: Training | None) -> tuple[str, str, str, str]:
    if held is None:
        return "", "", "", ""
    if not held.texts:
        return "0", "", percent(held.base), ""
    return f"{held.texts:,}", percent(held.share), percent(held.base), _p(held.p)


def _p(value: float) -> str:
    return "" if math.isnan(value) else f"{value:.2g}" if value >= 0.001 else "<0.001"


def _cause_sentence(one: Cause) -> str:
    label = visible(one.label)
    if one.uses == 1:
        says, is_so = ("Says" if one.same else "Does not say"), ("is" if one.truly else "is not")
        found = f"{says} {label} in the one text that holds it, which {is_so} {label}."
    else:
        found = f"Says {label} in {percent(one.same)} of the {one.uses:,} texts that hold it"
        found += f"; {percent(one.truly)} of these are {label}."
    held = one.training
    if held is None:
        return found
    if not held.texts:
        return f"{found} No training text holds it."
    share = (
        f"{percent(held.share)} of them {label}"
        if held.texts > 1
        else f"which {'is' if held.share else 'is not'} {label}"
    )
    return f"{found} In training: {many(held.texts, 'text')}, {share} (of all {percent(held.base)}, p {_p(held.p)})."


def _summary(study: Summary) -> Sheet:
    parts: list[Part] = [Prose(line) for line in _summary_sentences(study)]
    for label in study.labels:
        own = [one for one in study.words if one.label == label]
        if not own:
            parts.append(Prose(f"No word of {study.minimum} uses or more speaks for {visible(label)}."))
            continue
        rows = tuple(Box(one.word, many(one.spread.size, "use"), one.spread) for one in own)
        title = f"Words that speak most for {visible(label)}"
        parts.append(Boxes(title, f"score for {visible(label)}, less the mean over labels", rows))
    parts.append(Prose(READ_BOX, muted=True))
    if study.contrary:
        parts += [Heading("Words that act differently from their training statistics"), _contrary_grid(study)]
    if study.unfaithful:
        parts.append(Heading("Sure, but not by the words named"))
        limit = limit_of([one.text for one in study.unfaithful])
        texts = tuple(
            (f"{verdict(one.text)} · without the {one.removed} marked words {_fall(one.top)}, without as many random "
             f"ones {_fall(one.random)}", one.text)
            for one in study.unfaithful
        )  # fmt: skip
        parts.append(Marked(texts, limit))
    return Sheet("What the model does over a corpus", facts(study.asked), tuple(parts))


def _fall(value: float) -> str:
    return f"{-value:+.3f}".replace("-", MINUS)


def _summary_sentences(study: Summary) -> list[str]:
    said = ", ".join(f"{visible(label)} {count:,}" for label, count in study.labels.items())
    right = f" Accuracy: {percent(study.accuracy)}." if math.isfinite(study.accuracy) else ""
    lines = [f"Predictions: {said}.{right}"]
    if study.confident:
        lines.append(
            f"The model is sure (90 % or more) of {many(study.confident, 'text')}; in {study.doubtful:,} of them the "
            "words of the highest scores can go with no more loss than words at random, so their explanation is no "
            "reason."
        )
    if study.trained:
        several = len(study.contrary) != 1
        what = f"{len(study.contrary)} words speak" if several else "1 word speaks"
        whose = "their" if several else "its"
        lines.append(f"{what} against the label that {whose} training texts lean to (of {study.trained:,}).")
    return lines


def _contrary_grid(study: Summary) -> Grid:
    size = max(abs(one.spread.median) for one in study.contrary)
    rows = tuple(
        (
            visible(one.word), visible(one.label), *_training_cells(one.training), f"{one.spread.size:,}",
            number(one.spread.median, size), interval(one.spread.median_low, one.spread.median_high, size),
        )
        for one in study.contrary
    )  # fmt: skip
    columns = ("word", "label", "in training", "so labelled", "of all", "p", "uses", "median score for it", "95 %")
    return Grid(columns, rows, left=2)


SHEETS |= {Failures: _failures, Summary: _summary}
