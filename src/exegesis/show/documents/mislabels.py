"""The section of suspected label errors: how good the signs are, what leaving the suspects out does, who they are."""

from __future__ import annotations

from exegesis.results.behaviour.mislabels import Mislabels
from exegesis.show import document as doc
from exegesis.show.documents.corpora import corpus
from exegesis.show.wording import clipped, decimal, many, percent, signed, visible

LONG = 160  # characters of a text in the table
READ = (
    "A sign's number is the share of labels that had been made wrong among as many of the most suspicious texts, the "
    "mean of the trainings with the lowest and the highest; random is what guessing finds."
)


def mislabels(study: Mislabels) -> doc.Section:
    """The trial of the signs, the cure, and the suspects."""
    parts: list[doc.Part] = []
    if study.signs:
        best, chance = study.signs[0], next(sign for sign in study.signs if sign.name == "random")
        parts.append(doc.Prose(
            f"Of {many(study.planted, 'label')} that had been made wrong, {visible(best.name)} finds "
            f"{percent(best.precision)} among as many suspects; guessing finds {percent(chance.precision)}.", "lead"
        ))  # fmt: skip
        dots = tuple(
            doc.Dot(sign.name, f"area {decimal(sign.above, 2)}", sign.precision, sign.low, sign.high,
                    None if sign.name == "random" else 0) for sign in study.signs
        )  # fmt: skip
        parts += [doc.Chart("Wrong labels among the suspects", "share", dots, signed=False), doc.Prose(READ, "muted")]
        rows = (
            (sign.name, sign.meaning, percent(sign.precision), f"{percent(sign.low)} to {percent(sign.high)}",
             decimal(sign.above, 3)) for sign in study.signs
        )  # fmt: skip
        parts.append(doc.table(("sign", "what it is", "found", "of trainings", "area"), rows, words=2))
    if study.cured:
        cells = ((str(one.seed), *map(percent, one[1:])) for one in study.cured)
        parts += [doc.Heading("Test accuracy"), doc.table(("seed", "wrong labels", "without the suspects",
                                                          "right labels"), cells)]  # fmt: skip
    size = max((abs(one.score) for one in study.suspects), default=1.0)
    suspects = (
        (clipped(visible(" ".join(one.text.split())), LONG), visible(one.label), visible(one.predicted),
         str(one.number), signed(one.score, size, sign=False), decimal(one.loss, 2), percent(one.conformity))
        for one in study.suspects
    )  # fmt: skip
    columns = ("training text", "label", "predicted", "no.", "self-influence", "loss", "conformity")
    parts += [doc.Heading("The most suspicious labels"), doc.table(columns, suspects, words=3)]
    return corpus.section("Which training texts may have a wrong label", corpus.facts(study.asked), parts)
