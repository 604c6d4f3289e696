"""Every ending has its view, and none is loaded before it is used."""

from __future__ import annotations

import pkgutil
import subprocess
import sys

import numpy as np
import pytest

import exegesis
from exegesis import show
from exegesis.results.behaviour.study import Asked, WordClass, WordClasses
from exegesis.results.result import Results, save
from exegesis.show import MEDIA, comparison, register, render, written
from exegesis.statistics.bootstrap import spread
from tests.support import samples

STARTS = {".html": b"<!DOCTYPE", ".svg": b"<?xml", ".png": b"\x89PNG", ".pdf": b"%PDF", ".tex": b"% Expl",
          ".txt": b"negative", ".csv": b"example,model"}  # fmt: skip
EVERY = [samples.hierarchy, samples.methods, samples.models, samples.pair, samples.targets]


@pytest.fixture(autouse=True)
def registered():
    register()


@pytest.mark.parametrize("ending", STARTS)
def test_a_result_saves_itself_by_ending(ending, tmp_path):
    path = samples.hierarchy().save(tmp_path / f"a{ending}")
    assert path.read_bytes().startswith(STARTS[ending])


@pytest.mark.parametrize("ending", STARTS)
@pytest.mark.parametrize("made", EVERY)
def test_every_view_draws_every_kind_of_result(ending, made, tmp_path):
    results = made()
    save(results if isinstance(results, list) else [results], tmp_path / f"a{ending}")
    assert (tmp_path / f"a{ending}").stat().st_size > 100


def test_a_notebook_gets_a_fragment():
    assert samples.hierarchy()._repr_html_().startswith('<div class="exegesis-')


@pytest.mark.parametrize("ending", STARTS)
def test_views_do_not_change_results(ending):
    one, two = samples.hierarchy(), samples.hierarchy()
    first = written(one, ending)
    assert one.to_dict() == two.to_dict()
    assert written([one], ending) == first


def test_every_ending_is_tried():
    assert set(STARTS) == {medium for medium in MEDIA if medium.startswith(".")}


def test_two_blank_lines_part_two_studies(tmp_path):
    asked = Asked("m", "REAT()", "reat", "logit:positive", 1, 2, True)
    found = spread(np.array([0.5, -1.0]), np.array([0, 0]))
    study = WordClasses(asked, "merged", "t", (WordClass("NN", found, ("plot",)),))
    one = study.save(tmp_path / "one.txt").read_text("utf-8")
    assert save([study, study], tmp_path / "two.txt").read_text("utf-8") == f"{one}\n\n{one}"


def loaded_after(statement: str) -> set[str]:
    script = f"import sys; {statement}; print(*sys.modules)"
    names = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout.split()
    return {name.split(".")[0] for name in names}


def test_registering_loads_no_view():
    loaded = loaded_after("import exegesis.show; exegesis.show.register()")
    assert not loaded & {"torch", "rich", "jinja2", "matplotlib", "spacy", "pandas"}


def test_drawing_loads_no_torch():
    modules = [module.name for module in pkgutil.walk_packages(show.__path__, "exegesis.show.")]
    loaded = loaded_after(f"import {', '.join(modules)}")
    assert "matplotlib" in loaded
    assert not loaded & {"torch", "spacy", "pandas", "transformers"}


def test_lists_catalogues_and_comparisons_show_themselves(capsys: pytest.CaptureFixture[str]) -> None:
    methods = samples.methods()
    several = Results(methods[:3])
    page = several._repr_html_()
    assert page is not None
    assert all(result.name in page for result in several)
    assert isinstance(several[:2], Results)
    assert several[0] is methods[0]
    assert Results()._repr_html_() is None
    assert "4 more are not shown here" in str(Results(methods[:1] * 24)._repr_html_())
    several.show(numbers=True, color=False)
    assert capsys.readouterr().out == render(methods[:3], numbers=True, color=False)
    compared = methods[5].compare(methods[3])
    assert f"{methods[5].name} and {methods[3].name}" in str(compared._repr_html_())
    compared.show(color=False)
    assert capsys.readouterr().out == comparison(compared, color=False)


def test_a_catalogue_lists_cards_and_a_single_one_its_parameters(capsys: pytest.CaptureFixture[str]) -> None:
    cards = exegesis.methods()
    assert cards == tuple(cards)
    assert all(f"<bdi>{card.name}</bdi>" in str(cards._repr_html_()) for card in cards)
    assert "plausibility-iou" in str(exegesis.measures()._repr_html_())
    type(cards)(card for card in cards if card.name == "lime").show(width=40)
    out = capsys.readouterr().out
    assert "samples   1000 (a whole number of at" in out
    assert "how       drop (drop, zero, pad, unknown" in out
    assert "``" not in out
    cards.show(width=40)
    out = capsys.readouterr().out
    assert "contextual-decomposition\n" in out  # a name is never cut
    assert "an LSTM or GRU" in " ".join(out.split())
