"""Hierarchies as HTML: a fragment for notebooks and a page that needs nothing else. Imports no torch.

As in ``html``: everything is escaped, there is no script, switches are check boxes, colours follow the reader's system.
A line of text is a grid whose columns are its atoms, so a box is as wide as its words in whatever font; a narrow window
scrolls.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rich.cells import cell_len

from exegesis.results.hierarchy import Hierarchy
from exegesis.results.result import each
from exegesis.show.before.figure.lines import fill
from exegesis.show.before.html.page import TABLE, framed, heading, paint_class, short, whole_page
from exegesis.show.documents.header import scales
from exegesis.show.documents.hierarchy import Nested, Node, facts, nested, nesting, notes
from exegesis.show.palette import Palette
from exegesis.show.wording import MINUS

COLUMNS = 96  # of a line of text
DEEPEST = 48  # rows of a line whose scores can be read


def fragment(results: Hierarchy | Sequence[Hierarchy], *, palette: str | Palette = "green-red") -> str:
    """Hierarchies as one ``<div>`` with its own style, for a notebook or another page."""
    return framed("nested.html.j2", palette, "nested.css.j2", trees=[_tree(tree) for tree in nested(results)])


def page(results: Hierarchy | Sequence[Hierarchy], *, title: str = "", **options: Any) -> str:
    """Hierarchies as a whole page that loads nothing from elsewhere; ``title`` and options as of ``html.page``."""
    return whole_page(heading(each(results), title, "{results} hierarchies"), fragment(results, **options))


def _tree(tree: Nested) -> dict[str, Any]:
    atoms = tree.panel.atoms
    nodes = nesting(tree)
    kept = sorted(sorted(range(len(nodes)), key=lambda at: -abs(nodes[at][1].cell.score))[:TABLE])
    return {
        "title": short(" ".join(atom.text for atom in atoms[:40])),
        "facts": list(facts(tree, MINUS).items()),
        "lines": [_line(tree, line) for line in fill(tree.panel, [cell_len(a.text) + 1 for a in atoms], 0, COLUMNS)],
        "rtl": tree.panel.rtl,
        "scale": scales(tree.panel, MINUS),
        "sentences": notes(tree, MINUS),
        "table": [
            (depth, tree.panel.surface(node.cell), tree.score(node, MINUS), tree.joint(node, MINUS))
            for depth, node in (nodes[at] for at in kept)
        ],
        "rest": max(0, len(nodes) - TABLE),
    }


def _line(tree: Nested, line: range) -> dict[str, Any]:
    count, here = tree.stacked(line)
    boxes = [_box(tree, line, count, *one) for one in here]
    owned = {i for node, low, _ in here if low == 0 for i in range(node.cell.start, node.cell.stop)}
    boxes += [_bare(tree, line, count, i) for i in line if i not in owned]
    tag = f"text {tree.panel.atoms[line.start].part + 1}" if tree.panel.parts > 1 else ""
    tall = min(1.5, max(1.2 if count <= DEEPEST else 0.0, 22 / count))
    return {
        "tag": tag,
        "columns": len(line),
        "rows": f"repeat({count - 1}, minmax({tall:.2f}em, auto)) auto" if count > 1 else "auto",
        "deep": count > DEEPEST,
        "boxes": sorted(boxes, key=lambda box: (box["bottom"], box["left"])),  # the words last, in reading order
    }


def _box(tree: Nested, line: range, count: int, node: Node, low: int, high: int) -> dict[str, Any]:
    """A phrase's place in the grid of its line (rows and columns count from 1, the whole text's row first)."""
    start, stop = max(node.cell.start, line.start), min(node.cell.stop, line.stop)
    began, goes = node.cell.start < line.start, node.cell.stop > line.stop
    score, joint = tree.score(node, MINUS), tree.joint(node, MINUS)
    atoms = tree.panel.atoms[start:stop]
    words = "".join((" " if atom.space and i else "") + atom.text for i, atom in enumerate(atoms))
    return {
        "paint": paint_class(node.cell.share, tree.block.signed),
        "word": node.low == 0,
        "text": words if node.low == 0 else f"… {score}" if began else score,
        "score": "" if began else score,
        "tip": f"{score} · interaction {joint}" if joint else score,
        "spoken": tree.spoken(node, MINUS),
        "began": began,
        "goes": goes,
        "top": count - high,
        "bottom": count - low + 1,
        "left": start - line.start + 1,
        "right": stop - line.start + 1,
    }


def _bare(tree: Nested, line: range, count: int, i: int) -> dict[str, Any]:
    """An atom that is no word of the model's."""
    at, text = i - line.start + 1, tree.panel.atoms[i].text
    none = {"paint": "", "score": "", "tip": "", "spoken": text, "began": False, "goes": False}
    return {**none, "word": True, "text": text, "top": count, "bottom": count + 1, "left": at, "right": at + 1}
