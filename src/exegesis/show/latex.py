r"""Results as LaTeX: words in colour boxes that break over lines and pages with the text. Imports no torch.

The snippet needs ``xcolor`` and goes into any document by ``\input``. Every character that means something to TeX is
escaped; letters beyond Latin need XeLaTeX or LuaLaTeX and a font that has them.
"""

from __future__ import annotations

from collections.abc import Sequence

from exegesis.results.attribution import Attribution
from exegesis.show.documents.attribution import Block, Cell, Panel, Row, Scale, panels
from exegesis.show.documents.header import header, notes, scales
from exegesis.show.palette import Palette, palette_named
from exegesis.show.wording import signed

HEAD = r"""% Explanations by Exegesis. In the preamble: \usepackage{xcolor}
% (and \usepackage[T1]{fontenc} with pdfLaTeX; text beyond Latin letters needs XeLaTeX or LuaLaTeX).
% A rule under words: they speak against.
\begingroup
\setlength{\fboxsep}{0pt}\setlength{\parindent}{0pt}\sloppy
"""
TAIL = "\\par\\endgroup\n"
LONGEST = 18  # em of a row's name
MARKED = 0.1  # share of the scale from which a rule under a word marks what speaks against

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


def latex(
    results: Attribution | Sequence[Attribution], *, palette: str | Palette = "green-red", scale: Scale | None = None
) -> str:
    """Results as a snippet: for each text a line of facts, a row a result or level, the scale, and what adds up."""
    chosen = palette_named(palette)
    return HEAD + "\\par\\bigskip\n".join(_panel(panel, chosen) for panel in panels(results, scale)) + TAIL


def _panel(panel: Panel, palette: Palette) -> str:
    facts = [
        rf"\textbf{{{escaped(text)}}}" if name == "prediction" else escaped(text)
        for name, text in header(panel).items()
    ]
    lines = [r"{\small " + r"\quad ".join(facts) + r"\par}\smallskip" + "\n"] if facts else []
    several = len(panel.blocks) > 1
    names = [b.label if several and len(b.rows) == 1 else row.level for b in panel.blocks for row in b.rows]
    indent = min(LONGEST, max(9, 1 + round(0.45 * max(map(len, names), default=0))))
    for block in panel.blocks:
        if several and len(block.rows) > 1:
            lines.append(rf"{{\footnotesize\textbf{{{escaped(block.label)}}}\par}}" + "\n")
        for row in block.rows if panel.atoms else ():
            name = escaped(block.label if several and len(block.rows) == 1 else row.level)
            name += rf" {{\tiny {escaped(block.note)}}}" if block.note and len(block.rows) == 1 else ""
            lines += [_row(panel, block, row, palette, name, part, indent) for part in range(panel.parts)]
    lines.append(_legend(panel, palette))
    for name, text in notes(panel):
        start = rf"\textbf{{{escaped(name)}}}\quad " if name else ""
        lines.append(rf"{{\scriptsize {start}{escaped(text)}\par}}" + "\n")
    return "".join(lines)


def _row(panel: Panel, block: Block, row: Row, palette: Palette, name: str, part: int, indent: int) -> str:
    """One row as a paragraph whose later lines are indented past its name."""
    label = name + (f" {part + 1}" if panel.parts > 1 else "")
    words = "".join(_words(panel, block, row, palette, part))
    return (
        rf"\hangindent={indent}em\hangafter=1\makebox[{indent}em][l]{{\footnotesize {label}}}\ignorespaces{words}"
        + "\\par\\vspace{2pt}\n"
    )


def _words(panel: Panel, block: Block, row: Row, palette: Palette, part: int) -> list[str]:
    """Words in boxes; the blanks inside a phrase have its colour, and a line may break after each word."""
    drawn: list[str] = []
    fine = panel.fine(row)
    for i, cell in enumerate(panel.owners(row)):
        atom = panel.atoms[i]
        if atom.part != part:
            continue
        inside = cell is not None and cell.start < i and panel.atoms[i - 1].part == part
        if atom.space and drawn:
            # a break that keeps the colour of the blank, or an ordinary blank between two spans
            drawn.append(r"\allowbreak" + _box(cell, r"\ ", block, palette) if inside and cell else "\n")
        elif drawn:
            drawn.append(r"\allowbreak ")
        drawn.append(
            _box(cell, r"\," + escaped(atom.text) + r"\,", block, palette)
            if cell
            else r"\," + escaped(atom.text) + r"\,"
        )
        if cell is not None and not fine and i == cell.stop - 1:
            drawn.append(rf"\textsubscript{{\tiny {escaped(_score(block, cell))}}}")
    return drawn


def _box(cell: Cell, text: str, block: Block, palette: Palette) -> str:
    paint = palette.paint(cell.share, signed=block.signed)
    if block.signed and cell.share <= -MARKED:
        text = rf"\underline{{\smash{{{text}}}}}"
    return rf"\colorbox[HTML]{{{paint.ground[1:].upper()}}}{{\strut {text}}}"


def _score(block: Block, cell: Cell) -> str:
    return signed(cell.score, block.limit, sign=block.signed)


def _legend(panel: Panel, palette: Palette) -> str:
    scale = scales(panel)
    if scale is None:
        return ""
    parts = []
    if scale.signs:
        ramp = "".join(_swatch(palette, k / 6, True) for k in range(-6, 7))
        parts.append(f"against {escaped(scale.low)} {ramp} {escaped(scale.high)} for")
    if scale.sizes:
        ramp = "".join(_swatch(palette, k / 6, False) for k in range(7))
        parts.append(f"size 0 {ramp} {escaped(scale.high.lstrip('+'))}")
    note = [escaped(scale.note)] if scale.note else []
    return r"\smallskip{\scriptsize " + r"\quad ".join(parts + note) + r"\par}\smallskip" + "\n"


def _swatch(palette: Palette, share: float, signs: bool) -> str:
    colour = palette.paint(share, signed=signs).ground[1:].upper()
    return rf"\colorbox[HTML]{{{colour}}}{{\strut\kern.6em}}"
