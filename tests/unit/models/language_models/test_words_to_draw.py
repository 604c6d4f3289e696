"""Language models for methods that draw words: counts of a corpus, any masked model; what all of them promise."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
import torch

import exegesis
from exegesis.core.errors import FileError, ModelError, UsageError
from exegesis.models.language_models.counted import CountedLanguageModel
from exegesis.models.language_models.masked import MaskedLanguageModel, load_masked
from exegesis.models.language_models.opening import open_language
from exegesis.protocols.language import fillings, generator

hf_toys = pytest.importorskip("tests.support.hf_toys")
CORPUS = ["a good film", "a bad film", "a good plot", "the plot is good"]


def masked(**options):
    import transformers

    torch.manual_seed(0)
    config = transformers.BertConfig(
        vocab_size=90, hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=32,
        max_position_embeddings=48,
    )  # fmt: skip
    module = transformers.BertForMaskedLM(config)
    for weight in module.parameters():  # so that what stands beside a place weighs
        if weight.dim() > 1:
            weight.data = torch.randn(weight.shape) * 0.5
    return MaskedLanguageModel(module, hf_toys.wordpiece(), "toy", **options)


MODELS = {
    "counts": lambda: CountedLanguageModel(CORPUS),
    "neighbours": lambda: CountedLanguageModel(CORPUS, order=2),
    "masked": masked,
    "masked, two at once": lambda: masked(at_once=2),
    "bundled": exegesis.language,
}


@pytest.mark.parametrize("name", MODELS)
def test_a_texts_draws_are_its_own(name):
    """Not its neighbours', their number's or order's; what stood at a position plays no part; seeds do."""
    language = MODELS[name]()
    texts = [["a", "good", "film"], ["really", "a", "fine", "plot", "of", "it"], ["a", "dull", "film"]]
    places = [[1], [0, 2, 3], [1]]
    together = fillings(language, texts, places, 4, 7)
    for text, where, some in zip(texts[::-1], places[::-1], together[::-1], strict=True):
        assert fillings(language, [text], [where], 4, 7)[0] == some
    assert together[0] == together[2]
    assert [len(filling) for filling in together[1]] == [3] * 4
    assert fillings(language, texts, places, 4, 8) != together
    assert fillings(language, [["a", "b"]], [[]], 3, 0) == [[(), (), ()]]


def test_words_come_as_often_as_the_corpus_holds_them():
    language = CountedLanguageModel(CORPUS)
    drawn = Counter(filling[0] for filling in fillings(language, [["x"]], [[0]], 4000, 1)[0])
    counts = Counter(" ".join(CORPUS).split())
    for word, count in counts.items():
        assert drawn[word] / 4000 == pytest.approx(count / counts.total(), abs=0.03)
    assert set(drawn) == set(counts)


def test_neighbours_decide_where_they_are_known():
    language = CountedLanguageModel(CORPUS, order=2)

    def at(words, places):
        return Counter(fillings(language, [words.split()], [places], 1000, 0)[0])

    assert set(at("a ? film", [1])) == {("good",), ("bad",)}  # c(a, good) c(good, film) / c(good) = 2/3, bad: 1
    assert at("a ? film", [1])[("good",)] / 1000 == pytest.approx(0.4, abs=0.05)
    # behind "a" the corpus has no word that stands before "is", so what follows "a" is drawn
    assert set(at("? ? is good", [0, 1])) == {("the", "plot"), ("a", "good"), ("a", "bad")}
    assert set(at("x ? film", [1])) == {("good",), ("bad",)}
    assert set(at("is ? y", [1])) == {("good",)}
    assert len(at("x ? y", [1])) == len(Counter(" ".join(CORPUS).split()))
    assert CountedLanguageModel(["A b"], cased=True).sample([["c"]], [[0]], 5, 0) != [[("a",)] * 5]


def test_what_holds_no_words_is_refused():
    for corpus, order, message in (
        (["  "], 1, "no words"),
        ([], 2, "no words"),
        (["a"], 3, "order must be 1 .* not 3"),
    ):
        with pytest.raises(UsageError, match=message):
            CountedLanguageModel(corpus, order)


