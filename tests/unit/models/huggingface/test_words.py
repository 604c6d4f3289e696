"""Scores come back on the user's own words, whatever the tokenizer does to them."""

from __future__ import annotations

import functools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exegesis.core.errors import TextError
from exegesis.core.text import Span
from exegesis.models.huggingface.text import Reader, parts_of
from exegesis.models.huggingface.words import align
from exegesis.models.text.tokenizer import tokenize
from tests.support.hf_toys import TOKENIZERS, byte_bpe, wordpiece

ODD = (
    *("don't", "é", "e\u0301", "🙂", "👍🏽", "👨‍👩‍👧", "\x00", "\x02", "\u200b", "漢字", "ﬁ", "½", "שלום", "\ud800"),
    *("[SEP]", "</s>", "\u00a0", "▁", "Ġ", "a", "film", ",", "unbelievable", " ", "  ", "\n"),
)
texts = st.lists(st.sampled_from(ODD) | st.characters(), max_size=12).map("".join)


@functools.cache
def reader(name: str, limit: int | None = None) -> Reader:
    return Reader(TOKENIZERS[name](), name, limit, limit is not None, None, {})


@pytest.mark.parametrize("name", TOKENIZERS)
@settings(deadline=None, max_examples=60)
@given(raw=texts)
def test_every_character_lies_in_one_word(name: str, raw: str) -> None:
    try:
        text = reader(name).read(raw)
    except TextError:
        assert not raw.strip() or name != "byte-level"  # bytes spell everything
        return
    held = [0] * len(raw)
    for word in text.words:
        start, stop = text.characters(word)
        assert start < stop
        assert not raw[start].isspace()
        assert not raw[stop - 1].isspace()
        for i in range(start, stop):
            held[i] += 1
    for token in tokenize(raw):
        counts = set(held[token.start : token.stop])
        assert counts == {1} or (counts == {0} and _alone(raw, token.start, token.stop, held))
    ends = [i for word in text.words for i in word]
    assert ends == sorted(ends)
    owned = {i for word in text.words for i in range(*word)}
    assert owned == {i for i in range(len(text)) if not text.special[i]}


def _alone(raw: str, start: int, stop: int, held: list[int]) -> bool:
    """Whether dropped characters stand alone: the run without blanks that holds them is in no word at all."""
    while start and not raw[start - 1].isspace():
        start -= 1
    while stop < len(raw) and not raw[stop].isspace():
        stop += 1
    return not any(held[start:stop])


@pytest.mark.parametrize("name", [name for name in TOKENIZERS if name != "whole words"])
def test_words_as_a_reader_would_cut_them(name: str) -> None:
    raw = "don't you like the café, it's unbelievable!"
    words = ("do", "n't", "you", "like", "the", "café", ",", "it", "'s", "unbelievable", "!")
    assert reader(name).read(raw).word_strings() == words


def test_words_that_a_piece_straddles_are_one() -> None:
    words = reader("whole words").read("the café, it's").word_strings()
    assert words == ("the", "café,", "it's")


def test_pieces_of_one_emoji_are_one_word() -> None:
    text = reader("byte-level").read("a👨‍👩‍👧 film")
    assert text.word_strings() == ("a", "👨‍👩‍👧", "film")
    assert text.words[1].width > 5


def test_characters_that_the_tokenizer_drops() -> None:
    text = reader("wordpiece").read("\x00good\x01 \x02 e\u0301a film\u200b")
    assert text.word_strings() == ("\x00good\x01", "e\u0301a", "film\u200b")


