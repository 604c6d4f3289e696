"""The HTML views: everything escaped, nothing loaded from elsewhere, no clash between two of them."""

from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import given

from exegesis.show.wording import visible
from tests.support import samples
from tests.support.counted import calls
from tests.support.pages import Page, fragment, page
from tests.support.strategies import ink, results, some


@some
@given(results())
def test_every_text_is_shown_as_text(made):
    one = made()
    source = page(one)
    source.encode("utf-8")
    parsed = Page(source)
    rows = parsed.of(role="list")
    shown = rows[0]["text"] if rows else ""
    assert shown.replace(" ", "") == ink(one.text.raw)
    cells = [e for e in parsed.all if e.get("data-s")]
    assert len(cells) == len(one.spans)
    assert all(e["aria-label"].endswith(": " + e["data-s"]) for e in cells)
    assert re.sub(r"\s+", " ", visible(one.prediction.label)) in re.sub(
        r"\s+", " ", parsed.of(**{"class": "strong"})[0]["text"]
    )


@pytest.mark.parametrize(
    "text", ["<script>alert(1)</script>", '"onmouseover="alert(1)', "{{7*7}}", "</style>", "'><img>"]
)
def test_known_attacks_are_text(text):
    one = samples.result(f"{text} fun", [1.0, -2.0], label=text, model=text)
    for source in (fragment(one), page(one), page(one, title=text)):
        words = [e["text"] for e in Page(source).all if e["tag"] == "i"]
        assert words == [text, "fun"]
        assert source.count("<style>") == source.count("</style>")
    assert "alert(1)</script>" not in source


def test_a_page_asks_for_nothing_from_elsewhere():
    source = page([*samples.methods(), samples.hierarchy()])
    assert not re.search(r"https?:|//\w|url\(|@import|<script|<link", source)
    assert "Content-Security-Policy" in source
    assert source.startswith("<!DOCTYPE html>")
    assert "prefers-color-scheme" in source or "light-dark(" in source


def test_two_fragments_do_not_clash():
    source = fragment(samples.hierarchy()) + fragment(samples.models())
    assert "id=" not in source
    style = re.search(r"<style>(.*?)</style>", source, re.S).group(1)
    (root,) = {cls for e in Page(source).all for cls in (e.get("class") or "").split() if cls.startswith("exegesis-")}
    body = re.sub(r"@media[^{]*\{(.*)\}\s*$", r"\1", style, flags=re.M)
    selectors = [part for rule in re.findall(r"([^{}]+)\{[^{}]*\}", body) for part in rule.split(",")]
    assert len(selectors) > 100
    assert not [s for s in selectors if f".{root}" not in s]


def test_palettes_make_different_roots():
    first, second = (
        re.search(r"exegesis-\w+", fragment(samples.pair(), palette=p)).group() for p in ("green-red", "blue-orange")
    )
    assert first != second


def test_rows_methods_models_levels_and_parts():
    parsed = Page(page([*samples.methods(), *samples.models(), samples.hierarchy(), samples.pair()]))
    names = [e["text"] for e in parsed.of(**{"class": "name"})]
    assert names[:6] == [one.name for one in samples.methods()]
    assert names[6:9] == ["grupositive 51.6 %", "lstmpositive 96.2 %", "bigrunegative 62.7 %"]
    assert names[9:] == ["word", "phrase", "clause", "text", "word"]
    assert [e["text"] for e in parsed.of(**{"class": "tag"})] == ["text 1", "text 2"]
    boxes = parsed.of(**{"class": "boxes"})
    assert len(boxes) == 3
    assert all(re.sub(r"\s+", " ", box["text"]) == samples.MOVIE for box in boxes)


def test_a_screen_reader_hears_signed_scores():
    parsed = Page(fragment(samples.hierarchy()))
    heard = [e["aria-label"] for e in parsed.of(role="listitem") if e.get("aria-label")]
    assert "does n't serve up: +1.54" in heard
    assert "laughs: −0.84" in heard
    assert {e["aria-label"] for e in parsed.of(role="list")} == {"word", "phrase", "clause", "text"}


def test_colour_says_sign_and_size():
    parsed = Page(fragment(samples.hierarchy()))
    classes = {e["aria-label"].split(":")[0]: e["class"] for e in parsed.of(role="listitem") if e.get("aria-label")}
    assert classes["n't"] == "c p12 told"
    assert classes["laughs"] == "c q6 told"
    sizes = Page(fragment(samples.methods()[0])).of(role="listitem")
    assert {e["class"][:3] for e in sizes} <= {"c m", "c z"}


def test_the_weak_boxes_have_no_score_under_them_not_the_narrow():
    made = samples.result("a no very faintly word", [0.0, -1.0, 0.2, 0.001, 0.4])
    phrases = made.replace(levels=("phrase",) * 5)
    told = {e["aria-label"].split(":")[0] for e in Page(fragment(phrases)).of(role="listitem") if "told" in e["class"]}
    assert told == {"no", "very", "word"}


def test_the_text_sets_its_own_direction():
    parsed = Page(fragment(samples.result("שלום עולם", [1.0, -1.0])))
    assert all(e["dir"] == "auto" for e in parsed.of(role="list"))
    assert parsed.of(**{"class": "rows"})[0]["dir"] == "rtl"


HIDDEN = "a\x1b[31mb"


def test_titles():
    assert "<title>The movie does n&#39;t serve up lot of laughs .</title>" in page(samples.hierarchy())
    assert "<title>2 explanations</title>" in page([samples.hierarchy(), samples.pair()])
    assert "<title>Mine</title>" in page(samples.hierarchy(), title="Mine")
    assert "<title>Explanation</title>" in page(samples.hierarchy(), title="  ")
    assert f"<title>{visible(HIDDEN)}</title>" in page(samples.hierarchy(), title=HIDDEN)
    assert "(the text is empty)" in page(samples.result("", []))


def test_the_work_grows_with_the_words():
    few, many = samples.long(1_000), samples.long(10_000)
    page(few)  # fills caches
    work = [calls(page, result) for result in (few, many)]
    assert work[1] < 15 * work[0]  # ten times the words; quadratic work would be a hundred times
    source = page(many)
    assert source.count('role="listitem"') == 10_000
    assert source.count('<td class="score">') == 400
    weakest = np.sort(np.abs(many.scores))[-400]
    assert float(re.search(r'<td class="score">[+−]([\d.]+)', source).group(1)) >= weakest - 0.005
    assert "9600 weaker ones are left out here" in source
