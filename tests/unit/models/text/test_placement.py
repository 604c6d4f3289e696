"""Tokens of users' tokenizers and the characters that they were made of, whatever the tokenizer does to the text."""

from __future__ import annotations

import re
import time
import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exegesis.core.errors import ExegesisError, ModelError, TextError, UsageError
from exegesis.models.text.placement import _chain
from exegesis.models.text.reader import WordReader
from exegesis.models.text.vocabulary import Vocabulary

VOCABULARY = Vocabulary.of(["<pad>", "<unk>", "good", "film"])


def read(tokenizer, raw):
    return WordReader(VOCABULARY, tokenizer).read(raw)


def without(pattern):
    return lambda text: re.sub(pattern, " ", text.lower()).split()


def plain(text):
    return "".join(c for c in unicodedata.normalize("NFD", text) if not unicodedata.combining(c)).split()


def mapped(**others):
    return lambda text: [others.get(word, word) for word in text.lower().split()]


def capitals_told(text):
    return [part for word in text.split() for part in [*["xxmaj"] * word[0].isupper(), word.lower()]]


def numbers_hidden(text):
    return ["<num>" if any(map(str.isdigit, word)) else word for word in text.split()]


def names_hidden(text):
    return re.sub(r"@\w+", "<user>", re.sub(r"https?://\S+", "<url>", text)).lower().split()


def signs_out(text):
    return "".join(c for c in text if c.isalnum() or c.isspace()).split()


TAGS = without(r"<[^>]+>")
DROPPING = {
    "mentions": (without(r"@\w+"), "@notgoodday good day", [(12, 16), (17, 20)]),
    "mention between signs": (without(r"@\w+|,"), "good,@notgood,good", [(0, 4), (14, 18)]),
    "links": (without(r"https?://\S+"), "https://thefilm.com the film", [(20, 23), (24, 28)]),
    "tags": (TAGS, '<a href="the-good-film">the</a> film was good', [(24, 27), (32, 36), (37, 40), (41, 45)]),
    "tags with blanks": (TAGS, "<a the good film>the good film", [(17, 20), (21, 25), (26, 30)]),
    "tags and signs": (
        without(r"<[^>]+>|[^\w\s]"),
        "good <b good> good <i film",
        [(0, 4), (14, 18), (20, 21), (22, 26)],
    ),
    "stop words": (
        lambda t: [w for w in t.lower().split() if w not in {"this", "the"}],
        "This is bad",
        [(5, 7), (8, 11)],
    ),
    "unlisted words": (
        lambda t: re.findall("good|film", re.sub(r"#\w+", "", t)),
        "#good x film #film good",
        [(8, 12), (19, 23)],
    ),
    "all but the first": (lambda t: without(r"@\w+")(t)[:2], "@good good day good", [(6, 10), (11, 14)]),
    "all but the last": (lambda t: without(r"@\w+")(t)[-2:], "good day good @good", [(5, 8), (9, 13)]),
    "without blanks": (lambda t: re.findall("喜欢|电影", t), "我喜欢的电影", [(1, 3), (4, 6)]),
}
CHANGING = {
    "lower, İ": (lambda t: t.lower().split(), "İstanbul is Good", ["İstanbul", "is", "Good"]),
    "casefold": (lambda t: t.casefold().split(), "Straße good", ["Straße", "good"]),
    "compatibility": (lambda t: unicodedata.normalize("NFKC", t).split(), "good ﬁlm", ["good", "ﬁlm"]),
    "decomposed": (lambda t: unicodedata.normalize("NFD", t).split(), "café good", ["café", "good"]),
    "composed": (lambda t: unicodedata.normalize("NFC", t).split(), "cafe\u0301 good", ["cafe\u0301", "good"]),
    "accents": (plain, "café good", ["café", "good"]),
    "a stem": (mapped(happily="happili"), "happily good", ["happily", "good"]),
    "a shorter stem": (mapped(walked="walk"), "he walked", ["he", "walked"]),
    "a lemma": (mapped(was="be", better="good"), "Good was better", ["Good", "was", "better"]),
    "signs out": (signs_out, "don't miss, this", ["don't", "miss", "this"]),
    "quotes": (
        lambda t: re.sub('"', " '' ", re.sub('^"', "`` ", t)).split(),
        '"good film"',
        ['"', "good", "film", '"'],
    ),
    "numbers": (numbers_hidden, "it cost $3.50 or 12", ["it", "cost", "$3.50", "or", "12"]),
    "names": (names_hidden, "hi @good see https://good.com good", ["hi", "@good", "see", "https://good.com", "good"]),
    "joined words": (
        lambda t: t.lower().replace("new york", "new_york").split(),
        "In New York now",
        ["In", "New York", "now"],
    ),
    "emoji by name": (lambda t: t.replace("😀", ":grin:").split(), "good 😀 film", ["good", "😀", "film"]),
    "subwords": (
        lambda t: ["un", "##believ", "##able"] if t == "unbelievable" else [],
        "unbelievable",
        ["un", "believ", "able"],
    ),
    "bytes of marks": (lambda t: re.findall(r"\w+", t), "हिन्दी", ["हि", "न्", "दी"]),
}


@pytest.mark.parametrize("name", DROPPING)
def test_what_is_left_out_has_no_scores(name):
    tokenizer, raw, places = DROPPING[name]
    assert list(read(tokenizer, raw).offsets) == places


