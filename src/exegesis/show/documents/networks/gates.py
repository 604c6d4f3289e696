"""The document of gates: curves of signals and saliency over the words, a chart a gate (Ghaeini et al., Fig. 3)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from exegesis.results.internals.gates import GateCurves, Gates
from exegesis.show import document as doc
from exegesis.show.documents.header import assembled, facts, title_of
from exegesis.show.wording import target_phrase, visible

COLUMNS = ("example", "model", "target", "place", "cell", "gate", "piece", "start", "stop", "signal", "saliency")
SHOWN = {"lstm": ("input", "forget", "output"), "gru": ("reset", "update")}  # as in the figure; files have all


def document(results: Sequence[Gates]) -> doc.Document:
    """Gates of texts in order."""
    return assembled("Gates", "texts", [_section(result) for result in results])


def _section(result: Gates) -> doc.Section:
    parts: list[doc.Part] = [facts([result], ["gates"])]
    brief: list[doc.Part] = [*parts]
    for one in result.curves:
        names = tuple(visible(name) for name in result.names(one))
        heading = doc.Heading(f"{one.place}{_side(result, one)}", 3)
        parts += [heading, *_charts(one, names)]
        brief += [heading, _matrix(one, names)]
    target = target_phrase(result.target)
    legend = doc.Legend(
        keys=(doc.Key("saliency", 0), doc.Key("signal", 1, "dashed")),
        notes=doc.sentences(
            [
                f"The signal of a gate is the norm of its values at a word, its saliency the norm of the derivative of "
                f"the {target} by them.",
                "Each is drawn as a share of its largest over the text, so sizes of different curves do not compare; a "
                ".csv file has the norms themselves, of the states, too.",
            ]
        ),
    )
    return doc.Section(title_of(result.text), (*parts, legend), (*brief, doc.Legend(notes=legend.notes)))


def _side(result: Gates, one: GateCurves) -> str:
    """Which text of a pair a layer reads, if it reads one of them alone."""
    for segment, name in zip(result.text.segments, ("first", "second"), strict=False):
        if len(result.text.segments) == 2 and all(map(segment.covers, one.pieces)):
            return f", {name} text"
    return ""


def _charts(one: GateCurves, names: tuple[str, ...]) -> Iterator[doc.Chart]:
    saliency, signals = one.normalised("saliency"), one.normalised("signals")
    for gate in SHOWN[one.cell]:
        rows = (
            doc.Curve("saliency", tuple(enumerate(saliency[gate].tolist(), 1)), 0),
            doc.Curve("signal", tuple(enumerate(signals[gate].tolist(), 1)), 1, "dashed"),
        )
        yield doc.Chart(gate, "", rows, signed=False, words=names)


def _matrix(one: GateCurves, names: tuple[str, ...]) -> doc.Matrix:
    """The curves as a table of shares: the words down, a column for each."""
    saliency, signals = one.normalised("saliency"), one.normalised("signals")
    across = tuple(f"{gate} {what}" for gate in SHOWN[one.cell] for what in ("saliency", "signal"))
    values = np.stack([curves[gate] for gate in SHOWN[one.cell] for curves in (saliency, signals)], 1)
    return doc.Matrix(names, across, values, 1.0, signed=False, digits=2)


def records(results: Sequence[Gates]) -> Iterator[Sequence[Any]]:
    """Rows for a file: the norms of each gate and state, and of the derivative by it, at each piece."""
    yield COLUMNS
    for example, result in enumerate(results):
        for one in result.curves:
            for gate, signal in one.signals.items():
                for at, (name, span) in enumerate(zip(result.names(one), one.pieces, strict=True)):
                    yield (example, result.model, result.target, str(one.place), one.cell, gate, name,
                           *result.text.characters(span), float(signal[at]), float(one.saliency[gate][at]))  # fmt: skip
