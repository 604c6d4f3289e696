"""Hierarchies in every view: each row is the text cut once, nothing is lost or escapes, long texts fit."""

from __future__ import annotations

import csv
import io
import re
import shutil
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len

import exegesis
from exegesis.core.errors import FileError, UsageError
from exegesis.core.text import text_of_words
from exegesis.results.result import save
from exegesis.show import MEDIA, render, written
from exegesis.show.documents.hierarchy import tree
from exegesis.show.wording import visible
from tests.support import nested_samples as made
from tests.support import samples
from tests.support.drawn import panels
from tests.support.pages import page
from tests.support.pictures import scene
from tests.support.strategies import some, trees

STARTS = {".html": b"<!DOCTYPE", ".svg": b"<?xml", ".png": b"\x89PNG", ".pdf": b"%PDF", ".txt": b"positive",
          ".csv": b"example,model", ".tex": b"% Expl"}  # fmt: skip

few = settings(some, max_examples=12)


@pytest.mark.parametrize("sample", made.EVERY)
@pytest.mark.parametrize("room", [9, 30, 1000])
def test_every_row_of_a_line_is_the_line_cut_once(sample, room):
    drawn = tree(sample())
    seen = set()
    for line in drawn.layout.lines([float(len(atom.text)) for atom in drawn.layout.atoms], 1.0, room):
        count, here = drawn.stacked(line)
        for row in range(count):
            cells = sorted(node.cell[:2] for node, low, high in here if low <= row <= high)
            inside = [i for start, stop in cells for i in range(max(start, line.start), min(stop, line.stop))]
            assert inside == list(line)
            assert any(low == row for _, low, _ in here)
        seen |= {node.cell[:2] for node, _, _ in here}
    assert seen == {node.cell[:2] for node in drawn.nodes}
    assert len(drawn.nodes) == len(sample().parts)


def test_a_phrase_stands_until_it_is_taken_in():
    drawn = tree(made.fight())
    rows = {drawn.layout.surface(node.cell.start, node.cell.stop): (node.low, node.high) for node in drawn.nodes}
    assert rows["fun"] == (0, 0)
    assert rows["The"] == (0, 0)
    assert rows["The fight scenes"] == (1, 3)
    assert rows["are"] == (0, 3)
    assert rows["it"] == (0, 1)
    assert rows["grows tedious"] == (1, 1)
    assert rows["it grows tedious"] == (2, 2)
    assert rows[samples.FIGHT] == (4, 4)


@pytest.mark.parametrize(
    ("ending", "sample"),
    [(e, sample) for e in STARTS for sample in (made.EVERY if e in (".txt", ".csv", ".html") else made.EVERY[::3])],
)
def test_every_view_draws_every_hierarchy_alike_each_time(ending, sample, tmp_path):
    one, two = sample(), sample()
    path = one.save(tmp_path / f"a{ending}")
    assert path.read_bytes().startswith(STARTS[ending])
    assert written([one], ending) == written([two], ending)
    assert one.to_dict() == two.to_dict()


@few
@given(trees(), st.booleans(), st.integers(24, 90))
def test_nothing_acts_on_a_terminal(made_by, color, width):
    one = made_by()
    text = render(one, color=color, width=width, dark=True)
    plain = re.sub(r"\x1b\[[\d;]*m", "", text)
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", plain)
    for word in one.text.word_strings():
        assert all(part in "".join(plain.split()) for part in visible(word)[:4].split())


@pytest.mark.parametrize("width", [40, 80])
@pytest.mark.parametrize("color", [True, False])
def test_lines_fit_the_terminal(width, color):
    for sample in made.EVERY:
        text = re.sub(r"\x1b\[[\d;]*m", "", render(sample(), color=color, width=width, numbers=True))
        assert all(cell_len(line) <= width for line in text.split("\n") if "against -" not in line)


