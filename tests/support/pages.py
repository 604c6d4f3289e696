"""Results as HTML, and HTML read strictly."""

from __future__ import annotations

from collections.abc import Sequence
from html.parser import HTMLParser
from typing import Any

from exegesis.results.result import Result
from exegesis.show import written

Results = Result | Sequence[Result]
VOID = {"meta", "input", "br", "img", "link"}
KNOWN = {"html", "head", "meta", "title", "style", "body", "main", "h1", "h2", "h3", "div", "section", "span", "i", "b",
         "p", "table", "tbody", "thead", "tr", "th", "td", "bdi", "br", "details", "summary", "label", "input", "svg",
         "g", "rect", "polyline", "text"}  # fmt: skip


def page(results: Results, **options: Any) -> str:
    """A whole page."""
    return written(results, ".html", **options)


def fragment(results: Results, **options: Any) -> str:
    """What a notebook shows."""
    return written(results, "notebook", **options)


class Page(HTMLParser):
    """Elements with their attributes and text; refuses anything that is not closed in order."""

    def __init__(self, source: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[dict] = []
        self.all: list[dict] = []
        self.feed(source)
        self.close()
        assert not self.open

    def handle_starttag(self, tag, attrs):
        assert tag in KNOWN, tag
        assert not [name for name, _ in attrs if name.startswith("on") or name in ("src", "href", "id")], attrs
        element = {"tag": tag, "text": "", **dict(attrs)}
        self.all.append(element)
        if tag not in VOID:
            self.open.append(element)

    def handle_endtag(self, tag):
        assert self.open.pop()["tag"] == tag

    def handle_data(self, data):
        for element in self.open:
            element["text"] += data

    def of(self, **wanted):
        return [e for e in self.all if all(value in (e.get(name) or "").split() for name, value in wanted.items())]
