"""Checksums of a folder's files, kept in its card: a section of Markdown that tells a changed byte."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from pathlib import Path

from exegesis.core.errors import FileError

HEAD = "## Checksums"
_LINE = re.compile(r"^- `([^`\n]+)`: SHA-256 `([0-9a-f]{64})`$", re.M)


def with_checksums(card: str, sums: Mapping[str, str]) -> str:
    """A card that ends in a section with the checksum of each file, in place of an earlier one."""
    lines = "\n".join(f"- `{name}`: SHA-256 `{value}`" for name, value in sums.items())
    told = "Compared when the folder is loaded. After a change by hand, take out the line of that file."
    return f"{_without(card).rstrip()}\n\n{HEAD}\n\n{told}\n\n{lines}\n"


def checksum(content: bytes | Path) -> str:
    """The SHA-256 of bytes or of a file, in hex."""
    if isinstance(content, bytes):
        return hashlib.sha256(content).hexdigest()
    with content.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def checksums(card: Path) -> dict[str, str]:
    """The checksums in a card; none if there is no card, or none in it."""
    try:
        text = card.read_text("utf-8", "replace")
    except OSError:
        return {}
    return dict(_LINE.findall(text[text.rfind(HEAD) :] if HEAD in text else ""))


def check_checksums(card: Path) -> None:
    """Raise FileError for a file beside a card that is not the one of its checksum."""
    for name, value in checksums(card).items():
        path = card.with_name(Path(name).name)
        if path.is_file() and checksum(path) != value:
            raise FileError(
                f"{path} has changed since it was saved (its checksum in {card.name} is another): copy the folder "
                "again, or take out that line if you changed it yourself"
            )


def _without(card: str) -> str:
    return re.sub(rf"\n*^{HEAD}$.*\Z", "", card, flags=re.M | re.S)
