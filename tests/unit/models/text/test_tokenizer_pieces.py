"""A text is cut piece by piece between white space, which no rule of the tokenizer notices."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exegesis.models.text.tokenizer import _pattern, normalise, tokenize
from tests.support.hostile import BLANK, FIXED

odd = st.text(
    st.sampled_from("aZ'’n't.,-!?0\u200d\u0301👍🏽🇩🇪漢 \t\u00a0\u2003\x1c\x85\ufeff\u180e_/:hps"), max_size=30
)


def plainly(raw, lowercase):
    """The rules over the whole text."""
    return [(normalise(m.group(), lowercase=lowercase), *m.span()) for m in _pattern().finditer(raw)]


@pytest.mark.parametrize("raw", [*FIXED, *BLANK, "can't cannot\x1fnot https://a.b c", "x" * 100 + " y", "a\u2028b 's"])
def test_pieces_make_the_whole(raw):
    for lowercase in (True, False):
        assert [tuple(token) for token in tokenize(raw, lowercase=lowercase)] == plainly(raw, lowercase)


@settings(max_examples=150, deadline=None)
@given(odd | st.text(st.characters(), max_size=20))
def test_any_text(raw):
    assert [tuple(token) for token in tokenize(raw)] == plainly(raw, True)
