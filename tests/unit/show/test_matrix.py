"""Interactions and relevance in every view: every cell stands where its words say, nothing escapes."""

from __future__ import annotations

import csv
import io
import re
import subprocess
import sys

import numpy as np
import pytest
from rich.cells import cell_len

import exegesis
from exegesis.core.errors import UsageError
from exegesis.results.result import save
from exegesis.show import render, written
from exegesis.show.documents.networks import relevance as inside
from tests.support import matrix_samples as made
from tests.support import samples
from tests.support.drawn import panels
from tests.support.pictures import scene

STARTS = {".html": b"<!DOCTYPE", ".svg": b"<?xml", ".png": b"\x89PNG", ".pdf": b"%PDF", ".txt": b"positive",
          ".csv": b"example,model", ".tex": b"% "}  # fmt: skip


PICTURES = (".pdf", ".png")  # of the figure that is written as SVG too


@pytest.mark.parametrize(
    ("ending", "sample"),
    [
        (ending, sample)
        for ending in STARTS
        for sample in (*made.PAIRS, *made.PLACES)
        if ending not in PICTURES or sample in (made.pairs, made.deep)
    ],
)
def test_every_view_draws_every_result_alike_each_time(ending, sample, tmp_path):
    """Pictures of a small result and of a large one, everything else of all."""
    one, two = sample(), sample()
    path = one.save(tmp_path / f"a{ending}")
    assert path.read_bytes().startswith(STARTS[ending])
    again = written([two], ending)
    assert path.read_bytes() == (again if isinstance(again, bytes) else again.encode())
    assert one == two


@pytest.mark.parametrize("most", [2, 5, 9])
def test_the_words_of_the_strongest_pairs_are_kept(most):
    result = made.pairs()
    drawn, said = panels(result)[0].passage.shortened(most)
    kept = [result.words.index(word) for word in drawn.down]
    assert len(kept) <= most
    assert kept == sorted(kept)
    best = max(result.pairs(), key=lambda pair: abs(pair.strength))
    assert set(best.words) <= set(kept)
    for i, first in enumerate(kept):
        for j, second in enumerate(kept):
            assert drawn.share(i, j) == result.values[first, second] / np.abs(result.values).max()
    assert ("are drawn, of 9" in said) == (len(kept) < 9)


@pytest.mark.parametrize("color", [True, False])
@pytest.mark.parametrize("width", [44, 80])
@pytest.mark.parametrize("sample", made.PAIRS)
def test_lines_fit_the_terminal(sample, width, color):
    text = re.sub(r"\x1b\[[\d;]*m", "", render(sample(), color=color, width=width, numbers=True, dark=True))
    assert max(map(cell_len, text.split("\n"))) <= width


def test_the_terminal_writes_every_interaction_that_weighs():
    result = made.pairs()
    rows = render(result, color=False, width=120).split("\n")
    limit = np.abs(result.values).max()
    for i, word in enumerate(result.words):
        (row,) = (line.split() for line in rows if line.split()[-1:] == [word] and len(line.split()) == i + 1)
        expected = [f"{v:+.2f}" if abs(v) >= 0.05 * limit else "." for v in result.values[i, :i]]
        assert row[:-1] == expected
    coloured = re.sub(r"\x1b\[[\d;]*m", "", render(result, color=True, width=120, dark=True)).split("\n")
    row = next(line for line in coloured if line.rstrip().endswith("it") and "~" not in line)
    assert [cell.strip() for cell in re.findall("...", row[:18])] == ["-", "+", "-", "", "", "-"]


def test_tables_have_every_pair():
    rows = list(csv.DictReader(io.StringIO(written([made.long(), made.estimated()], ".csv"))))
    assert len(rows) == 135 * 134 // 2 + 6
    result = made.estimated()
    for row, pair in zip(rows[-6:], result.pairs(), strict=True):
        assert (row["first"], row["second"], float(row["interaction"])) == pair[:3]
        assert result.text.raw[int(row["second_start"]) : int(row["second_stop"])] == pair.second
        assert row["standard_error"] == "0.0002"
    assert rows[0]["standard_error"] == ""


def test_hostile_words_are_text():
    raw = "\n".join(part.replace(" ", "") for part in samples.HOSTILE)
    result = made.pairs(raw)
    for color in (True, False):
        plain = re.sub(r"\x1b\[[\d;]*m", "", render(result, color=color, width=90, dark=True, numbers=True))
        assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f‪-‮⁦-⁩]", plain)
    assert "<script>alert(1)" not in written(made.relevance(raw), ".html")


