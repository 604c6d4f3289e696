"""The order in which the words of a line stand from left to right, where some are written from right to left.

Words move as wholes, by the runs of one direction that they form; a word without letters goes with the line. A
browser does this itself; a figure needs it. Imports no torch.
"""

from __future__ import annotations

import unicodedata

from exegesis.show.documents.attribution import Panel


def order(panel: Panel, line: range) -> list[int]:
    """Atoms of a line from left to right."""
    if not panel.rtl and all(panel.atoms[i].text.isascii() for i in line):
        return list(line)
    runs: list[tuple[bool, list[int]]] = []
    for i in line:
        rtl = direction(panel.atoms[i].text, panel.rtl)
        if runs and runs[-1][0] == rtl:
            runs[-1][1].append(i)
        else:
            runs.append((rtl, [i]))
    placed = [list(reversed(run)) if rtl else run for rtl, run in runs]
    return [i for run in (reversed(placed) if panel.rtl else placed) for i in run]


def direction(text: str, otherwise: bool = False) -> bool:
    """Whether a word is written from right to left, by its first letter that has a direction."""
    for character in text:
        kind = unicodedata.bidirectional(character)
        if kind in ("L", "R", "AL"):
            return kind != "L"
    return otherwise


def shaped(text: str, library_does: bool) -> str:
    """A word as a library wants it that draws characters from left to right, unless it orders them itself."""
    if library_does or not direction(text):
        return text
    clusters: list[str] = []
    for character in text:
        if clusters and unicodedata.combining(character):
            clusters[-1] += character
        else:
            clusters.append(character)
    return "".join(reversed(clusters))
