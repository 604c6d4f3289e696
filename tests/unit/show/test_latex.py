"""The LaTeX view: every character that TeX knows is escaped."""

from __future__ import annotations

import re
import shutil
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exegesis.show import written
from exegesis.show.latex import escaped
from tests.support import samples
from tests.support.strategies import results, some

BACK = {r"\textbackslash{}": "\\", r"\textasciicircum{}": "^", r"\textasciitilde{}": "~", r"\textless{}": "<",
        r"\textgreater{}": ">", r"\textbar{}": "|", r"\textquotedbl{}": '"', r"\textquotesingle{}": "'",
        r"\textasciigrave{}": "`",
        r"\ensuremath{-}": "−", r"\ensuremath{\infty}": "∞", r"\textperiodcentered{}": "·"}  # fmt: skip


def latex(results) -> str:
    return written(results, ".tex")


def unescaped(source: str) -> str:
    """What TeX prints; fails on a special character that nothing escapes."""
    out, at = "", 0
    token = re.compile(
        r"\\text[a-z]+\{\}|\\ensuremath\{-\}|\\ensuremath\{\\infty\}|\\[{}$&#_%]|\{[-\[\]?!,]\}|[^\\{}$&#_%^~]"
    )
    while at < len(source):
        match = token.match(source, at)
        assert match, source[at:]
        part, at = match.group(), match.end()
        out += BACK.get(part) or (part[1] if len(part) > 1 else part)
    return out


@given(st.text("\\{}$&#_%^~<>|\"'`-[]?!, abc" + "ü日"))
def test_escaping_reads_back(text):
    assert unescaped(escaped(text)) == text


@some
@given(results())
def test_braces_match_and_no_text_is_a_command(made):
    source = re.sub(r"(?m)^%.*$", "", latex(made()))
    depth = 0
    for token in re.findall(r"\\.|[{}]", source, re.S):
        depth += {"{": 1, "}": -1}.get(token, 0)
        assert depth >= 0
    assert depth == 0
    assert not re.search(r"(?<!\\)[$&#_%^~]", source)
    known = (
        r"par|bigskip|smallskip|small|scriptsize|footnotesize|tiny|quad|hangindent|hangafter|makebox|ignorespaces|strut|"
        r"vspace|colorbox|underline|smash|allowbreak|textbf|textsubscript|kern|begingroup|endgroup|setlength|fboxsep|"
        r"parindent|sloppy|ensuremath|infty|text(backslash|ascii\w+|less|greater|bar|quotedbl|quotesingle|periodcentered)"
    )
    commands = set(re.findall(r"\\([A-Za-z]+)", source))
    assert not [c for c in commands if not re.fullmatch(known, c)]


def test_rows_and_colours():
    source = latex([samples.hierarchy(), *samples.models()])
    assert r"\usepackage{xcolor}" in source.splitlines()[0]
    assert source.count(r"\makebox[9em]") == 7
    assert re.search(r"\\colorbox\[HTML\]\{[0-9A-F]{6}\}\{\\strut \\,n\\textquotesingle\{\}t", source)
    assert r"\underline{\smash{\,laughs\,}}" in source
    assert "positive 51.6 \\%" in source
    assert "scores add up to 1.45" in source


@pytest.mark.skipif(not shutil.which("pdflatex"), reason="needs pdflatex")
def test_it_compiles(tmp_path):
    hostile = [
        r"\end{document}",
        r"$x^2$",
        r"50%",
        r"#1",
        r"a_b",
        r"{c}",
        r"~",
        r"<b>",
        r"|",
        r"\write18{rm}",
        r"``",
        r"--",
        r"?`",
        r"!`",
        r"[opt]",
        r"*",
        r"&",
        r"'q'",
        r"\"",
        r"+",
        r"=",
    ]
    every = [
        *samples.methods(),
        samples.hierarchy(),
        samples.pair(),
        samples.result(" ".join(hostile), range(-9, len(hostile) - 9)),
    ]
    document = (
        r"\documentclass{article}\usepackage[T1]{fontenc}\usepackage{xcolor}\begin{document}"
        + latex(every)
        + r"\end{document}"
    )
    (tmp_path / "a.tex").write_text(document, encoding="utf-8")
    run = subprocess.run(
        ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "a.tex"],
        cwd=tmp_path,
        capture_output=True,
        timeout=120,
    )
    assert run.returncode == 0, run.stdout[-2000:].decode(errors="replace")
    assert b"Overfull" not in run.stdout
