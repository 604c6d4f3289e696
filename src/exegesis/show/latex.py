r"""Documents as LaTeX: words in colour boxes that break over lines and pages with the text, and plain tables.

The snippet needs ``xcolor`` and goes into any document by ``\input``. Every character that means something to TeX is
escaped; letters beyond Latin need XeLaTeX or LuaLaTeX and a font that has them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

from exegesis.show import document as doc
from exegesis.show.palette import Paint, Palette, palette_named
from exegesis.show.wording import clipped, decimal, number

HEAD = r"""% Explanations by Exegesis. In the preamble: \usepackage{xcolor}
% (and \usepackage[T1]{fontenc} with pdfLaTeX; text beyond Latin letters needs XeLaTeX or LuaLaTeX).
% A rule under words: they speak against.
\begingroup
\setlength{\fboxsep}{0pt}\setlength{\parindent}{0pt}\sloppy
"""
TAIL = "\\par\\endgroup\n"
LONGEST = 18  # em of a row's name
MARKED = 0.1  # share of the scale from which a rule under a word marks what speaks against
WORDS, CELL, DEPTH = 24, 60, 12  # words of a matrix, characters of a cell, steps by which a phrase is indented

_SPECIAL = {
    "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "$": r"\$", "&": r"\&", "#": r"\#", "_": r"\_", "%": r"\%",
    "^": r"\textasciicircum{}", "~": r"\textasciitilde{}", "<": r"\textless{}", ">": r"\textgreater{}",
    "|": r"\textbar{}", '"': r"\textquotedbl{}", "'": r"\textquotesingle{}", "`": r"\textasciigrave{}", "-": r"{-}",
    "\N{MINUS SIGN}": r"\ensuremath{-}",
    "\N{MIDDLE DOT}": r"\textperiodcentered{}", "\N{INFINITY}": r"\ensuremath{\infty}",
    "[": "{[}", "]": "{]}", "?": "{?}", "!": "{!}", ",": "{,}",
}  # fmt: skip
_ESCAPES = str.maketrans(_SPECIAL)


def escaped(text: str) -> str:
    """A text as TeX prints it, whatever it holds; ligatures (``--``, ``!```) do not form."""
    return text.translate(_ESCAPES)


def latex(document: doc.Document, *, palette: str | Palette = "green-red") -> str:
    """A document as a snippet of paragraphs, section by section."""
    chosen = palette_named(palette)
    return HEAD + "\\par\\bigskip\n".join(_section(section, chosen) for section in document.sections) + TAIL


def _section(section: doc.Section, palette: Palette) -> str:
    return "".join(DRAWN[type(part)](part, palette) for part in section.brief or section.parts)


def _paragraph(text: str, size: str = "small") -> str:
    return rf"{{\{size} {text}\par}}" + "\n"


def _bold(text: str, size: str = "small") -> str:
    return _paragraph(rf"\textbf{{{escaped(text)}}}", size)


def _facts(facts: doc.Facts, palette: Palette) -> str:
    texts = [rf"\textbf{{{escaped(text)}}}" if strong else escaped(text) for text, strong in facts.texts]
    return _paragraph(r"\quad ".join(texts)).replace("\\par}", "\\par}\\smallskip") if texts else ""


def _prose(prose: doc.Prose, palette: Palette) -> str:
    if prose.tone == "lead":
        return _bold(prose.text)
    return _paragraph(escaped(prose.text), "small" if prose.tone == "plain" else "scriptsize")


def _heading(heading: doc.Heading, palette: Palette) -> str:
    size = {1: "large", 2: "normalsize", 3: "small"}[heading.level]
    return r"\medskip" + _bold(heading.text, size)


# words --------------------------------------------------------------------------------------------------


def _passage(part: doc.Passage, palette: Palette) -> str:
    """A row for each result or level; ``(the text is empty)`` for an empty text."""
    lines = [_paragraph(escaped(part.caption), "scriptsize")] if part.caption else []
    if not part.layout.atoms:
        return "".join([*lines, _paragraph("(the text is empty)")])
    several = len(part.blocks) > 1
    names = [part.name(block, row) for block in part.blocks for row in block.rows]
    indent = min(LONGEST, max(9, 1 + round(0.45 * max(map(len, names))))) if any(names) else 0
    for block in part.blocks:
        if several and len(block.rows) > 1:
            lines.append(_bold(block.label, "footnotesize"))
        for row in block.rows:
            name = escaped(part.name(block, row))
            name += rf" {{\tiny {escaped(block.note)}}}" if block.note and len(block.rows) == 1 else ""
            lines += _row(part, block, row, palette, name, indent)
    return "".join(lines)


def _row(part: doc.Passage, block: doc.Block, row: doc.Row, palette: Palette, name: str, indent: int) -> Iterator[str]:
    """A row as a paragraph for each text; later lines are indented past its name."""
    for place, text in enumerate(part.layout.texts, 1):
        label = name + (f" {place}" if part.layout.parts > 1 else "")
        box = rf"\makebox[{indent}em][l]{{\footnotesize {label}}}\ignorespaces" if indent else ""
        words = "".join(_words(part, block, row, palette, text))
        yield rf"\hangindent={indent}em\hangafter=1{box}{words}" + "\\par\\vspace{2pt}\n"


def _words(part: doc.Passage, block: doc.Block, row: doc.Row, palette: Palette, text: range) -> Iterator[str]:
    """Words in boxes; the blanks inside a phrase have its colour, and a line may break after each word."""
    for cell, atoms in row.runs(text):
        tint = partial(_box, cell, palette=palette, signed=block.signed) if cell else str
        for i in atoms:
            if part.layout.blank(text, i):
                # a break that keeps the colour of the blank, or an ordinary blank between two spans
                yield r"\allowbreak" + tint(r"\ ") if i > atoms[0] else "\n"
            elif i > text.start:
                yield r"\allowbreak "
            yield tint(rf"\,{escaped(part.layout.atoms[i].text)}\,")
        if cell is not None and not row.fine and atoms[-1] == cell.stop - 1:
            yield rf"\textsubscript{{\tiny {escaped(block.written(cell.score))}}}"


def _box(cell: doc.Cell, text: str, palette: Palette, signed: bool) -> str:
    if cell.marked:
        text = rf"\textbf{{{text}}}"
    if signed and cell.share <= -MARKED:
        text = rf"\underline{{\smash{{{text}}}}}"
    return _tinted(palette.paint(cell.share, signed=signed), rf"\strut {text}")


def _tinted(paint: Paint, text: str) -> str:
    return rf"\colorbox[HTML]{{{paint.ground[1:].upper()}}}{{{text}}}"


def _tree(part: doc.Tree, palette: Palette) -> str:
    """The phrases under each other, each indented under the phrase that takes it in, with score and interaction."""
    lines = []
    for depth, node in part.nested:
        words = escaped(clipped(part.layout.surface(node.cell.start, node.cell.stop), CELL))
        joint = rf"\quad interaction {escaped(part.joint(node))}" if node.interaction is not None else ""
        box = _box(node.cell, rf"\,{words}\,", palette, part.signed)
        score = escaped(part.written(node.cell.score))
        lines.append(rf"\hspace*{{{min(depth, DEPTH)}em}}{box}{{\scriptsize\enspace {score}{joint}}}\par" + "\n")
    return "".join(lines)


# numbers ------------------------------------------------------------------------------------------------


def _matrix(part: doc.Matrix, palette: Palette) -> str:
    """Cells of colour with their words at the end of the diagonal; other matrices with their numbers."""
    shortened, rest = part.shortened(WORDS)
    title = _bold(part.title) if part.title else ""
    columns = len(shortened.across)
    rows = []
    for i, word in enumerate(shortened.down):
        cells = [_cell(shortened, i, j, palette) for j in range(i if shortened.half else columns)]
        name = escaped(clipped(word, CELL))
        last = rf"\multicolumn{{{columns - i}}}{{l}}{{{name}}}"
        rows.append(" & ".join([*cells, last] if shortened.half else [name, *cells]))
    heads = [] if shortened.half else [" & ".join(["", *(escaped(clipped(name, 12)) for name in shortened.across)])]
    return (
        title
        + _tabular("c" * columns if shortened.half else "l" + "c" * columns, [*heads, *rows])
        + (_paragraph(escaped(rest), "scriptsize") if rest else "")
    )


def _cell(part: doc.Matrix, row: int, column: int, palette: Palette) -> str:
    paint = palette.paint(part.share(row, column), signed=part.signed)
    return _tinted(paint, rf"\strut\,{escaped(part.written(row, column))}\,")


def _alignment(part: doc.Alignment, palette: Palette) -> str:
    return _table(part.listed(), palette)


def _table(part: doc.Table, palette: Palette) -> str:
    """A table; nothing for one to look things up in."""
    if part.fold or not part.rows:
        return ""
    names = dict(part.groups)
    heads = " & ".join(rf"\textbf{{{escaped(' '.join(filter(None, (c.name, c.note))))}}}" for c in part.columns)
    rows = [heads]
    for at, row in enumerate(part.rows):
        rows += [rf"\textit{{{escaped(names[at])}}}"] if at in names else []
        rows.append(" & ".join(escaped(clipped(cell if isinstance(cell, str) else cell.text, CELL)) for cell in row))
    return _tabular("".join("l" if column.words else "r" for column in part.columns), rows)


def _tabular(columns: str, rows: Sequence[str]) -> str:
    body = "".join(row + r" \\" + "\n" for row in rows)
    begin = rf"{{\scriptsize\setlength{{\tabcolsep}}{{3pt}}\begin{{tabular}}{{{columns}}}"
    return f"{begin}\n{body}\\end{{tabular}}\\par}}\n"


def _chart(part: doc.Chart, palette: Palette) -> str:
    """The numbers of a chart as a table."""
    title = _paragraph(rf"\textbf{{{escaped(part.title)}}}" + (rf"\quad {escaped(part.axis)}" if part.axis else ""))
    rows = []
    for row in part.rows:
        match row:
            case doc.Box():
                values = [row.spread.q1, row.spread.median, row.spread.q3]
            case doc.Bar():
                values = [row.value, row.part]
            case _:
                values = [*row.numbers][:: max(1, len(row.numbers) // 5)]
        shown = [decimal(value, 3) if part.kind is doc.Dot else number(value) for value in values]
        note = row.note if isinstance(row, doc.Box | doc.Bar) else ""
        rows.append(" & ".join(escaped(text) for text in (row.name, *shown, note)))
    return title + _tabular("l" + "r" * max(row.count("&") - 1 for row in rows) + "l", rows)


# what stands under --------------------------------------------------------------------------------------


def _legend(legend: doc.Legend, palette: Palette) -> str:
    lines = [_scale(legend.scale, palette)] if legend.scale else []
    for name, text in legend.notes:
        start = rf"\textbf{{{escaped(name)}}}\quad " if name else ""
        lines.append(_paragraph(start + escaped(text), "scriptsize"))
    return "".join(lines)


def _scale(scale: doc.Scale, palette: Palette) -> str:
    parts = []
    for before, after, signs in scale.ramps:
        paints = [palette.paint(k / 6, signed=signs) for k in range(-6 if signs else 0, 7)]
        ramp = "".join(_tinted(paint, r"\strut\kern.6em") for paint in paints)
        parts.append(f"{escaped(before)} {ramp} {escaped(after)}")
    note = [escaped(scale.note)] if scale.note else []
    return r"\smallskip{\scriptsize " + r"\quad ".join(parts + note) + "\\par}\\smallskip\n"


DRAWN: dict[type, Callable[[Any, Palette], str]] = {
    doc.Facts: _facts,
    doc.Prose: _prose,
    doc.Heading: _heading,
    doc.Passage: _passage,
    doc.Tree: _tree,
    doc.Matrix: _matrix,
    doc.Alignment: _alignment,
    doc.Table: _table,
    doc.Chart: _chart,
    doc.Legend: _legend,
}
