"""The document of attention maps: a heat map for each layer or head, with the words on both axes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from exegesis.results.internals.attention import AttentionMap, AttentionMaps
from exegesis.show import document as doc
from exegesis.show.documents.header import assembled, facts, title_of
from exegesis.show.wording import decimal, signed, target_phrase, visible

COLUMNS = ("example", "model", "method", "target", "layer", "head", "row", "row_start", "row_stop", "column",
           "column_start", "column_stop", "value")  # fmt: skip
MEANING = {
    "attention": "A {0} is how much its row takes of its column; each row sums to 1.",
    "attention-saliency": "A {0} is the derivative of the {1} by the score of its row and column before the softmax",
    "attention-x-gradient": "A {0} is the weight of its row and column times the derivative of the {1} by it.",
    "rollout": "A {0} is the share of its column of the input in its row, followed through all layers up to this one.",
    "flow": "A {0} is the largest flow from its row at the top to its column of the input, attention as capacity.",
    "value-zeroing": "A {0} is how far the vector of its row turns behind the block without the value of its column; "
    "each row sums to 1.",
    "norm-weighted": "A {0} is the size of the vector that attention brings from its column to its row.",
    "globenc": "A {0} is the size of what its column brings to its row through attention, residual connections and "
    "norms; each row sums to 1.",
}
FEW, PEEK, LISTED, BRIEF = 6, 8, 60, 2  # maps drawn apart; links of a short list, of a table; maps in a terminal
LINES = (
    "Rows stand above (or left), columns below (or right). A line is the wider and deeper the larger its number, and "
    f"dashed below zero. {doc.STANDS_OUT}"
)
WAYS = {(0, 1): "first text to second", (1, 0): "second text to first"}  # by the numbers of the texts of a pair
CELLS = 40_000  # of the folded maps of a page


def document(
    results: Sequence[AttentionMaps], *, layer: int | None = None, head: int | None = None, lines: bool = False
) -> doc.Document:
    """Maps of texts in order, of all layers or of one ``layer``, of all heads or of one ``head``.

    Of more than six maps each layer is drawn with the mean over its heads; a page has the heads too, if they are not
    too many: layer by layer, to be unfolded. With ``lines`` each map is drawn as lines from its rows, above, to its
    columns, below; where both hold a pair, from each text to the other.
    """
    return assembled("Attention", "texts", [_section(result, layer, head, lines) for result in results])


def _section(result: AttentionMaps, layer: int | None, head: int | None, lines: bool) -> doc.Section:
    chosen = _chosen(result, layer, head)
    limit = doc.largest(np.concatenate([one.values.ravel() for one in chosen]).tolist())
    matrices: list[doc.Matrix | doc.Alignment] = (
        [part for one in chosen for part in _alignments(result, one, limit)]
        if lines
        else [_matrix(result, one, limit) for one in chosen]
    )
    links = [link for link in result.top(LISTED + 1) if link.value]
    top = doc.largest([link.value for link in links])
    rows = [
        (f"{visible(link.row)} → {visible(link.column)}", str(link.place),
         doc.Gauge(signed(link.value, top, sign=result.signed), doc.share(link.value, top), result.signed))
        for link in links[:LISTED]
    ]  # fmt: skip
    rest = "Weaker ones are left out here; a .csv file has them." if len(links) > LISTED else ""
    fold = "The strongest cells of all layers and heads"
    table = doc.table(("from → to", "place", "value"), rows, words=2, fold=fold, peek=PEEK, rest=rest)
    scale = doc.scale_to(limit, result.signed, not result.signed)
    notes = [*_notes(result, chosen, "line" if lines else "cell"), *([LINES] if lines else [])]
    legend = doc.Legend(None if lines else scale, doc.sentences(notes))
    header = facts([result], [result.kind])
    tables = (table,) if rows else ()
    brief = (header, *matrices[-BRIEF:], *tables, legend)
    page: tuple[doc.Part, ...] = (
        header,
        *matrices,
        *(() if lines else _folded(result, chosen, limit)),
        *tables,
        legend,
    )
    return doc.Section(title_of(result.text), page, brief, (header, *matrices, *tables, legend))


def _folded(result: AttentionMaps, chosen: Sequence[AttentionMap], limit: float) -> Iterator[doc.Matrix]:
    """The maps of single heads that are not drawn, a fold for each layer; none where a page would hold too many."""
    drawn = {one.place for one in chosen}
    heads = [one for one in result.maps if one.head and one.place not in drawn]
    if sum(one.values.size for one in heads) <= CELLS:
        for one in heads:
            yield replace(_matrix(result, one, limit), fold=f"The heads of layer {one.layer}")


def _chosen(result: AttentionMaps, layer: int | None, head: int | None) -> list[AttentionMap]:
    """The maps that are drawn."""
    layers = result.layers if layer is None else (layer,)
    if head is not None:
        return [result.map(one, head) for one in layers]
    heads = [result.map(one, number) for one in layers for number in (result.heads(one) or (0,))]
    return heads if len(heads) <= FEW else [result.map(one) for one in layers]


def _matrix(result: AttentionMaps, one: AttentionMap, limit: float) -> doc.Matrix:
    return doc.Matrix(*_names(result, one), one.values, limit, signed=result.signed, title=_title(result, one))


def _alignments(result: AttentionMaps, one: AttentionMap, limit: float) -> Iterator[doc.Alignment]:
    """The lines of a map; of one from all pieces of a pair to all, those from each text to the other."""
    down, across = _names(result, one)
    title, parts = _title(result, one), result.text.segments
    whole = len(parts) == 2 and all(any(map(part.covers, one.rows)) for part in parts)
    if not whole:
        yield doc.Alignment(down, across, one.values, limit, result.signed, title)
        return
    for (first, second), way in WAYS.items():
        rows = [at for at, span in enumerate(one.rows) if parts[first].covers(span)]
        columns = [at for at, span in enumerate(one.columns) if parts[second].covers(span)]
        names = (tuple(down[at] for at in rows), tuple(across[at] for at in columns))
        yield doc.Alignment(*names, one.values[np.ix_(rows, columns)], limit, result.signed, f"{title}, {way}")


def _names(result: AttentionMaps, one: AttentionMap) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The names of a map's rows and columns."""
    down, across = (
        tuple(visible(" ".join(name.split())) for name in result.names(spans)) for spans in (one.rows, one.columns)
    )
    return down, across


