"""The section of a test of attention: the verdict, and every test beside its control."""

from __future__ import annotations

import math

from exegesis.results.internals.attention_test import AttentionTest, Tested
from exegesis.show import document as doc
from exegesis.show.documents.corpora import corpus
from exegesis.show.wording import decimal, visible

READ = (
    "Each number is a mean over texts with its 95 % interval (a bootstrap over texts). A test is passed if the "
    "interval of what decides lies above zero: the number less its control (agreement: less half of it), or for the "
    "adversary half the largest divergence less its number. Agreement is Kendall's tau, erasure and adversary are "
    "Jensen-Shannon divergences in nats, permutation and uniform are total variations of the probabilities, flips "
    "are shares of texts, the guide's number the share of right labels; what is said of trained models and of seeds "
    "are Jensen-Shannon divergences, where less is better."
)
MIXED = (
    "The states that attention weighs already mix words: a weight without effect does not say that its word has none, "
    "and single texts and pairs may differ."
)


def attention_test(result: AttentionTest) -> doc.Section:
    """The verdict and a table of tests."""
    rows = [
        (test.name, _with(test.value, test.low, test.high), test.control_name,
         _with(test.control, test.control_low, test.control_high), _with(math.nan, test.apart_low, test.apart_high),
         _said(test), str(test.texts))
        for test in result.tests
    ]  # fmt: skip
    names = ("test", "attention", "beside", "its number", "decides", "says", "texts")
    columns = tuple(doc.Column(name, words=name in ("test", "beside", "says")) for name in names)
    dots = tuple(
        doc.Dot(f"{test.name}{' (control)' * beside}", "", *numbers, None if beside else 0, not (test.passed or beside))
        for test in result.tests if test.decides
        for beside, numbers in ((False, (test.value, test.low, test.high)),
                                (True, (test.control, test.control_low, test.control_high)))
    )  # fmt: skip
    facts = corpus.facts(result.asked)
    place = doc.facts({"attention": visible(result.place), "texts are": "pairs" if result.pairs else "single"})
    parts = (
        place, doc.Prose(visible(result.verdict), "lead"), doc.Table(columns, tuple(rows)),
        doc.Chart("Attention beside its controls", "mean over texts", dots, signed=False),
        doc.Prose(READ, "muted"), doc.Prose(MIXED, "muted"),
    )  # fmt: skip
    return corpus.section(f"Does attention explain {visible(result.asked.model)}?", facts, parts)


def _with(value: float, low: float, high: float) -> str:
    """A number with its interval; the interval alone without a number."""
    ends = "" if math.isnan(low) or low == high else f"[{decimal(low, 3)}, {decimal(high, 3)}]"
    return " ".join(filter(None, ("" if math.isnan(value) else decimal(value, 3), ends)))


def _said(test: Tested) -> str:
    return ("passed" if test.passed else "failed") if test.decides else "beside"
