"""Words where blanks do not show them: clusters of letters, a dictionary's words, and the user's own."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

import exegesis
from exegesis.core.errors import ModelError, TextError, UsageError
from exegesis.models.text import words as module
from exegesis.models.text.tokenizer import tokenize
from exegesis.models.text.vocabulary import Vocabulary
from exegesis.models.text.words import words_in

THAI = "หนังเรื่องนี้ดีแต่ตอนจบแย่มาก"
WORDS = ["หนัง", "เรื่อง", "นี้", "ดี", "แต่", "ตอน", "จบ", "แย่", "มาก"]
CLUSTERS = {
    "Thai": ("น้ำแก่ เรื่องกๆ", "น้ำ แก่ เรื่ อ ง กๆ"),
    "Lao": ("ຮູບເງົາເລື່ອງນີ້", "ຮູ ບ ເງົາ ເລື່ ອ ງ ນີ້"),
    "Khmer": ("ភាពយន្តនេះល្អ", "ភា ព យ ន្ត នេះ ល្អ"),
    "Burmese": ("ဒီရုပ်ရှင်ကကောင်းတယ် သင်္ဘော", "ဒီ ရုပ် ရှင် က ကောင်း တယ် သင်္ဘော"),
    "Javanese": ("ꦲꦏ꧀ꦱꦫ", "ꦲ ꦏ꧀ꦱ ꦫ"),
    "Balinese": ("ᬅᬓ᭄ᬱᬭᬩᬮᬶ", "ᬅ ᬓ᭄ᬱ ᬭ ᬩ ᬮᬶ"),
    "Tibetan": ("བཀྲ་ཤིས", "བཀྲ ་ ཤིས"),
    "digits and others": ("ดี๑๒good", "ดี ๑๒good"),
}


@pytest.fixture
def without_icu(monkeypatch):
    monkeypatch.setattr(module, "_word_breaker", lambda: None)


@pytest.fixture
def with_dictionary(monkeypatch):
    """ICU, as far as it is used here, with the words of one sentence."""

    def breaker(run, locale):
        ranges, at = [], 0
        for word in WORDS:
            if run.startswith(word, at):
                ranges.append((at, at + len(word)))
                at += len(word)
        return SimpleNamespace(segments=lambda: iter([*ranges, (at, len(run))] if at < len(run) else ranges))

    monkeypatch.setattr(module, "_word_breaker", lambda: breaker)


def cut(raw, words=None):
    return [raw[start:stop] for start, stop in words_in(raw, words)]


def box(**options):
    return exegesis.blackbox(
        lambda texts: [[0.9, 0.1] if "แย่" in text else [0.2, 0.8] for text in texts], labels=["n", "p"], **options
    )


@pytest.mark.parametrize("script", CLUSTERS)
def test_clusters_of_scripts_without_blanks(script, without_icu):
    raw, clusters = CLUSTERS[script]
    assert cut(raw) == clusters.split()
    assert [raw[token.start : token.stop] for token in tokenize(raw)] == clusters.split()


def test_a_dictionary_joins_clusters(with_dictionary):
    assert cut(THAI) == WORDS
    assert cut(f"({THAI}) good, {THAI}") == ["(", *WORDS, ")", "good", ",", *WORDS]
    result = exegesis.explain(box(), THAI, "leave-one-out")
    assert list(result.words) == WORDS
    assert result.scores[7] > 0.5
    assert abs(result.scores[:7]).max() == 0


def test_icu_has_the_dictionaries():
    pytest.importorskip("icu4py")
    assert cut(THAI) == WORDS
    assert cut("ភាពយន្តនេះល្អណាស់") == ["ភាពយន្ត", "នេះ", "ល្អ", "ណាស់"]
    assert "".join(cut("ดี\u0e34\u0e34ไไเ ๆ\u200bก็ꦲꦏ꧀")) == "ดี\u0e34\u0e34ไไเๆ\u200bก็ꦲꦏ꧀"


def test_the_fallback_is_said_once(caplog, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "icu4py.breakers", None)
    module._word_breaker.cache_clear()
    assert len(cut(THAI)) == len(cut(THAI)) == 17
    module._word_breaker.cache_clear()
    assert len(caplog.messages) == 1
    assert "pip install 'exegesis[segmentation]'" in caplog.text
    cut("good film")
    assert len(caplog.messages) == 1


def test_saved_results_and_spans_keep_working(tmp_path, with_dictionary):
    result = exegesis.explain(box(), THAI, "leave-one-out", level="all", spans=[(0, 3), (7, 9)])
    assert list(result.spans)[-2:] == [(0, 3), (7, 9)]
    result.save(tmp_path / "thai.json")
    assert exegesis.read(tmp_path / "thai.json") == result


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (lambda t: ["หนัง", "เรื่องนี้", "ดี"], ["หนัง", "เรื่องนี้", "ดี"]),
        (lambda t: [(0, 4), (4, 13), (13, 15)], ["หนัง", "เรื่องนี้", "ดี"]),
        (lambda t: [[0, 13]], ["หนังเรื่องนี้", "ดี"]),
        (lambda t: [("a", 0, 4), ("b", 13, 15)], ["หนัง", "เรื่", "อ", "ง", "นี้", "ดี"]),
        (lambda t: [], ["ห", "นั", "ง", "เรื่", "อ", "ง", "นี้", "ดี"]),
        (lambda t: [t], ["หนังเรื่องนี้ดี"]),
    ],
)
def test_words_of_the_user(words, found, without_icu):
    raw = THAI[:15]
    assert cut(raw, words) == found
    text = box(words=words).read(raw)
    assert list(text.word_strings()) == found
    assert "".join(text.pieces) == raw


def test_words_may_change_and_leave_out_characters():
    assert cut("Don't go, GOOD film!", lambda t: t.lower().replace("'", "").strip("!").split()) == [
        "Don't", "go", ",", "GOOD", "film", "!"
    ]  # fmt: skip
    assert cut(" a  b ", lambda t: t.split(" ")) == ["a", "b"]
    assert cut("I won't", lambda t: t.replace("won't", "will not").split()) == ["I", "won't"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (lambda t: [(0, 4), (2, 5)], "words= gives the characters 2 to 5"),
        (lambda t: [(0, 400)], "words= gives the characters 0 to 400"),
        (lambda t: [(-3, 2)], "words= gives the characters -3 to 2"),
        (lambda t: [4, 5], "words= must give strings"),
        (lambda t: "words", "words= must give a list of tokens, not a str"),
        (lambda t: 1 / 0, "function words= raised ZeroDivisionError"),
        (lambda t: t.split()[::-1], "the token 'film' is not in the text at its place: let words= give"),
    ],
)
def test_unusable_words_are_refused_in_one_line(words, message):
    with pytest.raises((UsageError, ModelError), match=message):
        box(words=words).read("a good film")


def test_blank_texts_are_refused():
    with pytest.raises(TextError, match="empty or blank"):
        words_in(" \n", str.split)


def test_words_over_the_tokens_of_a_vocabulary(without_icu):
    model = exegesis.load(words=lambda t: ["not good", "at all"])
    text = model.read("not good at all.")
    assert text.pieces == ("not", "good", "at", "all", ".")
    assert text.word_strings() == ("not good", "at all", ".")
    plain, worded = (exegesis.explain(m, "not good at all.", "reat") for m in (exegesis.load(), model))
    assert worded.explained == plain.explained
    sums = [sum(plain.scores[:2]), sum(plain.scores[2:4]), plain.scores[4]]
    np.testing.assert_allclose(worded.scores, sums, rtol=1e-6)


def test_words_over_the_pieces_of_hugging_face(without_icu):
    hf_toys = pytest.importorskip("tests.support.hf_toys")
    module = hf_toys.bert().eval()
    model = exegesis.wrap(module, tokenizer=hf_toys.wordpiece(), words=lambda t: ["a fine", "film"])
    assert model.read("a fine film!").word_strings() == ("a fine", "film", "!")
    straddled = exegesis.wrap(module, tokenizer=hf_toys.wordpiece(), words=lambda t: ["a fi", "ne film"])
    assert straddled.read("a fine film").word_strings() == ("a fine film",)


def test_vocabularies_that_list_clauses_are_read_as_before():
    old = Vocabulary(("<pad>", "<unk>", THAI, "ดี"))
    assert old.read(f"{THAI} ดี").ids == (2, 3)
    assert Vocabulary.from_texts([THAI]).read("ดี").ids != (1,)