def test_the_terminal_without_colour():
    text = render(made.fight(), color=False, width=80)
    rows = [line for line in text.split("\n") if "┌" in line]
    assert len(rows) == 4
    assert rows[0].startswith("┌")
    assert rows[0].rstrip().endswith("┐")
    for phrase in made.fight():
        if phrase.height:
            assert f"{phrase.score:+.2f}" in rows[4 - phrase.height]
    words = text.split("\n")[text.split("\n").index(rows[-1]) + 1]
    assert words.split() == samples.FIGHT.split()


def test_a_bracket_is_open_where_it_goes_on():
    text = render(made.fight(), color=False, width=40)
    tops = [line for line in text.split("\n") if re.match(r"[┌─]─", line)]
    assert tops[0][0] == "┌"
    assert not tops[0].rstrip().endswith("┐")
    assert any(line.startswith("─") and line.rstrip().endswith("┐") for line in tops)


def test_the_table_of_a_terminal_names_interactions():
    text = render(made.closed(), color=False, width=90, numbers=True)
    assert re.search(r"not good +\+1\.00 +│", text)  # no interaction before it
    text = render(made.fight(), color=False, width=90, numbers=True)
    whole = made.fight().root
    assert re.search(rf"\n{samples.FIGHT} +\{whole.interaction:+.2f} +\{whole.score:+.2f} ", text)
    assert "\n    grows tedious" not in text
    assert "\n      grows tedious" in text  # in "it grows tedious", in "fun but it ...", in the whole


def test_the_sentences_under_a_hierarchy():
    owen = " ".join(panels(made.closed())[0].lines)
    assert "add up to 1.00; with the empty text 1.00 they make the logit of positive, 2.00." in owen
    assert "interaction" not in owen
    acd = " ".join(panels(made.fight())[0].lines)
    assert "joined from below" in acd
    strongest = max((p for p in made.fight() if p.height), key=lambda p: abs(p.interaction))
    assert f"of “{strongest.text}”" in acd
    assert "need not add up" in acd
    assert not [line for line in panels(made.single())[0].lines if "joined" in line]


def test_a_table_of_every_phrase():
    one = made.fight()
    rows = list(csv.DictReader(io.StringIO(written([one, made.closed()], ".csv"))))
    assert len(rows) == len(one) + 3
    assert [row["text"] for row in rows[: len(one)]] == [phrase.text for phrase in one]
    assert [float(row["score"]) for row in rows[: len(one)]] == [phrase.score for phrase in one]
    assert rows[0]["interaction"] == repr(one.root.interaction)
    assert {row["interaction"] for row in rows[len(one) :]} == {""}
    assert int(rows[0]["stop"]) == len(samples.FIGHT)


def test_long_and_deep_texts_are_drawn():
    count = 300
    one = made.tree(" ".join(f"w{i}" for i in range(count)), [(0, stop) for stop in range(2, count)])
    text = render(one, color=False, width=80)
    assert text.count("\n") < 60 * 41
    assert "too deep for all of its rows" in text
    assert "too deep" not in render(made.fight(), color=False, width=80)


def test_kinds_are_not_mixed_and_endings_are_named(tmp_path):
    with pytest.raises(UsageError, match="save each kind apart"):
        save([made.fight(), samples.hierarchy()], tmp_path / "a.html")
    save([made.fight(), samples.hierarchy()], tmp_path / "a.jsonl")
    assert [type(one).__name__ for one in exegesis.read(tmp_path / "a.jsonl")] == ["Hierarchy", "Attribution"]
    with pytest.raises(FileError, match=r"no way to save as '\.xyz'; known endings: \.json, \.jsonl, \.csv, \.html"):
        made.fight().save(tmp_path / "a.xyz")
    with pytest.raises(UsageError, match="has no option 'scale'"):
        made.fight().save(tmp_path / "a.svg", scale="each")


