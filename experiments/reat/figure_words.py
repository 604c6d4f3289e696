"""Figures 7 and 8: scores by part of speech, and of one word over its contexts."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

import exegesis
from exegesis.core.disk.files import write_whole
from exegesis.data.examples import Example
from exegesis.models.tagger import default_tagger
from exegesis.results.behaviour.study import TAG_NAMES
from exegesis.show import MEDIA
from exegesis.show.document import Box, Chart, Document, Section
from exegesis.statistics.bootstrap import Spread
from exegesis.study.vocabulary.classes import VERBS

PAIR = ("terrible", "terribly")  # Figure 8
WORDS = (*PAIR, "extremely", "very")  # and what the paper calls the second's synonyms
SMALL = 10  # words below which a part of speech is left out
NAMES = {"gru": "GRU", "lstm": "LSTM", "bigru": "BiGRU"}


def classes(model: Any, tests: Sequence[Example], method: str) -> dict[str, Any]:
    """Figure 7: the spread of a method's scores for the predicted label's logit, by part of speech."""
    study = exegesis.study.words(model, tests, method)
    return {one.tag: {"common": list(one.common), **one.spread._asdict()} for one in study.classes}


def behind(tests: Sequence[Example]) -> dict[str, float]:
    """The median number of words behind a word, by part of speech (verbs merged as in Figure 7)."""
    tagger, found = default_tagger(), defaultdict(list)
    for one in tests:
        tags = tagger(str(one.text).split())
        for place, tag in enumerate(tags):
            found["VB" if tag in VERBS else tag].append(len(tags) - 1 - place)
    return {tag: float(np.median(places)) for tag, places in found.items()}


def uses(model: Any, texts: Sequence[Example]) -> Any:
    """Figure 8: REAT's scores of each use for the logit of positive."""
    return exegesis.study.word(model, texts, WORDS, "reat", "positive")


def use_numbers(model: Any, tests: Sequence[Example], texts: Sequence[Example]) -> dict[str, Any]:
    """Scores of the test texts alone, and of all texts, of which most were trained on."""
    kept: dict[str, Any] = {}
    for part, data in (("test", tests), ("all", texts)):
        study = uses(model, data)
        kept[part] = {one.word: [round(score, 6) for score in one.scores.tolist()] for one in study.uses}
        kept[part]["gaps"] = [[gap.first, gap.second, gap.value, gap.low, gap.high] for gap in study.gaps]
    return kept


def is_word(tag: str) -> bool:
    """Whether a tag is of words and not of punctuation."""
    return tag[0].isalpha() and tag not in ("HYPH", "NFP", "SYM")


def over_seeds(kept: Sequence[Mapping[str, Any]]) -> dict[str, Spread]:
    """One spread of each part of speech: means of quartiles and whiskers, and the range of the medians over seeds."""
    found = {}
    for tag in kept[0]:
        rows = [one[tag] for one in kept if tag in one]
        if is_word(tag) and len(rows) == len(kept) and rows[0]["size"] >= SMALL:
            medians = [row["median"] for row in rows]
            means = {name: float(np.mean([row[name] for row in rows])) for name in Spread._fields}
            means |= {"median_low": min(medians), "median_high": max(medians)}
            means |= {name: int(rows[0][name]) for name in ("size", "texts")}
            found[tag] = Spread(**means)
    return dict(sorted(found.items(), key=lambda pair: -pair[1].median))


def pictures(numbers: Mapping[str, Any], models: Mapping[str, Any], texts: Sequence[Example], out: Path) -> None:
    """Figure 7 of all seeds, a picture a network; Figure 8 of the LSTM of seed 0."""
    for cell, name in NAMES.items():
        kept = [one["figure7"] for key, one in numbers.items() if key.startswith(f"{cell}-")]
        rows = [Box(tag, f"{TAG_NAMES[tag]} · {spread.size:,}", spread) for tag, spread in over_seeds(kept).items()]
        title = f"{name}: REAT by part of speech, {len(kept)} seeds"
        chart = Chart(title, "score for the logit of the predicted label", tuple(rows))
        document = Document(title, "Study", (Section(title, (chart,)),))
        write_whole(out / f"figure7-{cell}.svg", MEDIA[".svg"]()(document))
    uses(models["lstm-0"], texts).save(out / "figure8.svg")