def _title(result: AttentionMaps, one: AttentionMap) -> str:
    several = not one.head and len(result.heads(one.layer)) > 1
    way = [
        f", {name}"
        for (first, second), name in WAYS.items()
        if len(parts := result.text.segments) == 2
        and one.rows
        and all(map(parts[first].covers, one.rows))
        and all(map(parts[second].covers, one.columns))
    ]
    return "".join([str(one.place), ", mean over heads" * several, *way])


def _notes(result: AttentionMaps, chosen: Sequence[AttentionMap], what: str) -> Iterator[str]:
    """Sentences that say what a cell or a line is."""
    target = target_phrase(result.target)
    meaning = MEANING.get(result.kind, "").format(what, target)
    if result.kind == "attention-saliency":
        meaning += " (signed)." if result.signed else ", without its sign."
    yield meaning
    if result.kind == "attention":
        yield "It does not depend on what is predicted, and need not say why."
    if "at_bound" in result.details:
        yield (
            f"{decimal(100 * float(result.details['at_bound']), 0)} % of the flows are what the first layer alone "
            "allows, and say nothing of the layers above."
        )
    if len(chosen) < len(result.maps):
        yield "A .csv file has every layer and head."


def records(results: Sequence[AttentionMaps]) -> Iterator[Sequence[Any]]:
    """Rows for a file: each cell of each map, with the characters of its row and column."""
    yield COLUMNS
    for example, result in enumerate(results):
        head = (example, result.model, result.kind, result.target)
        for one in result.maps:
            rows, columns = result.names(one.rows), result.names(one.columns)
            for (i, j), value in np.ndenumerate(one.values):
                down = result.text.characters(one.rows[i]) if one.rows else ("", "")
                across = result.text.characters(one.columns[j])
                yield (*head, one.layer, one.head, rows[i], *down, columns[j], *across, float(value))
