"""Tokens and their places: Penn Treebank manners, any Unicode, linear time."""

from __future__ import annotations

import subprocess
import sys
import time
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exegesis.core.errors import FileError, TextError, UsageError
from exegesis.models.text.tokenizer import tokenize
from exegesis.models.text.vocabulary import Vocabulary
from tests.support.samples import is_whole


def strings(raw: str, *, lowercase: bool = True) -> list[str]:
    return [token.string for token in tokenize(raw, lowercase=lowercase)]


@pytest.mark.parametrize(
    ("raw", "tokens"),
    [
        ("The movie doesn't serve up lot of laughs.", "the movie does n't serve up lot of laughs ."),
        ("can not, cannot, can't, won't", "can not , can not , ca n't , wo n't"),
        ("DON'T it's I'm they'd've", "do n't it 's i 'm they 'd 've"),
        ("rock'n'roll o'clock actors' 'em '70s", "rock'n'roll o'clock actors ' 'em '70s"),
        ("10,000 at 7:30 for $3.50, 5%", "10,000 at 7:30 for $ 3.50 , 5 %"),
        (
            "あ$0,2,\u200d can日0.0:?中é❤",
            "あ $ 0,2 , \u200d can 日 0.0 : ? 中 é ❤",
        ),
        ("version 1.2.3x", "version 1 . 2 . 3x"),
        ("Mr. Smith's U.S. film.", "mr. smith 's u.s. film ."),
        ("a well-made -- or too-tepid - film", "a well-made -- or too-tepid - film"),
        ("-LRB- a -RRB- `` b '' and\\/or c/d", '( a ) " b " and / or c / d'),
        ("wait.... no!!! what?!", "wait ... no ! what ? !"),
        ("“curly” don’t — dash…", '" curly " do n\'t -- dash ...'),
        ("see https://a.example/b?c=d, now", "see https://a.example/b?c=d, now"),
        ("#tag @user snake_case <b>", "# tag @ user snake_case < b >"),
        ("好的电影 東京タワー", "好 的 电 影 東 京 タ ワ ー"),
        ("שלום, עולם हिन्दी", "שלום , עולם हिन्दी"),
        ("ok👍🏽 🇩🇪🇫🇷 ❤️", "ok 👍🏽 🇩🇪 🇫🇷 ❤️"),
        ("cafe\u0301 ﬁlm", "café film"),
        ("so\u00adft zero\u200bwidth", "soft zerowidth"),
        ("a\0b \x01", "a \0 b \x01"),
    ],
)
def test_rules(raw: str, tokens: str) -> None:
    assert strings(raw) == tokens.split(" ")


def test_an_emoji_with_joiners_is_one_word() -> None:
    assert len(tokenize("👨‍👩‍👧 👩🏽‍🚀")) == 2


def test_case_is_kept_on_request() -> None:
    assert strings("Bad -LRB- N'T", lowercase=False) == ["Bad", "(", "N'T"]


TREEBANK = (
    "It 's a lovely film , does n't it ? `` Yes , '' he said -- they 've can not ... 1,000 U.S. -LRB- so-so -RRB-"
)


def test_tokenised_text_is_left_alone() -> None:
    assert [TREEBANK[token.start : token.stop] for token in tokenize(TREEBANK)] == TREEBANK.split()


@given(st.text(st.characters()))
def test_every_visible_character_is_in_one_token(raw: str) -> None:
    covered = [False] * len(raw)
    end = 0
    for token in tokenize(raw):
        assert token.string
        assert end <= token.start < token.stop
        end = token.stop
        covered[token.start : token.stop] = [True] * (token.stop - token.start)
    assert covered == [not character.isspace() for character in raw]


