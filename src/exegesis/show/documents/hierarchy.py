"""The document of hierarchies: phrases as boxes that stand on their words, as in the REAT survey's Figure 21.

A phrase stands in the row above its highest part and fills every row up to the phrase that takes it in, so each row is
the text cut in its own way.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from typing import Any

from exegesis.results.hierarchy import Hierarchy
from exegesis.show import document as doc
from exegesis.show.documents.account import Sum
from exegesis.show.documents.header import assembled, facts, labelled, section
from exegesis.show.documents.passage import FOLD
from exegesis.show.layout import laid_out, parts_of
from exegesis.show.wording import clipped, number, target_phrase, visible

COLUMNS = ("example", "model", "search", "target", "text", "start", "stop", "height", "step", "score", "interaction")
INTERACTION = {"hedge": "the Shapley interaction of its two parts", "": "its score beyond the sum of its parts"}
SEARCH = {
    "acd": "Words were joined from below, the strongest first (ACD).",
    "soc": "Words were joined from below by sampling and occlusion (SOC).",
    "scd": "Words were joined from below by sampling contextual decomposition (SCD).",
    "hedge": "The text was cut from above where its parts interact least (HEDGE).",
    "parse": "The phrases are those of a given tree.",
    "owen": "The phrases are those of a given tree; the score of a phrase is the sum of its words'.",
}


def document(results: Sequence[Hierarchy]) -> doc.Document:
    """Hierarchies in order."""
    kind = "Hierarchy" if len(results) == 1 else "Hierarchies"
    return assembled(kind, "hierarchies", [_section(result) for result in results])


def _section(result: Hierarchy) -> doc.Section:
    phrases = tree(result)
    signs = phrases.signed
    faint = any(node.low == 0 and abs(node.cell.share) < doc.FAINT for node in phrases.nodes)
    scale = doc.scale_to(phrases.limit, signs, not signs, faint=faint)
    legend = doc.Legend(labelled(scale, [result]), doc.sentences(_notes(result, phrases)))
    rows = (
        ("  " * depth + phrases.layout.surface(node.cell.start, node.cell.stop),
         phrases.joint(node), doc.Gauge(phrases.written(node.cell.score), node.cell.share, signs))
        for depth, node in phrases.nested
    )  # fmt: skip
    table = doc.table(("phrase", "interaction", "score"), rows, fold=FOLD)
    return section([result], (_facts(result), phrases, legend, table))


def records(results: Sequence[Hierarchy]) -> Iterator[Sequence[Any]]:
    """Rows for a file: each phrase, the whole text first."""
    yield COLUMNS
    for example, result in enumerate(results):
        for phrase in result:
            start, stop = result.text.characters(phrase.span)
            joint = None if phrase.interaction is None else float(phrase.interaction)
            yield (example, result.model, result.name, result.target, phrase.text, start, stop, phrase.height,
                   phrase.step, float(phrase.score), joint)  # fmt: skip


def tree(result: Hierarchy) -> doc.Tree:
    """A hierarchy as nodes over the atoms of its text."""
    places = [result.text.characters(part.span) for part in result.parts]
    starts, layout = laid_out(result.text.raw, {edge for place in places for edge in place}, parts_of(result.text))
    limit = doc.largest([part.score for part in result.parts])
    parent = {child: number for number, part in enumerate(result.parts) for child in part.children}
    nodes = []
    for at, (part, (start, stop)) in enumerate(zip(result.parts, places, strict=True)):
        cell = doc.Cell(bisect_left(starts, start), bisect_left(starts, stop), part.score, doc.share(part.score, limit))
        if cell.stop > cell.start:
            high = result.heights[parent[at]] - 1 if at in parent else result.heights[at]
            nodes.append(doc.Node(cell, result.heights[at], high, part.interaction))
    return doc.Tree(layout, tuple(nodes), limit, result.details.get("signed") is not False)


def _leads(result: Hierarchy) -> bool:
    """True if scores are leads of the target's label over the strongest other label, not the number in the header.

    HEDGE's scores are; if the label has no rival (a margin, log odds of two labels), its lead is the number itself.
    """
    root = result.root.score
    return result.name == "hedge" and abs(root - result.explained) > 1e-6 * max(1.0, abs(root))


def _facts(result: Hierarchy) -> doc.Facts:
    header = facts([result], [result.name])
    label = result.target.partition(":")[2]
    if not (_leads(result) and label):
        return header
    lead = f"; its lead over other labels {number(result.root.score)}"
    items = [fact._replace(text=fact.text + lead) if fact.name == "target" else fact for fact in header.items]
    return doc.Facts(tuple(items))


def _notes(result: Hierarchy, phrases: doc.Tree) -> Iterator[str]:
    """Sentences that say how the phrases were found, what scores and interactions are, what adds up."""
    if len(result.text.words) > 1 and result.name in SEARCH:
        yield SEARCH[result.name]
    yield f"Score: {visible(result.scorer)}."
    if _leads(result):
        what, lead = target_phrase(result.target), number(result.root.score)
        yield f"The lead is of the {what} over that of the strongest other label; of the whole text it is {lead}."
    strong = phrases.strongest
    if strong is not None:
        what = INTERACTION.get(result.name, INTERACTION[""])
        text = clipped(phrases.layout.surface(strong.cell.start, strong.cell.stop), 60)
        yield f"A phrase's interaction is {what}; the strongest is {phrases.joint(strong)}, of “{text}”."
    what = target_phrase(result.target)
    if not result.complete or not phrases.signed:
        yield f"The {what} is {number(result.explained)}; scores of phrases need not add up to it."
    else:
        words = sum(part.score for part in result.parts if not part.children)
        yield Sum(result.target, result.explained, words, result.account).sentence("The words' scores")
