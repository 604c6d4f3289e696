"""Figures 1 to 3 of Ghaeini et al. (2018) for our models, small enough to look at.

    python figures.py MODEL OTHER FOLDER

``maps.svg``: attention and its saliency (normalised) from the premise to each of the three hypotheses, as lines.
``names.svg``: the same of two models for John and Mary, as heat maps. ``gates.svg``: the gates of the input and the
inference LSTM over the first hypothesis, forward and backward. ``exegesis nli`` draws all of it for any pair.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import exegesis
from exegesis.show import MEDIA, document_of
from exegesis.show.document import Document, Legend

PREMISE = "A kid is playing in the garden"
HYPOTHESES = (
    "A kid is taking a nap in the garden",
    "A kid is having fun in the garden with her family",
    "A kid is having fun in the garden",
)
OVER_HYPOTHESIS = (2, 4)  # calls of the input and of the inference LSTM


def sections(model, pair, **options):
    """Attention and saliency of the words of the premise, and what is predicted."""
    for method, form in (("attention", {}), ("attention-saliency", {"form": "normalised"})):
        found = exegesis.attention(model, pair, method, **form)
        said = f"{found.prediction.label} {found.prediction.probability:.2f}"
        print(f"{model.name}: {' / '.join(pair)}: {said}, {method}, "
              f"{', '.join(f'{one.row}-{one.column} {one.value:.2f}' for one in found.top(6)[::2])}")  # fmt: skip
        yield from document_of(found, layer=1, **options).sections


def explained_once(parts):
    """The sections, the sentences under them only under the last two: one of attention, one of saliency."""
    for section in parts[:-2]:
        shown = [replace(one, notes=()) if isinstance(one, Legend) else one for one in section.picture or section.parts]
        yield replace(section, parts=tuple(shown), picture=())
    yield from parts[-2:]


def main(model, other, folder: Path) -> None:
    maps = [part for text in HYPOTHESES for part in sections(model, (PREMISE, text), lines=True)]
    names = [part for name in ("John", "Mary") for one in (model, other)
             for part in sections(one, (f"{name} ordered a book from amazon", "A man ordered a book"))]  # fmt: skip
    gates = exegesis.gates(model, (PREMISE, HYPOTHESES[0]))
    gates = replace(gates, curves=tuple(one for one in gates.curves if one.recurrent in OVER_HYPOTHESIS))
    documents = {
        "maps": Document("Attention and saliency", "Inference", tuple(explained_once(maps))),
        "names": Document("Two models", "Inference", tuple(explained_once(names))),
        "gates": document_of(gates),
    }
    folder.mkdir(parents=True, exist_ok=True)
    for name, document in documents.items():
        (folder / f"{name}.svg").write_bytes(MEDIA[".svg"]()(document))


if __name__ == "__main__":
    main(exegesis.load(sys.argv[1]), exegesis.load(sys.argv[2]), Path(sys.argv[3]))
