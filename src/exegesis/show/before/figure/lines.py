"""Atoms broken into lines, for the views that set their own text. Imports no torch."""

from __future__ import annotations

from collections.abc import Sequence

from exegesis.show.documents.attribution import Panel


def fill(panel: Panel, widths: Sequence[float], space: float, room: float) -> list[range]:
    """Runs of atoms that fit ``room``, broken at blanks, at parts, and inside a word only where it fills a line alone.

    ``widths`` gives each atom's own width and ``space`` that of a blank.
    """
    lines: list[range] = []
    start, used = 0, 0.0
    atoms, run = panel.atoms, _runs(panel, widths)
    for i, atom in enumerate(atoms):
        ahead = run[i] if atom.space else widths[i]
        gap = space if atom.space and i > start else 0.0
        new_part = i > 0 and atom.part != atoms[i - 1].part
        full = used + gap + min(ahead, room) > room if atom.space else used + widths[i] > room
        if i > start and (new_part or full):
            lines.append(range(start, i))
            start, used, gap = i, 0.0, 0.0
        used += gap + widths[i]
    if start < len(atoms):
        lines.append(range(start, len(atoms)))
    return lines


def _runs(panel: Panel, widths: Sequence[float]) -> list[float]:
    """For each atom, the width from it to the next blank."""
    ahead = [0.0] * len(widths)
    for i in reversed(range(len(widths))):
        follows = i + 1 < len(widths) and not panel.atoms[i + 1].space
        ahead[i] = widths[i] + (ahead[i + 1] if follows else 0.0)
    return ahead


def joint(panel: Panel, line: range, i: int) -> bool:
    """Whether a blank is drawn before atom ``i`` of a line."""
    return i > line.start and panel.atoms[i].space
