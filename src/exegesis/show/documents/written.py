"""The sections of written explanations: those of single texts, and scores with controls and tests of faithfulness."""

from __future__ import annotations

import math

from exegesis.results.behaviour.said import Said, SaidText
from exegesis.results.behaviour.written import WrittenStudy
from exegesis.show import document as doc
from exegesis.show.documents.corpora import corpus
from exegesis.show.wording import clipped, decimal, percent, visible

LONG, SAID = 160, 300
READ = (
    "If a decision follows its explanation, it changes when the explanation is taken away, and becomes the label whose "
    "explanation is put in its place. Simulators are linear classifiers of words that tell the model's label; the "
    "leakage-adjusted score is what the explanation adds to the text, the mean of that over explanations that give the "
    "label away by themselves and over others."
)
READS_NONE = "The label is told before the explanation is written, and reads nothing of it: nothing can be exchanged."


def written(study: WrittenStudy) -> doc.Section:
    """The verdict, scores, tests and texts."""
    scores = [
        ("label accuracy", percent(study.accuracy), f"commonest label {percent(study.majority)}"),
        ("perplexity of people's explanations", decimal(study.perplexity, 1), ""),
        (
            "BLEU",
            _number(study.bleu, 1),
            f"between people {_number(study.human, 1)}" if study.human == study.human else "",
        ),
        ("ROUGE-L", _number(study.rouge, 3), ""),
    ]
    parts: list[doc.Part] = [doc.facts({"order": study.order}), doc.Prose(_lead(study), "lead"),
                             doc.table(("score", "value", "beside"), scores, words=1)]  # fmt: skip
    if study.exchanged:
        rows = [(one.name, one.meaning, percent(one.accuracy), percent(one.changed),
                 percent(one.followed) if one.followed == one.followed else "") for one in study.exchanged]  # fmt: skip
        parts.append(
            doc.table(("explanations", "what is read", "accuracy", "labels changed", "followed"), rows, words=2)
        )
    else:
        parts.append(doc.Prose(READS_NONE))
    told = study.simulated
    if not math.isnan(told.text):
        gains = [("the text", percent(told.text), ""), ("the explanation", percent(told.explanation), ""),
                ("both", percent(told.both), f"{decimal(told.score, 3)} leakage-adjusted")]  # fmt: skip
        parts.append(doc.table(("a simulator of words reads", "tells the label", "gain"), gains))
    parts.append(doc.Heading("Some texts"))
    shown = [(clipped(visible(one.text), LONG), visible(one.label), visible(one.gold),
              clipped(visible(one.explanation), LONG) or "nothing", clipped(visible(one.human), LONG))
             for one in study.texts]  # fmt: skip
    parts.append(doc.table(("text", "label", "gold", "the model's explanation", "a person's"), shown, words=5))
    parts += [doc.Prose(text, "muted") for text in (READ, study.remark) if text]
    return corpus.section(f"What {visible(study.asked.model)} writes", corpus.facts(study.asked), parts)


def _lead(study: WrittenStudy) -> str:
    said = f"It tells {percent(study.accuracy)} of the labels"
    for one in study.exchanged:
        if one.followed == one.followed:
            said += f"; with another label's explanation it takes that label in {percent(one.followed)} of the texts"
    return f"{said}."


def _number(value: float, digits: int) -> str:
    return "not measured" if math.isnan(value) else decimal(value, digits)


ORDERS = {
    "predict-explain": "The label is told first and reads nothing of the explanation, which may be true of anything.",
    "explain-predict": "The label is told from the explanation alone.",
    "explain-answer": "The label is told from the text, the choices and the explanation.",
    "label-specific": "The label is told from the text and the explanations that were written for every label.",
    "bridge": "The words are those on which the decision rests; the facts are the resource's and say nothing of the "
              "model; the sentence is made of both.",
}  # fmt: skip


def said(study: Said) -> doc.Section:
    """Every text with its label and explanation."""
    parts: list[doc.Part] = [doc.facts({"order": study.order})]
    for one in study.texts:
        parts += _text(one)
    parts.append(doc.Prose(ORDERS.get(study.order, ""), "muted"))
    return corpus.section(f"What {visible(study.asked.model)} says", corpus.facts(study.asked), parts)


def _text(one: SaidText) -> list[doc.Part]:
    label = f"{visible(one.label)} ({percent(one.probability)})"
    said = clipped(visible(one.explanation), SAID) or "nothing is written"
    parts: list[doc.Part] = [
        doc.Heading(clipped(visible(one.text), SAID)),
        doc.facts({"label": label, **({"words": ", ".join(map(visible, one.words))} if one.words else {})}),
        doc.Prose(said, "lead"),
    ]
    if one.facts:
        rows = [(visible(fact.word), visible(fact.relation), visible(fact.phrase)) for fact in one.facts]
        parts.append(doc.table(("word", "relation", "fact"), rows, words=3))
    if one.others:
        others = [(visible(other), clipped(visible(text), SAID) or "nothing is written") for other, text in one.others]
        parts.append(doc.table(("other label", "its explanation"), others, words=2))
    return parts
