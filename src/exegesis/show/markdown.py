"""Documents as Markdown: sentences, facts and tables. Words in colour and charts are left to the other media."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from exegesis.core import escapes
from exegesis.show import document as doc
from exegesis.show.wording import clipped

ROWS, CELL = 20, 80  # of a table, and characters of a cell
_OPENING = re.compile(r"^([-+=:]|\d+[.)](?=\s|$))")


def plain(text: str) -> str:
    """A text in one line as Markdown prints it, whatever it holds: no markup, no HTML, no list."""
    line = escapes.markdown(" ".join(text.split()))
    return _OPENING.sub(lambda found: f"{found[1][:-1]}\\{found[1][-1]}", line)


def table(names: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table of texts that are escaped already."""
    lines = [names, ["---"] * len(names), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def blocks(document: doc.Document) -> Iterator[str]:
    """What a document says and its tables, without what a page folds away, and without headings of what is left out;
    of the facts those of a section's beginning."""
    for section in document.sections:
        heading, told = "", False
        for part in section.parts:
            if isinstance(part, doc.Heading):
                heading = f"**{plain(part.text)}**" if part.level > 1 else ""
                continue
            found = [] if isinstance(part, doc.Facts) and told else list(_block(part))
            told = told or isinstance(part, doc.Facts)
            if heading and found:
                yield heading
                heading = ""
            yield from found


def _block(part: doc.Part) -> Iterator[str]:
    match part:
        case doc.Prose():
            yield plain(part.text)
        case doc.Facts():
            yield ", ".join(plain(text) for text, _ in part.texts)
        case doc.Table() if not part.fold and part.rows:
            kept = part.rows[:ROWS]
            rows = [[_cell(cell) for cell in row] for row in kept]
            yield table([plain(one.name) or " " for one in part.columns], rows)
            if len(kept) < len(part.rows):
                yield f"{len(part.rows) - len(kept):,} more rows are in the report."
        case _:
            return


def _cell(cell: str | doc.Gauge) -> str:
    text = cell.text if isinstance(cell, doc.Gauge) else cell
    return plain(clipped(text, CELL)) or " "
