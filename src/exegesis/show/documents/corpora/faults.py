"""The documents of failures and summaries of a corpus (REAT paper, Sec. 4.8.1)."""

from __future__ import annotations

import math
from collections.abc import Iterator

from exegesis.results.behaviour.faults import FINDINGS, Cause, Failures, Summary, Training, Unfaithful
from exegesis.show import document as doc
from exegesis.show.documents.corpora import corpus
from exegesis.show.documents.corpora.corpus import interval, number
from exegesis.show.wording import counted, decimal, many, percent, visible

BEHIND = (
    "A score is the change of the log-probability of the wrong label by a step of training on the text, summed over at "
    "most three wrong predictions of the cause (gradient similarity)."
)


def failures(study: Failures) -> doc.Section:
    """Wrong predictions by the words that caused them, and the check of the training data."""
    parts: list[doc.Part] = [doc.Prose(line) for line in _failure_sentences(study)]
    if study.causes:
        rows = tuple(_cause_bar(cause) for cause in study.causes[: corpus.MAX_ROWS])
        axis = "wrong predictions; the deep part comes right without the word"
        parts += [doc.Chart("Words that carry most of a wrong prediction", axis, rows), _causes(study)]
        names = [name for name in FINDINGS if any(name in cause.findings for cause in study.causes)]
        parts += [doc.Prose(f"{name}: {FINDINGS[name]}.", "muted") for name in names]
        limit = corpus.limit_of(shown for cause in study.causes for shown in cause.examples)
        for cause in study.causes:
            if cause.examples and (cause.cured or cause.findings):
                parts += [doc.Heading(f"“{visible(cause.word)}”"), doc.Prose(_cause_sentence(cause), "muted")]
                parts += corpus.texts(cause.examples, limit=limit)
        if any(cause.behind for cause in study.causes):
            parts += [doc.Heading("Training texts behind the causes"), doc.Prose(BEHIND, "muted"), _behind(study)]
    if study.corpora.leaks:
        leaks = ((visible(" ".join(leak.text.split())), *map(visible, leak[1:])) for leak in study.corpora.leaks)
        parts.append(doc.Heading("Texts that stand among the training texts too"))
        parts.append(doc.table(("text", "label", "training label"), leaks, words=3))
    return corpus.section("Where the model fails, and which words made it", corpus.facts(study.asked), parts)


def _behind(study: Failures) -> doc.Table:
    size = max(one.score for cause in study.causes for one in cause.behind)
    rows = (
        (visible(cause.word), visible(" ".join(one.text.split())), visible(one.label), str(one.number),
         number(one.score, size)) for cause in study.causes for one in cause.behind
    )  # fmt: skip
    return doc.table(("cause", "training text", "label", "no.", "score"), rows, words=3)


def _cause_bar(cause: Cause) -> doc.Bar:
    note = f"says {visible(cause.label)} · {cause.errors} of {many(cause.uses, 'text')} wrong"
    return doc.Bar(visible(cause.word), note, cause.wrong, cause.cured)


def _failure_sentences(study: Failures) -> Iterator[str]:
    corpora, wrong = study.corpora, study.wrong
    verb, right = ("is" if wrong == 1 else "are"), percent(corpora.right / max(corpora.texts, 1))
    yield f"{wrong:,} of {many(corpora.texts, 'prediction')} {verb} wrong (accuracy {right})."
    if wrong:
        blamed = sum(cause.wrong for cause in study.causes)
        yield (
            f"{study.cured:,} of them come right when the word that carries the most is left out, "
            f"{study.by_chance:,.1f} when a word at random is. The words below carry the most in {blamed:,} of them."
        )
    else:
        yield "There is nothing to explain."
    if corpora.sample:
        yield (
            f"Training texts: {counted(corpora.labels)}; accuracy on {corpora.sample:,} of them: "
            f"{percent(corpora.training_accuracy)}. {corpora.leaked:,} of the texts studied stand among them too, "
            f"{corpora.clashing:,} with another label."
        )


def _causes(study: Failures) -> doc.Table:
    trained = any(cause.training is not None for cause in study.causes)
    size = max(abs(cause.score) for cause in study.causes)
    rows = (
        (
            visible(cause.word), visible(cause.label), ", ".join(cause.findings), str(cause.wrong), str(cause.cured),
            number(cause.score, size), f"{cause.errors} of {cause.uses}", percent(cause.same), percent(cause.truly),
            *(_training_cells(cause.training) if trained else ()),
        )
        for cause in study.causes
    )  # fmt: skip
    columns = ("word", "says", "findings", "wrong", "cured", "score", "errors", "speaks so", "truly so")
    more = ("in training", "so labelled", "of all", "p") if trained else ()
    return doc.table((*columns, *more), rows, words=3)


