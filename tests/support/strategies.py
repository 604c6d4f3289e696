"""Hostile texts with scores, for the property tests of every view."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from functools import partial

from hypothesis import settings
from hypothesis import strategies as st

from exegesis.results.attribution import Attribution
from exegesis.show.wording import visible
from tests.support import nested_samples
from tests.support.samples import HOSTILE, is_whole, result

some = settings(max_examples=25, deadline=None)  # each example draws a whole view, under shape checks

_words = st.one_of(
    st.sampled_from(HOSTILE),
    st.text(st.characters(), min_size=1, max_size=12).filter(is_whole),  # every code point, lone surrogates too
    st.text("<>&\"'`{}%$#_^~\\|[]()=;:/!?-\x1b\x07\x00", min_size=1, max_size=12),
    st.sampled_from(["fun", "n't", ".", "tedious"]),
)
_odd = st.sampled_from([0.0, 1e-320, 1e300, -1e300])  # a result refuses what is not finite
_scores = st.floats(-1e6, 1e6) | _odd


@st.composite
def results(draw: st.DrawFn) -> Callable[[], Attribution]:
    """One result with words, perhaps phrases, and hostile names; built by the test, as shape checks draw at random."""
    raw = draw(st.sampled_from([" ", "\n", "  "])).join(draw(st.lists(_words, min_size=1, max_size=8)))
    count = len(re.findall(r"\S+", raw))
    scores = draw(st.lists(_scores, min_size=count, max_size=count))
    spans = []
    if count > 1 and draw(st.booleans()):
        start = draw(st.integers(0, count - 2))
        spans = [("phrase", start, draw(st.integers(start + 1, count)), draw(_scores)), ("text", 0, count, 0.5)]
    names = {"label": draw(_words), "model": draw(_words), "probability": draw(st.floats(0, 1))}
    details = draw(st.sampled_from([{}, {"unknown": list(range(count))}]))
    return partial(result, raw, scores, spans=spans, details=details, **names)


def ink(text: str) -> str:
    """What a view shows of a text, blanks aside."""
    return visible("".join(c for c in text if c not in " \t\n\r" and unicodedata.category(c) not in ("Zs", "Zl", "Zp")))


@st.composite
def trees(draw: st.DrawFn):
    """A hierarchy over hostile words; built by the test, as shape checks draw at random."""
    raw = draw(st.sampled_from([" ", "\n", "  "])).join(draw(st.lists(_words, min_size=1, max_size=8)))
    raw = raw if raw.split() else "fine"
    count = len(re.findall(r"\S+", raw))
    spans = [(0, stop) for stop in range(2, count)] if draw(st.booleans()) else []
    total = 2 * count - 1 if spans or count == 2 else count + (count > 1)
    score = st.floats(-1e6, 1e6) | st.sampled_from([0.0, 1e-320, 1e300, -1e300])
    scores = draw(st.lists(score, min_size=total, max_size=total))
    return partial(nested_samples.tree, raw, spans, scores=scores, label=draw(_words), model=draw(_words))