@pytest.mark.parametrize(
    ("raw", "pieces", "words", "ranges"),
    [
        ("ab cd", [(0, 2), (2, 5)], [(0, 1), (1, 2)], [(0, 2), (3, 5)]),  # a blank in front is not the piece's own
        ("ab cd", [(0, 4), (4, 5)], [(0, 2)], [(0, 4), (4, 5)]),  # over a blank
        ("ab cd", [(3, 5), (0, 2)], [(0, 2)], [(3, 5), (0, 2)]),  # jumps back
        ("ab cd", [(0, 2), (2, 3), (3, 5)], [(0, 1), (1, 3)], [(0, 2), (3, 3), (3, 5)]),  # a blank alone
        ("ab cd", [(0, 2), (3, 5), (5, 5)], [(0, 1), (1, 3)], [(0, 2), (3, 5), (5, 5)]),  # nothing, at the end
        ("ab.cd", [(0, 2), (3, 5)], [(0, 1), (1, 2)], [(0, 3), (3, 5)]),  # dropped, and touching a word
        (". ab", [(2, 4)], [(0, 1)], [(2, 4)]),  # dropped, and alone
        ("abc", [(1, 2)], [(0, 1)], [(0, 3)]),
        ("abc", [], [], []),
    ],
)
def test_align(
    raw: str, pieces: list[tuple[int, int]], words: list[tuple[int, int]], ranges: list[tuple[int, int]]
) -> None:
    candidates = [(token.start, token.stop) for token in tokenize(raw)]
    found, spans = align(raw, pieces, candidates)
    assert spans == [Span(*word) for word in words]
    assert found == ranges


@pytest.mark.parametrize("limit", range(1, 12))
def test_a_cut_text_ends_at_its_last_piece(limit: int) -> None:
    raw = "a fine film, really unbelievable"
    cut, whole = reader("byte-level", limit).read(raw), reader("byte-level").read(raw)
    assert cut.raw == raw
    assert cut.ids == whole.ids[:limit]
    seen = [(start, stop) for start, stop in cut.offsets if start < stop]
    assert seen == [(start, stop) for start, stop in whole.offsets[:limit] if start < stop]
    assert "".join(cut.word_strings()) == "".join(raw[: seen[-1][1]].split())
    assert cut.word_strings()[:-1] == whole.word_strings()[: len(cut.words) - 1]


def test_a_pair() -> None:
    text = Reader(wordpiece(), "bert", None, False, (0, 1), {}).read(("a fine film", "it's good"))
    assert text.raw == "a fine film\nit's good"
    assert text.word_strings() == ("a", "fine", "film", "it", "'s", "good")
    assert text.segments[0].start == 0
    assert text.segments[1].stop == len(text)
    assert text.segments[0].stop == text.segments[1].start == text.words[3].start
    assert [i for i in range(len(text)) if text.special[i]] == [0, text.segments[1].start - 1, len(text) - 1]
    assert text.over(Span(2, 4)).start < text.segments[0].stop < text.over(Span(2, 4)).stop


def test_a_pair_without_special_pieces() -> None:
    text = Reader(byte_bpe(), "gpt2", None, False, None, {}).read(("a film", "good"))
    assert text.word_strings() == ("a", "film", "good")
    assert text.segments == (Span(0, text.words[2].start), Span(text.words[2].start, len(text)))


@pytest.mark.parametrize("raw", ["", "  \n\t", ("a", " "), ("", "a")])
def test_blank_texts(raw: str | tuple[str, str]) -> None:
    with pytest.raises(TextError, match=r"^[^\n]*is empty or blank[^\n]*$"):
        reader("wordpiece").read(raw)


@pytest.mark.parametrize("raw", [7, None, (), ("a",) * 3, ("a", None), b"a", ["a", "b"]])
def test_what_is_no_text(raw: object) -> None:
    with pytest.raises(TextError, match=r"^give a text or a pair of texts, not [^\n]+$"):
        parts_of(raw)


def test_nothing_left_of_a_text() -> None:
    with pytest.raises(TextError, match="leaves nothing"):
        reader("wordpiece").read("\x00\x01")
    with pytest.raises(TextError, match="leaves nothing"):
        reader("wordpiece").read(("good", "\u200b"))