def _training_cells(training: Training | None) -> tuple[str, str, str, str]:
    if training is None:
        return "", "", "", ""
    if not training.texts:
        return "0", "", percent(training.base), ""
    return f"{training.texts:,}", percent(training.share), percent(training.base), _p(training.p)


def _p(value: float) -> str:
    return "" if math.isnan(value) else f"{value:.2g}" if value >= 0.001 else "<0.001"


def _cause_sentence(cause: Cause) -> str:
    label, training = visible(cause.label), cause.training
    if cause.uses == 1:
        says, is_so = ("Says" if cause.same else "Does not say"), ("is" if cause.truly else "is not")
        sentence = f"{says} {label} in the one text that holds it, which {is_so} {label}."
    else:
        sentence = f"Says {label} in {percent(cause.same)} of the {cause.uses:,} texts that hold it"
        sentence += f"; {percent(cause.truly)} of these are {label}."
    if training is None:
        return sentence
    if not training.texts:
        return f"{sentence} No training text holds it."
    share = f"{percent(training.share)} of them {label}"
    if training.texts == 1:
        share = f"which {'is' if training.share else 'is not'} {label}"
    base = f"of all {percent(training.base)}, p {_p(training.p)}"
    return f"{sentence} In training: {many(training.texts, 'text')}, {share} ({base})."


def summary(study: Summary) -> doc.Section:
    """The strongest words of a corpus, words against their training texts, explanations that give no reason."""
    parts: list[doc.Part] = [doc.Prose(line) for line in _summary_sentences(study)]
    for label in study.labels:
        rows = tuple(
            doc.Box(visible(word.word), many(word.spread.size, "use"), word.spread)
            for word in study.words
            if word.label == label
        )
        if rows:
            axis = f"score for {visible(label)}, less the mean over labels"
            parts.append(doc.Chart(f"Words that speak most for {visible(label)}", axis, rows))
        else:
            parts.append(doc.Prose(f"No word of {study.minimum} uses or more speaks for {visible(label)}."))
    parts.append(doc.Prose(corpus.READ_BOX, "muted"))
    if study.contrary:
        parts += [doc.Heading("Words that act differently from their training statistics"), _contrary(study)]
    if study.unfaithful:
        captions = {id(case.text): _unfaithful_caption(case) for case in study.unfaithful}
        parts.append(doc.Heading("Sure, but not by the words named"))
        parts += corpus.texts([case.text for case in study.unfaithful], lambda shown: captions[id(shown)])
    return corpus.section("What the model does over a corpus", corpus.facts(study.asked), parts)


def _unfaithful_caption(case: Unfaithful) -> str:
    top, random = decimal(-case.top, 3, plus=True), decimal(-case.random, 3, plus=True)
    loss = f"without the {case.removed} marked words {top}, without as many random ones {random}"
    return f"{corpus.verdict(case.text)} · {loss}"


def _summary_sentences(study: Summary) -> Iterator[str]:
    right = f" Accuracy: {percent(study.accuracy)}." if math.isfinite(study.accuracy) else ""
    yield f"Predictions: {counted(study.labels)}.{right}"
    if study.confident:
        yield (
            f"The model is sure (90 % or more) of {many(study.confident, 'text')}; in {study.doubtful:,} of them the "
            "words of the highest scores can go with no more loss than words at random, so their explanation is no "
            "reason."
        )
    if study.trained:
        several = len(study.contrary) != 1
        what = f"{len(study.contrary)} words speak" if several else "1 word speaks"
        whose = "their" if several else "its"
        yield f"{what} against the label that {whose} training texts lean to (of {study.trained:,})."


def _contrary(study: Summary) -> doc.Table:
    size = max(abs(word.spread.median) for word in study.contrary)
    rows = (
        (
            visible(word.word), visible(word.label), *_training_cells(word.training), f"{word.spread.size:,}",
            number(word.spread.median, size), interval(word.spread.median_low, word.spread.median_high, size),
        )
        for word in study.contrary
    )  # fmt: skip
    columns = ("word", "label", "in training", "so labelled", "of all", "p", "uses", "median score for it", "95 %")
    return doc.table(columns, rows, words=2)
