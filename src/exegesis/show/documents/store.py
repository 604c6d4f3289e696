"""The section of a store's summary: what it holds, its strongest words, agreement, and how it differs from another."""

from __future__ import annotations

import math
from collections.abc import Iterable

from exegesis.results.behaviour.corpus import CorpusSummary, Strong
from exegesis.show import document as doc
from exegesis.show.documents.corpora import corpus
from exegesis.show.documents.corpora.corpus import MAX_ROWS, number, usual
from exegesis.show.wording import decimal, percent, visible


def summary(result: CorpusSummary) -> doc.Section:
    """Tables, and a chart of the strongest words."""
    by, noun = visible(result.by), {"word": "word"}.get(result.level, result.level)
    size, moved = usual(row.mean for row in result.strong), usual(row.here for row in result.moved)
    leads = usual(row.mean for row in result.leading)
    facts = doc.facts({"store": visible(result.store), "beside": visible(result.other), "by": by})
    tables = (
        (("method", "kind", "model", "level", "explained", "question", "texts", "failed", "right"),
         ((row.method, row.kind, f"{row.model} {row.fingerprint}", row.level, row.wish, row.asked, f"{row.texts:,}",
           f"{row.failed:,}", _share(row.right, row.labelled)) for row in result.answered), 6),
        (("method", by, "rows", "mean probability", "right"),
         ((row.method, row.value, f"{row.rows:,}", _percent(row.probability), _share(row.right, row.labelled))
          for row in result.slices), 2),
        (("method", by, noun, "mean score", "uses"),
         ((row.method, row.value, row.text, number(row.mean, size), f"{row.uses:,}") for row in result.strong), 3),
        (("method", "beside", "Spearman", "top 3 in common", "rows"),
         ((row.first, row.second, _decimal(row.spearman), _percent(row.top), f"{row.rows:,}")
          for row in result.agreeing), 2),
        (("method", by, "measure", "mean", "95 % interval", "texts", "better"),
         ((row.method, row.value, row.measure, _decimal(row.mean), _interval(row.low, row.high), f"{row.texts:,}",
           "higher" if row.higher else "lower") for row in result.judged), 3),
        (("method", by, "training text", "label", "helps", "hurts", "mean score"),
         ((row.method, row.value, f"{row.number}: {row.text}", row.label, f"{row.helps:,}", f"{row.hurts:,}",
           number(row.mean, leads)) for row in result.leading), 4),
        (("method", by, noun, "here", "there", "uses here", "uses there"),
         ((row.method, row.value, row.text, number(row.here, moved), number(row.there, moved), f"{row.uses_here:,}",
           f"{row.uses_there:,}") for row in result.moved), 3),
        (("method", by, "share here", "share there"),
         ((row.method, row.value, percent(row.here), percent(row.there)) for row in result.shifted), 2),
        (("method", "texts in both", "other label", "Spearman"),
         ((row.method, f"{row.rows:,}", _share(row.changed, row.rows), _decimal(row.spearman))
          for row in result.same), 1),
        (("why texts failed", "rows"), ((reason, f"{count:,}") for reason, count in result.failures.items()), 1),
    )  # fmt: skip
    parts = [_table(names, rows, words) for names, rows, words in tables]
    note = f"Means are over all uses in a slice, of at least {result.minimum}; words in lower case."
    if not result.strong and any(row.kind == "explanation" for row in result.answered):
        note = f"No {noun} asked for has {result.minimum} uses in a slice: ask for fewer (--minimum), or for others."
    elif not result.strong and result.leading:
        note = "helps and hurts: for how many texts the training text is kept; its mean score is over these."
    chart = [_chart(result.strong, noun)] if result.strong else []
    return corpus.section(
        "What a store of explanations says", facts, [*chart, *filter(None, parts), doc.Prose(note, "muted")]
    )


def _chart(strong: tuple[Strong, ...], noun: str) -> doc.Chart:
    best = sorted(strong, key=lambda row: -abs(row.mean))[:MAX_ROWS]
    dots = (doc.Dot(visible(row.text), visible(f"{row.value}, {row.method}, {row.uses:,} uses"), row.mean, math.nan,
                    math.nan, 0) for row in sorted(best, key=lambda row: -row.mean))  # fmt: skip
    return doc.Chart(f"The strongest {noun}s", "mean score", tuple(dots))


def _table(names: Iterable[str], rows: Iterable[tuple[str, ...]], words: int) -> doc.Table | None:
    """A table; None without rows."""
    listed = [tuple(map(visible, row)) for row in rows]
    return doc.table(tuple(names), listed, words=words) if listed else None


def _share(part: int, whole: int) -> str:
    return percent(part / whole) if whole else ""


def _percent(value: float) -> str:
    return "" if math.isnan(value) else percent(value)


def _interval(low: float, high: float) -> str:
    return "" if math.isnan(low) else f"{decimal(low, 2)} to {decimal(high, 2)}"


def _decimal(value: float) -> str:
    return "" if math.isnan(value) else decimal(value, 2)
