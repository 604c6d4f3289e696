"""Texts with surrogates: a lone one is kept in every file, a character split into two is refused wherever it enters."""

from __future__ import annotations

import json

import pytest

import exegesis
from exegesis.core.errors import TextError
from exegesis.core.plain import to_plain
from exegesis.core.text import text_of_words
from exegesis.models.text.reader import reader_of
from tests.support.samples import result

SPLIT = "a \ud83d\ude00 film"
LONE = ["\ud83d", "\ude00", "\ude00\ud83d", "\ud83d \ude00", "\ud83dx\ude00", "😀", "\ud83d😀\ude00"]


def box():
    return exegesis.blackbox(lambda texts: [[0.4, 0.6]] * len(texts), labels=["n", "p"])


def test_a_split_pair_is_refused_in_one_line_wherever_a_text_enters():
    for enter in (
        lambda: exegesis.explain(box(), SPLIT, "leave-one-out"),
        lambda: exegesis.evaluate(box(), [SPLIT], ["leave-one-out"]),
        lambda: reader_of(["<pad>", "<unk>"], None, None).read(SPLIT),
        lambda: reader_of(["<pad>", "<unk>"], lambda t: [t.replace("x", "")], None).read("\ud83dx\ude00"),
        lambda: text_of_words(SPLIT, [], []),
        lambda: exegesis.blackbox(len, labels=["n", SPLIT]),
        lambda: result("a film", [0.1, 0.2]).replace(model=SPLIT).to_dict(),
        lambda: to_plain({SPLIT: 1}),
    ):
        with pytest.raises(TextError, match=r"holds a character as two surrogates \(at \d+\)") as caught:
            enter()
        assert "\n" not in str(caught.value)
        assert "\ud83d" not in str(caught.value)
    with pytest.raises(TextError, match="text 2 of 2: the text holds a character"):
        exegesis.explain(box(), ["fine", SPLIT], "leave-one-out")
    joined = SPLIT.encode("utf-16", "surrogatepass").decode("utf-16", "surrogatepass")
    assert exegesis.explain(box(), joined, "leave-one-out").words == ("a", "😀", "film")


@pytest.mark.parametrize("raw", LONE)
def test_lone_surrogates_are_read_back_exactly(raw, tmp_path):
    one = exegesis.explain(box(), f"a {raw} film", "leave-one-out")
    for ending in (".json", ".jsonl"):
        path = one.save(tmp_path / f"one{ending}")
        again = exegesis.read(path)
        assert (again[0] if ending == ".jsonl" else again) == one
        assert json.loads(path.read_text("ascii"))["text"] == f"a {raw} film"
    for ending in (".html", ".svg", ".txt", ".csv", ".tex"):
        assert one.save(tmp_path / f"one{ending}").stat().st_size
