"""The glossary defines each term once, and names files that exist."""

from __future__ import annotations

import re

import pytest

from tests.support.doc_pages import ROOT

pytestmark = pytest.mark.quick
PAGE = ROOT / "docs" / "glossary.md"


def test_every_term_is_defined_once_beside_its_file():
    rows = re.findall(r"^\| \*\*(.+?)\*\* \| (.+?) \| `(.+?)` \|$", PAGE.read_text("utf-8"), re.MULTILINE)
    terms = [term for term, _, _ in rows]
    assert len(terms) > 40
    assert len(set(terms)) == len(terms)
    for term, meaning, file in rows:
        assert (ROOT / "src" / "exegesis" / file).is_file(), f"{term}: there is no {file}"
        assert 1 <= len(re.findall(r"[.!?](?: |$)", meaning)) <= 3, f"{term}: one or two plain sentences"
