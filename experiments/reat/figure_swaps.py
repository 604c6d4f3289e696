"""Tables 6 and 7: a word for one of the same meaning, in the paper's texts and with every word of degree."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import exegesis
from exegesis.data.examples import Example
from exegesis.models.tagger import Tagger, default_tagger

AS_WRITTEN = (
    "schweiger is talented and terribly charismatic , qualities essential to both movie stars and social anarchists"
)
IN_SST = AS_WRITTEN.replace("schweiger is", "lrb schweiger is rrb")  # test text 75
EFFECTIVE = "occasionally melodramatic , it 's also extremely effective"  # test text 342
ACTED = (  # training text 6565
    "extremely well acted by the four primary actors , this is a seriously intended movie that is not easily forgotten"
)
DEGREES = ("very", "really", "extremely", "truly")  # words of degree that the test texts hold
OTHERS = (*DEGREES, "highly", "incredibly", "deeply", "awfully", "terribly")

WIDE = 10.5  # inches


def schweiger(model: Any) -> dict[str, Any]:
    """Table 6: the wrong prediction, where "terribly" stands in it, and the two swaps."""
    kept: dict[str, Any] = {}
    for name, text in (("sst", IN_SST), ("paper", AS_WRITTEN)):
        study = exegesis.study.substitute(
            model, text, "terribly", synonyms={"terribly": ["extremely", "very"]}, method="reat"
        )
        ranks = {}
        for method in ("reat", "naive-reat", "leave-one-out"):
            rows = exegesis.explain(model, text, method, "predicted").rows("word")
            ranked = sorted(rows, key=lambda row: -row.score)
            own = next(row.score for row in rows if row.text == "terribly")
            ranks[method] = {
                "rank": 1 + sum(row.score > own for row in rows), "score": round(own, 6), "top": ranked[0].text,
            }  # fmt: skip
        kept[name] = {"label": study.before.label, "probability": study.before.probability, "ranks": ranks}
        kept[name]["swaps"] = {one.word: {"label": one.label, "flips": one.flips} for one in study.swaps}
        kept[name]["negative"] = {
            word: round(chances["negative"], 6)
            for word, chances in zip(
                ("terribly", "extremely", "very"),
                exegesis.predict(model, [text.replace("terribly", w) for w in ("terribly", "extremely", "very")]),
                strict=True,
            )
        }
    return kept


def extremely(model: Any, tests: Sequence[Example]) -> list[dict[str, Any]]:
    """Table 7: "extremely" becomes "terribly" (and, as a control, "very") in every test text that holds it, and in
    the training text that the paper names (number -1)."""
    held = [(i, str(one.text), str(one.label)) for i, one in enumerate(tests) if "extremely" in str(one.text).split()]
    kept = []
    for number, text, gold in [*held, (-1, ACTED, "1")]:
        study = exegesis.study.substitute(
            model, text, "extremely", synonyms={"extremely": ["terribly", "very"]}, method="reat"
        )
        swaps = {one.word: [one.label, round(one.probability, 6)] for one in study.swaps}
        before = [study.before.label, round(study.before.probability, 6)]
        kept.append({"number": number, "gold": gold, "before": before, "swaps": swaps})
    return kept


@lru_cache(None)
def _tagger() -> Tagger:
    return default_tagger()


def degrees(tests: Sequence[Example]) -> list[tuple[str, str]]:
    """Texts and their word of degree: an adverb (RB) of ``DEGREES`` right before an adjective or adverb, once."""
    found = []
    for one in tests:
        words = str(one.text).split()
        for word in DEGREES:
            if words.count(word) == 1 and words[-1] != word:
                tags, at = _tagger()(words), words.index(word)
                if tags[at] == "RB" and tags[at + 1] in ("JJ", "RB"):
                    found.append((str(one.text), word))
    return found


def degree_swaps(model: Any, cases: Sequence[tuple[str, str]]) -> dict[str, list[int]]:
    """For each word put in: texts predicted positive, of these turned negative; predicted negative, turned positive."""
    kept: dict[str, list[int]] = {word: [0, 0, 0, 0] for word in OTHERS}
    for text, old in cases:
        others = [word for word in OTHERS if word != old]
        study = exegesis.study.substitute(model, text, old, synonyms={old: others}, method="reat")
        side = 0 if study.before.label == "positive" else 2
        for one in study.swaps:
            kept[one.word][side] += 1
            kept[one.word][side + 1] += one.flips
    return kept


def training_counts(train: Sequence[Example]) -> dict[str, list[int]]:
    """How many negative and positive training texts hold each word of degree."""
    held = [(set(str(one.text).casefold().split()), int(str(one.label))) for one in train]
    return {
        word: [sum(word in words and label == side for words, label in held) for side in (0, 1)]
        for word in ("terrible", *OTHERS)
    }


def pictures(model: Any, out: Path) -> None:
    """The texts of Tables 6 and 7 before and after, for one model."""
    texts = [IN_SST, *(IN_SST.replace("terribly", word) for word in ("extremely", "very"))]
    for text in (EFFECTIVE, ACTED):
        texts += [text, text.replace("extremely", "terribly")]
    found = exegesis.explain(model, texts, "reat", "negative")
    exegesis.save([one.timeless() for one in found], out / "tables6-7.svg", width=WIDE)