@pytest.mark.parametrize("name", CHANGING)
def test_changed_tokens_stand_for_the_characters_as_written(name):
    tokenizer, raw, words = CHANGING[name]
    text = read(tokenizer, raw)
    assert list(text.word_strings()) == words
    assert list(text.pieces) == tokenizer(raw)


@pytest.mark.parametrize(
    ("tokenizer", "raw", "special", "words"),
    [
        (lambda t: ["<s>", *t.split(), "</s>"], "good film", "100 1", "good film"),
        (lambda t: ["<s>", *t.split(), "</s>"], "good", "10 1", "good"),
        (lambda t: ["<s>", *t.split()], "<s> @good", "100", "<s> @good"),
        (lambda t: [*without(r"@\w+")(t), "</s>"], "@good film", "0 1", "film"),
        (lambda t: ["[CLS]", *t.lower().split(), "[SEP]", *["<pad>"] * 8][:6], "Good film", "100 111", "Good film"),
        (lambda t: [*["<pad>"] * 4, *t.lower().split()][-4:], "Good", "1110", "Good"),
    ],
)
def test_tokens_that_are_added_to_every_text_belong_to_no_word(tokenizer, raw, special, words):
    text = read(tokenizer, raw)
    assert list(text.special) == [sign == "1" for sign in special.replace(" ", "")]
    assert list(text.word_strings()) == words.split()


def test_a_token_made_of_a_word_beside_others_joins_it():
    text = read(capitals_told, "The film was Good")
    assert text.pieces == ("xxmaj", "the", "film", "was", "xxmaj", "good")
    assert text.words == ((0, 2), (2, 3), (3, 4), (4, 6))
    assert text.word_strings() == ("The", "film", "was", "Good")
    assert read(lambda t: t.split(" "), "a  b ").word_strings() == ("a", "b")
    stops = read(lambda t: re.sub(r"\. ", ". <sep> ", t).split(), "Good film. Bad plot")
    assert stops.word_strings() == ("Good", "film.", "Bad", "plot")
    assert stops.words[1] == (1, 3)


def test_a_tokenizer_may_give_the_places_itself():
    assert read(lambda t: [("good", 2, 4), ("bad", 5, 8)], "a gd bad").word_strings() == ("gd", "bad")
    with pytest.raises(UsageError, match="tokenizer= gives the characters 0 to 1, which lie before"):
        read(lambda t: [("x", 2, 3), ("y", 0, 1)], "a b")


@pytest.mark.parametrize(
    ("tokenizer", "message"),
    [
        (lambda t: ["walk"], "token 'walk' is not in the text"),
        (lambda t: t.split()[::-1], "token 'film' is not in the text at its place: let tokenizer= give"),
        (lambda t: sorted(t.split()), "token 'film' is not in the text at its place"),
        (lambda t: [*t.split(), *map(" ".join, zip(t.split(), t.split()[1:], strict=False))], "token 'a good' is not"),
        (lambda t: 1 / 0, "function tokenizer= raised ZeroDivisionError on 'a good film': division by zero"),
        (lambda t: t, "list of tokens, not a str"),
        (lambda t: None, "list of tokens, not a NoneType"),
        (lambda t: [1, 2], "must give strings, "),
        (lambda t: [], "empty or blank"),
    ],
)
def test_what_cannot_be_placed_is_refused_in_one_line(tokenizer, message):
    with pytest.raises((ModelError, UsageError, TextError), match=message) as caught:
        read(tokenizer, "a good film")
    assert "\n" not in str(caught.value)


@settings(max_examples=60)
@given(st.text(st.sampled_from("aA İß@#.,'\"é\u0301x1ﬁ喜 \n"), max_size=25), st.sampled_from(range(6)))
def test_every_token_is_placed_in_order_or_refused(raw, which):
    tokenizer = [
        str.split,
        without(r"@\w+"),
        plain,
        signs_out,
        capitals_told,
        lambda t: ["<s>", *re.findall(r"\w+", t.casefold()), "</s>"],
    ][which]
    try:
        text = read(tokenizer, raw)
    except ExegesisError:
        return
    assert list(text.pieces) == tokenizer(raw)
    starts = [start for (start, _), special in zip(text.offsets, text.special, strict=True) if not special]
    assert starts == sorted(starts)


@pytest.mark.parametrize("tokenizer", [str.split, without(r"@\w+|<[^>]+>|[^\w\s]")], ids=["plain", "dropping"])
def test_long_texts_take_linear_time(tokenizer):
    def seconds(count):
        raw = "@notgood Good Film, don't <br /> the " * count
        start = time.process_time()
        read(tokenizer, raw)
        return time.process_time() - start

    short = min(seconds(15) for _ in range(2))
    assert seconds(120) < 32 * short + 0.3


def test_whole_words_come_before_parts_of_words_and_more_tokens_before_both():
    assert _chain("notgood good", [(0, (3, 7)), (0, (8, 12))]) == {0: (8, 12)}
    assert _chain("notgood bad", [(0, (3, 7)), (1, (8, 11))]) == {0: (3, 7), 1: (8, 11)}
    assert _chain("go on, go", [(0, (0, 2)), (0, (7, 9)), (1, (3, 5))]) == {0: (0, 2), 1: (3, 5)}
