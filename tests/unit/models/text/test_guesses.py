"""What a vocabulary tells about how its texts were cut and written: chosen by its entries, and said."""

from __future__ import annotations

import logging

import pytest

from exegesis.models.text.guesses import manner_of
from exegesis.models.text.reader import reader_of
from exegesis.models.text.vocabulary import Vocabulary

SPECIAL = ["<PAD>", "<UNK>"]


def found(words, text, lowercase=None):
    """The entry under which each word of a text is found."""
    vocabulary = [*SPECIAL, *words]
    return [vocabulary[number] for number in reader_of(vocabulary, None, lowercase).read(text).ids]


@pytest.mark.parametrize("extra", ["<SOS>", "[CLS]", "<URL>", "__NUM__", "EOS", "@@X@@", "{Name}", "<|End|>"])
def test_special_tokens_decide_nothing_about_case(extra, caplog):
    assert found([extra, "the", "film"], "The FILM") == ["the", "film"]
    assert not caplog.messages
    assert not Vocabulary.of([*SPECIAL, extra, "The", "the", "film"]).lowercase


def test_a_few_words_with_capitals_are_named(caplog):
    many = [f"w{'abcdefghij'[n % 10]}{'klmnopqrst'[n // 10 % 10]}{'uv'[n // 100]}" for n in range(200)]
    assert found([*many, "I", "NASA"], "I NASA nasa WAKU") == ["I", "NASA", "NASA", "waku"]
    assert caplog.messages == [
        "words are looked up in lower case, though 2 entries of the vocabulary have capitals, such as 'I', 'NASA': "
        "lowercase=False looks them up as they are written"
    ]
    assert found([*many, "I"], "i WAKU", lowercase=True) == ["<UNK>", "waku"]
    assert not Vocabulary.of([*many[:50], "The", "I"]).lowercase
    assert not Vocabulary.of(["THE", "FILM", "ok"]).lowercase
    assert Vocabulary.of(["电影", "好"]).lowercase


def test_entries_are_found_in_the_form_that_the_tokenizer_gives():
    assert found(["-LRB-", "``", "....", "n't", "do"], "(do \"don't ...") == ["-LRB-", "do", "``", "do", "n't", "...."]
    assert found(["-LRB-", "("], "(") == ["("]
    assert reader_of([*SPECIAL, "-LRB-"], str.split, None).read("(").ids == (1,)  # the user's tokenizer knows better


def test_blank_separated_entries_are_read_as_they_are(caplog):
    words = ["i", "don't", "like", "it's", "plot", "but", "the", "cast", "is", "great!"]
    assert found(words, "I don't like it's PLOT, great!") == ["i", "don't", "like", "it's", "<UNK>", "great!"]
    assert "cut by blanks alone" in caplog.text
    assert "\"don't\", \"it's\", 'great!'" in caplog.text
    assert "tokenizer=" in caplog.text


def test_clitics_stay_at_their_words_where_signs_stand_alone(caplog):
    assert found(["don't", "it's", "great", "!", "i"], "I DON'T, it's great!") == [
        "i", "don't", "<UNK>", "it's", "great", "!"
    ]  # fmt: skip
    assert "clitics left at their words" in caplog.text


@pytest.mark.parametrize(
    "words",
    [
        ["##ing", "▁the", "go"],
        ["Ġfilm", "Ġthe", "ing"],
        ["电影", "喜欢", "，"],
        ["new york", "los angeles"],
        [*map(str, range(200)), "e.g"],
    ],
)
def test_entries_that_no_rule_explains_are_named_and_the_built_in_rules_kept(words, caplog):
    reader = reader_of([*SPECIAL, *words], None, None)
    assert reader.tokenize is None
    assert reader.vocabulary.lowercase
    assert "never give" in caplog.text
    assert "tokenizer=" in caplog.text


def test_what_the_built_in_rules_give_is_not_remarked(caplog):
    caplog.set_level(logging.INFO)
    words = ["do", "n't", "'s", "well-made", "10,000", "u.s.", "...", "(", "👍🏽", "好", "café", "rock'n'roll", "mr."]
    assert manner_of(words, True).tokenize is None
    assert found(words, "Don't") == ["do", "n't"]
    reader_of(Vocabulary(("<pad>", "<unk>", "don't")), None, None)  # stated as it is
    reader_of(["<pad>", "<unk>", "don't"], str.split, None)
    assert not caplog.messages


def test_the_choices_are_shown():
    assert str(reader_of([*SPECIAL, "the"], None, None)) == (
        "words cut by the built-in rules, looked up in lower case; pad 0 (<PAD>), unknown 1"
    )
    assert str(reader_of(["The", "don't"], str.split, None)) == (
        "words cut by tokenizer=, looked up as written; pad 0 (The), unknown none"
    )