def test_a_saved_hierarchy_is_read_and_drawn_without_torch(tmp_path):
    made.fight().save(tmp_path / "h.json")
    script = (
        "import exegesis, sys\n"
        f"h = exegesis.read({str(tmp_path / 'h.json')!r})\n"
        f"[h.save({str(tmp_path / 'h')!r} + e) for e in {[e for e in MEDIA if e[0] == '.']!r}]\n"
        "print(h._repr_html_()[:4], 'torch' in sys.modules, repr(h)[:10])"
    )
    said = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    assert said.strip() == "<div False <Hierarchy"
    assert np.isfinite([part.score for part in made.fight().parts]).all()


def test_numbers_under_short_words_do_not_touch():
    text = text_of_words("Not bad.", [("Not", 0, 3), ("bad", 4, 7), (".", 7, 8)], range(3))
    one = made.tree(text, [(0, 2)], scores=[-1.25] * 5)
    lines = render(one, color=False, width=80).split("\n")
    assert "-1.25 -1.25 -1.25" in lines
    crowded = made.tree("a.b", scores=[-1.25])
    assert "-1.25-1.25" not in render(crowded, color=False, width=80)


def test_a_tree_goes_into_latex(tmp_path):
    source = made.fight().save(tmp_path / "a.tex").read_text()
    for tex in (source, written(made.long(), ".tex")):
        assert len(re.findall(r"(?<!\\)\{", tex)) == len(re.findall(r"(?<!\\)\}", tex))
    lines = [line for line in source.split("\n") if line.startswith(r"\hspace*{")]
    assert len(lines) == len(made.fight())
    words = re.findall(r"\\,(?=\S)([^\\]*)\\,", source)
    assert [word for word in words if word in samples.FIGHT.split()] == samples.FIGHT.split()
    for phrase, line in zip(made.fight(), lines, strict=True):
        assert f"{phrase.score:+.2f}".replace("-", r"\ensuremath{-}") in line


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="needs LaTeX")
def test_trees_in_latex_compile(tmp_path):
    hostile = made.tree("a_b 5% $x #1 {y} \\z ~ ^ & < > | \" ' ` - [ ] ? !", [(0, 2), (3, 9)])
    for number, one in enumerate((hostile, made.fight())):
        one.save(tmp_path / f"{number}.tex")
    document = (
        r"\documentclass{article}\usepackage[T1]{fontenc}\usepackage{xcolor}\begin{document}"
        r"\input{0.tex}\input{1.tex}\end{document}"
    )
    (tmp_path / "d.tex").write_text(document)
    call = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "d.tex"]
    done = subprocess.run(call, cwd=tmp_path, capture_output=True, timeout=120)
    assert done.returncode == 0, done.stdout[-600:]


def test_every_view_of_hedge_says_that_scores_are_leads():
    """The number in the header is another than the whole text's score; without a rival they are one."""
    one = made.tree("not bad", scores=[-0.5, 0.75, 3.25], name="hedge")
    figure = " ".join(word.text for word in scene(one).words)
    for text in (render(one, color=False), page(one), figure, written(one, ".txt")):
        flat = " ".join(re.sub(r"<[^>]+>", " ", text).split())
        assert "logit of positive 2.00; its lead over other labels 3.25" in flat
        assert "of the strongest other label; of the whole text it is 3.25." in flat
    for other in (made.tree("not bad", scores=[-0.5, 0.75, 2.0], name="hedge"), made.tree("not bad", name="acd")):
        assert not any("lead" in line for line in [*panels(other)[0].lines, *panels(other)[0].facts.values()])


def test_marks_are_explained_where_they_stand():
    heavy, light = made.tree("not bad", scores=[-0.5, 0.75, 1.0]), made.tree("not bad", scores=[-0.5, 0.001, 1.0])
    assert "bare word" not in render(heavy, color=False)
    assert "bare word" in render(light, color=False)
    assert "bare word" not in render(samples.result("a b", [1.0, -2.0]), color=False)
    assert "bare word" in render(samples.result("a b", [1.0, 0.001]), color=False)
