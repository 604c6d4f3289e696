"""Every block of code in the README and the docs runs, and every link leads somewhere."""

from __future__ import annotations

import codeop
import doctest
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

import exegesis
from exegesis.cli import run
from tests.support.doc_pages import ROOT, Block, blocks, commands, furnish, pages
from tests.support.registries import forgotten

SETUP = ("bash scripts/demo", "bash scripts/test")  # what the CI and a user run from nothing
LANGUAGES = {"python", "bash", "text"}


@pytest.mark.parametrize("page", pages(), ids=lambda page: page.name)
def test_blocks_run(page, tmp_path, monkeypatch, capfd):
    found = blocks(page)
    assert all(block.language in LANGUAGES for block in found), "a block says its language: python, bash or text"
    monkeypatch.chdir(tmp_path)
    if found:
        furnish(tmp_path)
    names = _names(page)
    with forgotten():
        for block in found:
            if block.language == "python":
                lines = "\n" * block.line  # so that a traceback names the page's line
                exec(compile(lines + block.code, str(page), "exec", dont_inherit=True), names)
            elif block.language == "bash":
                for command in commands(block.code):
                    _shell(command, monkeypatch)


@pytest.mark.parametrize("page", pages(), ids=lambda page: page.name)
def test_blocks_can_be_pasted_at_the_prompt(page):
    """Where a blank line ends a class or function, and what follows a block needs one before it."""
    for block in blocks(page):
        typed: list[str] = []
        for line in [*block.code.splitlines(), ""] if block.language == "python" else []:
            typed.append(line)
            if codeop.compile_command("\n".join(typed), str(page)) is not None:
                typed.clear()
        assert not any(typed)


def _names(page: Path) -> dict[str, object]:
    """What a page takes for granted: the user's own spaCy pipeline on docs/tagger.md."""
    if "nlp" not in page.read_text("utf-8"):
        return {"__name__": "page"}
    spacy = pytest.importorskip("spacy")
    nlp = spacy.blank("en")

    @spacy.language.Language.component("all_nouns", assigns=["token.tag"])
    def all_nouns(doc):
        for token in doc:
            token.tag_ = "NN"
        return doc

    nlp.add_pipe("all_nouns", name="tagger")
    return {"__name__": "page", "nlp": nlp}


def _shell(command: str, monkeypatch) -> None:
    if command.startswith(SETUP):
        assert (ROOT / shlex.split(command)[1]).is_file()
        return
    words = shlex.split(command, comments=True)
    if words[0] == "exegesis" and "|" not in words:
        monkeypatch.setattr(sys, "argv", words)
        assert run(words[1:]) == 0, command
        return
    assert "exegesis" in words, f"a shell block runs exegesis: {command}"
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", command], capture_output=True, text=True, timeout=60,
        env={**os.environ, "PATH": path},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


def test_extraction_sees_every_fence(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("one\n```python\na = 1\n```\n\n```bash\nexegesis x \\\n  y\n# no\nexegesis z\n```\n", "utf-8")
    assert blocks(page) == [Block("python", "a = 1\n", 2), Block("bash", "exegesis x \\\n  y\n# no\nexegesis z\n", 6)]
    assert commands(blocks(page)[1].code) == ["exegesis x    y", "exegesis z"]
    for real in pages():
        assert real.read_text("utf-8").count("```") == 2 * len(blocks(real))


def test_the_readme_uses_every_public_function():
    code = "".join(block.code for page in pages() for block in blocks(page) if block.language == "python")
    used = {name for name in exegesis.__all__ if f"exegesis.{name}(" in code}
    assert used >= {"load", "wrap", "blackbox", "explain", "methods", "read", "save"}


@pytest.mark.parametrize("page", [*pages(), ROOT / "CHANGELOG.md"], ids=lambda page: page.name)
def test_links_lead_somewhere(page):
    text = page.read_text("utf-8")
    found = re.findall(r"\]\(([^)#]+)|(?:src|srcset)=\"([^\"]+)\"", text)
    for target in (one or other for one, other in found):
        if not target.startswith("https://"):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"


def test_the_package_docstring_is_true():
    assert doctest.testmod(exegesis).attempted > 0
    assert doctest.testmod(exegesis).failed == 0