@given(st.text(st.sampled_from("nN'’tTs. -!a1,💡\u200d\u0301\ud800\0\u3042"), max_size=30))
def test_every_visible_character_of_hard_texts(raw: str) -> None:
    test_every_visible_character_is_in_one_token.hypothesis.inner_test(raw)  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "raw",
    [
        "word " * 10_000,
        "?!,.;" * 50_000,
        "!" * 1_000_000,
        "n't" * 100_000,
        "a'" * 100_000,
        "n'" * 100_000,
        "a-" * 100_000,
        "a." * 100_000,
        "1." * 100_000,
        "1.1" * 60_000 + "x",
        "can" * 100_000,
        "a" + "\u0301\u0327" * 100_000,
        "👍\u200d" * 100_000,
        "-l" * 100_000,
    ],
    ids=lambda raw: f"{raw[:6]!r}x{len(raw)}",
)
def test_time_is_linear(raw: str) -> None:
    """Sixteen times the text takes about sixteen times as long, far from 256; a busy machine may triple a time.

    The least of three, as Python may collect the garbage of all tests before within one.
    """
    short = min(_seconds(raw[: len(raw) // 64]) for _ in range(3))
    assert min(_seconds(raw[: len(raw) // 4]) for _ in range(3)) < 48 * short + 0.5


def _seconds(raw: str) -> float:
    start = time.process_time()
    tokenize(raw)
    return time.process_time() - start


def test_reading_gives_words_with_their_characters() -> None:
    vocabulary = Vocabulary.from_texts(["the film", "the plot"])
    raw = "  The film isn’t\tthe plot"
    text = vocabulary.read(raw)
    assert vocabulary.tokens == ("<pad>", "<unk>", "the", "film", "plot")
    assert text.raw == raw
    assert text.pieces == ("the", "film", "is", "n't", "the", "plot")
    assert text.ids == (2, 3, 1, 1, 2, 4)
    assert text.word_strings() == ("The", "film", "is", "n’t", "the", "plot")


@pytest.mark.parametrize("raw", ["", " ", "\n\t\u3000\u2003"])
def test_blank_text_is_refused(raw: str) -> None:
    with pytest.raises(TextError, match="empty or blank"):
        Vocabulary.from_texts(["a"]).read(raw)


def test_frequency_limits() -> None:
    texts = ["b a a", "c b a"]
    assert Vocabulary.from_texts(texts).tokens[2:] == ("a", "b", "c")
    assert Vocabulary.from_texts(texts, minimum=2).tokens[2:] == ("a", "b")
    assert Vocabulary.from_texts(texts, limit=1, extra=["z", "a"]).tokens[2:] == ("a", "z")
    assert Vocabulary.from_texts(["A a"], lowercase=False).tokens[2:] == ("A", "a")


WORDS = ["film", "[PAD]", "unk", "the"]


@pytest.mark.parametrize(
    "source",
    [
        WORDS,
        tuple(WORDS),
        {word: number for number, word in enumerate(WORDS)},
        dict(enumerate(WORDS)),
        SimpleNamespace(itos=WORDS),
        SimpleNamespace(stoi={word: number for number, word in enumerate(WORDS)}),
        SimpleNamespace(get_itos=lambda: WORDS),
        SimpleNamespace(word_index={word: number for number, word in enumerate(WORDS)}),
    ],
    ids=["list", "tuple", "word to number", "number to word", "itos", "stoi", "get_itos", "Keras"],
)
def test_vocabularies_of_users(source: object) -> None:
    vocabulary = Vocabulary.of(source)
    assert (vocabulary.tokens, vocabulary.pad, vocabulary.unknown, vocabulary.lowercase) == (tuple(WORDS), 1, 2, True)
    assert vocabulary.read("The plot").ids == (3, 2)


def test_users_vocabulary_corners() -> None:
    gaps = Vocabulary.of({"a": 0, "b": 5, "c": 5})
    assert len(gaps) == 6
    assert gaps.read("a b c").ids == (0, 5, 5)
    assert Vocabulary.from_json(gaps.to_json()) == gaps
    with pytest.raises(TextError, match="lists no 'd' and has no unknown token"):
        gaps.read("d")
    assert Vocabulary.of(["a", "B"]).lowercase is False
    assert Vocabulary.of(["a", "B"]).read("B").ids == (1,)
    assert Vocabulary.of(["a", "b"], unknown="b", pad=1).read("z").ids == (1,)
    assert Vocabulary.of(["b", "a", "b"], unknown="a").read("b").ids == (0,)
    assert Vocabulary.of(gaps) is gaps
    assert Vocabulary(("<pad>", "<unk>", "a", "a")).read("a").ids == (2,)


def test_a_word_that_is_listed_twice_is_said(caplog: pytest.LogCaptureFixture) -> None:
    assert Vocabulary.of(["<pad>", "<unk>", "b", "a", "b", "b", "", ""]).read("b").ids == (2,)
    assert caplog.messages == [
        "the vocabulary lists 'b' more than once: it is looked up as number 2, and not as 4; a dict from words to "
        "numbers says otherwise"
    ]


@pytest.mark.parametrize(
    ("source", "options", "message"),
    [
        ([], {}, "empty"),
        (5, {}, "int is no vocabulary"),
        ("abc", {}, "str is no vocabulary"),
        ([1, 2], {}, "no string"),
        ({"a": -1}, {}, "negative"),
        ({"a": 10**9}, {}, "largest number"),
        ({"a": 0.31, "b": 0.02}, {}, "must be whole"),
        (["a"], {"unknown": 3}, "not below its size"),
        (["a"], {"unknown": "<oov>"}, "lists no '<oov>'"),
    ],
)
def test_unusable_vocabularies_are_refused(source: object, options: dict[str, int], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        Vocabulary.of(source, **options)  # type: ignore[arg-type]


@given(st.lists(st.text(st.characters(), min_size=1).filter(is_whole), unique=True), st.booleans())
def test_json_round_trip(words: list[str], lowercase: bool) -> None:
    vocabulary = Vocabulary(("<pad>", "<unk>", *words), lowercase)
    assert Vocabulary.from_json(vocabulary.to_json()) == vocabulary


def test_a_split_surrogate_pair_is_not_written() -> None:
    with pytest.raises(TextError, match="the vocabulary holds a character as two surrogates"):
        Vocabulary(("<pad>", "<unk>", "\ud83d\ude00")).to_json()


@pytest.mark.parametrize(
    "content", ["", "[]", "{}", "null", '{"tokens": [1, 2], "lowercase": true, "pad": 0, "unknown": 1, "aliases": []}']
)
def test_damaged_json_is_refused(content: str) -> None:
    with pytest.raises(FileError, match="not a vocabulary"):
        Vocabulary.from_json(content)


def test_a_vocabulary_in_capitals_is_said(caplog: pytest.LogCaptureFixture) -> None:
    found = Vocabulary.of(["<pad>", "<unk>", "THE", "FILM"])
    assert [*found.read("The FILM").ids] == [1, 3]
    assert "every word of the vocabulary has capitals (such as 'THE', 'FILM')" in caplog.text
    caplog.clear()
    Vocabulary.of(["<pad>", "<unk>", "THE", "film"])
    assert "every word" not in caplog.text


def test_no_torch() -> None:
    code = "import sys, exegesis.models.text.vocabulary; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
