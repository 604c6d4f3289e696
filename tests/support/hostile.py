"""Texts as nobody wishes them, and three kinds of models to read them."""

from __future__ import annotations

from functools import cache

import numpy as np
import torch
from hypothesis import strategies as st

import exegesis
from exegesis.protocols.model import Classifier
from tests.support.samples import is_whole
from tests.support.torch_toys import Shape, net

FIXED = [
    "The fight scenes are fun but it grows tedious",
    "👍🏽👨‍👩‍👧‍👦🇩🇪 fine ☃️ 😀😀",
    "שלום עולם, هذا فيلم جيد! good",
    "a\x00b \x1b[2J\x07\r\n\tc\x7f\x85d",
    "\ud800 lone \udfff surrogates\udcff",
    "zero\u200bwidth \u200d\u200c\ufeff word\u2060joiner \u200e\u200f",
    "e\u0301\u0302\u0303\u0304 z\u0335a\u0488l\u0489go",
    "漢字と仮名 한국어 ไทย हिन्दी",
    "qwzx vbnk zzzyx",
    "... !!! ?! ,;: --- '\"` @#$%^&*()",
    "n't 's cannot can't U.S. Mr. 10,000 '70s -LRB- `` ''",
    "https://example.org/a?b=c&d <script>alert(1)</script> \\textbf{x} $x_1$ {}",
    "\u2028line\u2029paragraph\u3000wide\u00a0hard\u1680ogham",
    "a",
    "\U0010ffff \ufffe \ufdd0",
    "ﬁne ＦＩＬＭ ①②③ ™",
]
BLANK = ["", " ", "\t\n\r\x0b\x0c", "\u00a0\u2003\u3000", "\x1c\x1d\x1e\x1f\x85\u2028\u2029"]

texts = st.one_of(
    st.sampled_from(FIXED),
    st.text(st.characters(), max_size=40),
    st.text(st.characters(categories=("Zs", "Cc", "Cf", "Cs", "Mn", "Po", "So", "Lo", "Ll")), max_size=40),
    st.lists(st.sampled_from([*FIXED, *BLANK, "fine", "film", "."]), max_size=4).map(" ".join),
).filter(is_whole)


@cache
def model(kind: str) -> Classifier:
    """The bundled model; a user's LSTM, wrapped, in float64; a function of texts."""
    if kind == "bundled":
        return exegesis.load()
    if kind == "wrapped":
        words = ["<pad>", "<unk>", "the", "fine", "film", "a", "is", "n't", ".", "tedious"]
        module = net(Shape(hidden=3, size=2, both=True, seed=1))
        return exegesis.wrap(module, vocabulary=words, labels=["a", "b", "c"])
    return exegesis.blackbox(_lengths, ["short", "long"])


def _lengths(given: list[str]) -> np.ndarray:
    """A function that takes any text whatever."""
    odds = np.array([[sum(map(ord, text)) % 97 / 97 - 0.5, len(text) / 50] for text in given])
    return torch.softmax(torch.from_numpy(odds.reshape(-1, 2)), 1).numpy()
