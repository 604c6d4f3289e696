"""Names and labels as plain lines and as Markdown: no character of theirs acts on a screen, a log or a page."""

from __future__ import annotations

import re

_MARKDOWN = re.compile(r"([\\`*_\[\]|~#])")


def escaped(value: object) -> str:
    """A value as text of one line: every character that does not print becomes an escape such as ``\\x1b``."""
    text = str(value)
    if text.isprintable():
        return text
    return "".join(character if character.isprintable() else f"\\x{ord(character):02x}" for character in text)


def markdown(value: object) -> str:
    """A value as text in Markdown, none of whose characters is read as markup or as HTML."""
    text = escaped(value).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return _MARKDOWN.sub(r"\\\1", text)


def code(value: object) -> str:
    """A value as code in Markdown, between more backticks than it holds."""
    text = escaped(value)
    fence = "`" * (1 + max(map(len, re.findall("`+", text)), default=0))
    pad = " " if "`" in text else ""
    return f"{fence}{pad}{text}{pad}{fence}"