def test_what_adds_up_has_no_interactions():
    one = made.pairs("a fine film", scale=0.0)
    assert "No two words interact" in render(one, color=False)
    assert scene(one).boxes


# relevance ----------------------------------------------------------------------------------------------


def test_places_are_rows_on_one_scale():
    result = made.relevance()
    (panel,) = panels(result)
    assert [block.label for block in panel.passage.blocks] == list(result.at_words())
    limit = max(np.abs(scores).max() for scores in result.at_words().values())
    for block, scores in zip(panel.passage.blocks, result.at_words().values(), strict=True):
        assert [cell.score for cell in block.rows[0].cells] == scores.tolist()
        assert block.limit == limit
    lines = panel.notes
    total = f"sum {result.dimensions.sum():.3f}".replace("-", "−")
    assert lines[0] == ("word vectors", f"logit of positive 0.0730 = {total} + output bias 0.250")
    assert ("layer 1 forward", "its words' scores add up to −1.08") in lines
    assert any("conv1d 1 (6 x 10), in all" in text for _, text in lines)


def test_only_settings_that_were_changed_are_named():
    from exegesis.questions.attributions.lrp import Lrp

    assert repr(Lrp()) == inside.USUAL
    for method, said in ((Lrp(), "propagation."), (Lrp(epsilon=0.1, product="half"), "propagation with epsilon 0.1, "
                         "product 'half'.")):  # fmt: skip
        drawn = render(made.relevance().replace(method=repr(method)), color=False, width=80)
        assert f"\nLayer-wise relevance {said}\n" in drawn  # at the left edge, not under the sums
        assert "Lrp(" not in drawn


def test_pieces_outside_words_are_in_the_account():
    (panel,) = panels(made.of_pair())
    assert "+ special tokens" in panel.lines[0]


def test_tables_have_every_component():
    result = made.relevance()
    rows = list(csv.DictReader(io.StringIO(written(result, ".csv"))))
    assert len(rows) == result.dimensions.size + sum(state.size for state in result.states.values())
    assert rows[5] == {
        "example": "0", "model": "lstm-sst2", "target": "logit:positive", "place": "word vectors", "index": "1 1",
        "text": "fight", "start": "4", "stop": "9", "relevance": repr(float(result.dimensions[1, 1])),
    }  # fmt: skip
    assert (rows[-1]["place"], rows[-1]["index"], rows[-1]["text"]) == ("conv1d 1", "5 9", "")


def test_remarks_of_a_file_are_not_a_views_own():
    result = samples.result("a b", [1, 2], details={"remarks": ["bought"]})
    (panel,) = panels(result)
    assert not any("bought" in text for text in panel.lines)


# both ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("sample", [made.pairs, made.relevance])
def test_kinds_have_views_of_their_own(sample, tmp_path):
    one = sample()
    assert one._repr_html_().startswith('<div class="exegesis-')
    assert render(one, color=False).startswith("positive 90.0 %")
    with pytest.raises(UsageError, match="files of their own"):
        save([one, samples.hierarchy()], tmp_path / "a.html")
    save([one, samples.hierarchy()], tmp_path / "a.jsonl")
    assert exegesis.read(tmp_path / "a.jsonl") == [one, samples.hierarchy()]


def test_reading_and_drawing_loads_no_torch(tmp_path):
    code = (
        "import sys, exegesis\n"
        "for name in sys.argv[1:]:\n"
        "    one = exegesis.read(name); one.save(name + '.png'); one._repr_html_(); one.save(name + '.txt')\n"
        "sys.exit('torch' in sys.modules)"
    )
    files = [str(sample().save(tmp_path / f"{n}.json")) for n, sample in enumerate((made.pairs, made.relevance))]
    subprocess.run([sys.executable, "-c", code, *files], check=True)


@pytest.mark.parametrize("sign", [0, 1, -1])
def test_the_strongest_pairs_come_first(sign):
    result = made.pairs()
    kept = [pair for pair in result.pairs() if sign == 0 or pair.strength * sign > 0]
    assert result.top(99, sign=sign) == tuple(sorted(kept, key=lambda pair: -abs(pair.strength)))
    assert result.top(3, sign=sign) == result.top(99, sign=sign)[:3]