def test_a_masked_model_draws_from_its_own_distribution():
    """As often as the softmax over whole words says; the module is left as it was."""
    language = masked()
    words = ["a", "?", "film"]
    tokenizer, module = language.tokenizer, language.module.eval()
    known = {n: s for s, n in tokenizer.get_vocab().items() if n not in tokenizer.all_special_ids and "##" not in s}

    def softmax(text, place):
        with torch.no_grad():
            logits = module(**tokenizer(text, return_tensors="pt")).logits[0, place].double()
        chances = logits[list(known)].softmax(0)
        return dict(zip(known.values(), chances.tolist(), strict=True))

    module.train()  # left so, and no draw may notice
    drawn = Counter(filling[0] for filling in fillings(language, [words], [[1]], 3000, 3)[0])
    assert module.training
    module.eval()
    expected = softmax("a [MASK] film", 2)
    likely = sorted(expected, key=lambda word: -expected[word])[:5]
    assert set(drawn) <= set(expected)
    for word in likely:
        assert drawn[word] / 3000 == pytest.approx(expected[word], abs=0.03)


def test_places_are_filled_from_left_to_right_given_those_before(monkeypatch):
    asked, weights = [], MaskedLanguageModel._weights
    monkeypatch.setattr(MaskedLanguageModel, "_weights", lambda self, w: asked.append(list(w)) or weights(self, w))
    ((first, second),) = fillings(masked(), [["a", "?", "fine", "?"]], [[1, 3]], 1, 0)[0]
    assert asked == [["a [MASK] fine [MASK]"], [f"a {first} fine [MASK]"]]
    assert second
    asked.clear()
    fillings(masked(at_once=2), [["a", "?", "fine", "?"]], [[1, 3]], 3, 0)
    assert asked == [["a [MASK] fine [MASK]"]]


def test_odd_texts_for_a_masked_model():
    language = masked()
    assert len(fillings(language, [["[MASK]", "?", "x[MASK]y"]], [[1]], 2, 0)[0]) == 2
    with pytest.raises(UsageError, match="more pieces than the language model toy reads"):
        fillings(language, [["film"] * 80], [[3]], 1, 0)
    with pytest.raises(UsageError, match="no mask token"):
        MaskedLanguageModel(language.module, hf_toys.whole_words(), "toy")
    with pytest.raises(UsageError, match="at_once"):
        masked(at_once=0)


def test_a_masked_model_from_its_folder(tmp_path):
    language = masked()
    language.module.save_pretrained(tmp_path / "mlm")
    language.tokenizer.save_pretrained(tmp_path / "mlm")
    again = load_masked(tmp_path / "mlm")
    asked = ([["a", "?", "film"]], [[1]], 5, 0)
    assert fillings(again, *asked) == fillings(language, *asked)
    assert open_language(str(tmp_path / "mlm")).name == str(tmp_path / "mlm")
    result = exegesis.explain("bundled", "a good film", "soc", language=str(tmp_path / "mlm"), samples=2, neighbours=1)
    assert np.isfinite(result.scores).all()
    hf_toys.bert().save_pretrained(tmp_path / "classifier")
    language.tokenizer.save_pretrained(tmp_path / "classifier")
    with pytest.raises(FileError, match="no trained masked language model"):
        load_masked(tmp_path / "classifier")
    with pytest.raises(FileError, match="no folder"):
        exegesis.language("/no/such/folder")


class Broken:
    name = "broken"

    def __init__(self, found):
        self.found = found

    def sample(self, texts, positions, count, seed):
        return self.found


@pytest.mark.parametrize(
    ("found", "message"),
    [([], "filled 0 of 1"), ([[("a",)]], "must give 2 fillings"), ([[("a", "b")] * 2], "must give 2 fillings of 1"),
     ([[("",)] * 2], "with one word"), ([[("a b",)] * 2], "one word without blanks")],
)  # fmt: skip
def test_a_language_model_is_held_to_its_promise(found, message):
    with pytest.raises(ModelError, match=message):
        fillings(Broken(found), [["x", "y"]], [[1]], 2, 0)


def test_positions_must_be_rising_numbers_of_words():
    for places in ([2], [-1], [1, 0], [0, 0]):
        with pytest.raises(UsageError, match="rising numbers"):
            fillings(CountedLanguageModel(CORPUS), [["x", "y"]], [places], 2, 0)


def test_random_numbers_belong_to_what_stays():
    same = [generator(words, [1], 3).random() for words in (["a", "b"], ["a", "c"])]
    assert same[0] == same[1]
    assert len({generator(["a", "b"], [1], 3).random(), generator(["a", "b"], [1], 4).random(),
                generator(["a", "b"], [0], 3).random(), generator(["x", "b"], [1], 3).random()}) == 4  # fmt: skip
