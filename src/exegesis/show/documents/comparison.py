"""The document of a comparison: how far two explanations agree, and the words on which they differ most."""

from __future__ import annotations

import math
from collections.abc import Sequence

from exegesis.show.document import Column, Document, Gauge, Heading, Legend, Section, Table, sentences, share, table
from exegesis.show.wording import decimal, signed, visible
from exegesis.statistics.agreement import Comparison


def document(comparisons: Sequence[Comparison], *, names: tuple[str, str] | None = None, limit: int = 20) -> Document:
    """The measures, then ``limit`` words, each with two bars. Scores are shares of the largest of their side."""
    (compared,) = comparisons
    first, second = map(visible, names or compared.names)
    title = f"{first} and {second}"
    measures = (
        ("rank correlation", decimal(compared.spearman, 2), "Spearman's rho, -1 to 1"),
        ("", decimal(compared.kendall, 2), "Kendall's tau-b, -1 to 1"),
        (f"top {compared.k} in common", _percent(compared.top), "of the words of largest size"),
        ("same sign", _percent(compared.signs), "of the words that both score"),
    )
    columns = (Column("", words=True), Column(""), Column("", words=True))
    agreement = Table(columns, tuple((name, value or "none", meaning) for name, value, meaning in measures))
    shown = compared.differences[: max(0, limit)]
    words = table(
        ("word", first, second),
        ((visible(" ".join(word.split())), *(Gauge(signed(score, 1.0), share(score, 1.0)) for score in scores))
         for word, *scores in shown),
    )  # fmt: skip
    rest = len(compared.differences) - len(shown)
    notes = sentences([f"{rest} words on which they differ less are not shown"] if rest else ())
    return Document(title, "Comparison", (Section(title, (Heading(title), agreement, words, Legend(notes=notes))),))


def _percent(value: float) -> str:
    return "" if math.isnan(value) else f"{100 * value:.0f} %"
