"""The document of information in hidden states: the text once for each layer, coloured by what it holds."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

from exegesis.results.internals.information import DISCARDED, NONE, UNSETTLED, Information
from exegesis.show.document import Document, Legend, Note, Section
from exegesis.show.documents.header import assembled, facts, title_of
from exegesis.show.documents.passage import Strand, check_scale, passage, scale_of, tables
from exegesis.show.wording import common, many, number, visible

COLUMNS = ("example", "model", "layer", "word", "start", "stop", "kept", "entropy", "sigma", "linear", "error",
           "certificate", "certificate_error", "state", "variance", "dimensions", "rate", "cap")  # fmt: skip
READ = (
    "Each row is the text at one layer; a word's number is what the layer still holds of each dimension of its vector, "
    "in nats above noise that would hide it: zero is discarded."
)


def document(results: Sequence[Information], *, scale: str = "shared") -> Document:
    """Information of texts; results on one text share a section, so that models stand under each other.

    ``scale="each"`` gives each layer its own maximum.
    """
    check_scale(scale)
    groups: dict[str, list[Information]] = {}
    for result in results:
        groups.setdefault(result.text.raw, []).append(result)
    return assembled("Information", "texts", [_section(group, scale != "each") for group in groups.values()])


def _section(results: Sequence[Information], shared: bool) -> Section:
    strands, notes = list[Strand](), list[Note]()
    several = not common([result.model for result in results])
    for result in results:
        kept, spans = result.kept, result.text.words
        for at, layer in enumerate(result.layers):
            label = " · ".join(map(visible, [layer, *([result.model] if several else [])]))
            levels = ("word",) * len(spans)
            strands.append(Strand(label, "", result.text, spans, kept[at].tolist(), levels, ("word",), signed=False))
            notes += [Note(label, line) for line in _found(result, at)]
    notes += [Note("", line) for line in dict.fromkeys(line for result in results for line in _remarks(result))]
    words, asides = passage(strands, shared)
    header = facts(results, ["information"] * len(results))
    legend = Legend(scale_of(words), tuple(dict.fromkeys(notes)))
    return Section(title_of(results[0].text), (header, words, legend, *tables(words, asides)))


def _found(result: Information, layer: int) -> Iterator[str]:
    """What a layer discards in all, and the words that have no minimum or none that is certain."""
    states = result.states[layer]
    total = float(result.discarded[layer])
    if not math.isnan(total):
        yield f"entropy of all words, given this layer, {number(total)} nats (the less, the more of them it holds)"
    for state, says in ((DISCARDED, "discarded"), (NONE, "no minimum at this rate"), (UNSETTLED, "not settled")):
        words = [visible(word) for word, found in zip(result.words, states, strict=True) if found == state]
        if words:
            yield f"{says}: {', '.join(words[:8])}{f' and {len(words) - 8} more' if len(words) > 8 else ''}"


def _remarks(result: Information) -> Iterator[str]:
    yield READ
    yield (
        f"K λ = {number(result.rate)} (λ = {number(result.lam)}), at most {number(result.cap)} of noise, normalised by "
        f"the states of {visible(result.reference)}. Layers and models compare at one K λ only."
    )
    spreads = zip(result.variance_error, result.variance, strict=False)
    moved = max((0.5 * doubt / variance for doubt, variance in spreads if variance > 0), default=0.0)
    if moved:
        yield f"The normaliser is drawn, too: it may move all numbers of a layer alike, by about {number(moved)}."
    worst = float(result.error.max()) if result.error.size else 0.0
    yield (
        f"{'Every minimum is' if result.converged else 'Not every minimum is'} certified on fresh draws; the largest "
        f"standard error of a log σ is {number(worst)}, over {many(result.error.size, 'word')} of all layers."
    )


def records(results: Sequence[Information]) -> Iterator[Sequence[Any]]:
    """Rows for a file: each word at each layer, with what was found, and the numbers that it depends on."""
    yield COLUMNS
    for example, result in enumerate(results):
        entropy, kept = result.entropy, result.kept
        for at, layer in enumerate(result.layers):
            for i, (word, (start, stop)) in enumerate(zip(result.words, result.offsets, strict=True)):
                nats = float(entropy[at, i])
                numbers = (result.sigma, result.linear, result.error, result.certificate, result.certificate_error)
                yield (
                    example, result.model, layer, word, start, stop, float(kept[at, i]),
                    None if math.isnan(nats) else nats, *(float(values[at, i]) for values in numbers),
                    result.states[at][i], result.variance[at], result.dimensions[at], result.rate, result.cap,
                )  # fmt: skip
