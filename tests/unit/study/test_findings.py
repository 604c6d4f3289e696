"""Failures, substitutions and summaries: what is planted in a bag of words is found, and nothing else."""

from __future__ import annotations

import math
import random
from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy import stats

import exegesis
from exegesis import study
from exegesis.core.errors import FileError, UsageError
from exegesis.core.text import Span, Text, text_of_words
from exegesis.statistics.bootstrap import spread
from exegesis.study.corpus import Corpus
from exegesis.study.failing import faults
from exegesis.study.failing.causes import Share
from exegesis.study.failing.faults import _drawn
from exegesis.study.failing.training_texts import TrainingTexts, read_training
from exegesis.study.summaries import _contrary, _tops
from exegesis.study.vocabulary.candidates import nearest, own_vectors
from exegesis.study.vocabulary.replacements import replaced, starts
from tests.support import study_toys as toys

# "friday" is a shortcut to "bad" (training texts with it are bad), though it says nothing
TEST = [
    ("it is fine", "good"), ("a great film", "good"), ("the film is awful", "bad"), ("it is poor", "bad"),
    ("a fine film friday", "good"), ("it is great", "good"), ("the friday film is fine", "good"),
    ("fine plot friday", "good"), ("monday film", "good"), ("it is awful friday", "bad"), ("the plot is poor", "bad"),
    ("a poor film monday", "bad"), ("really fine", "good"), ("very great", "good"), ("awful", "bad"), ("fine", "good"),
    ("great", "good"), ("great plot", "good"), ("poor poor film", "bad"), ("it is really great", "good"),
]  # fmt: skip
TRAIN = [("the film is poor friday", "bad")] * 12 + [("it is fine", "good")] * 12 + [("a great plot", "good")] * 8 + [
    ("awful monday", "bad"), ("fine monday", "good"), ("a poor film", "bad"), ("it is awful", "bad"),
]  # fmt: skip


@pytest.fixture(scope="module")
def bag():
    return toys.model()


def split(pairs):
    return [text for text, _ in pairs], [label for _, label in pairs]


@pytest.fixture(scope="module")
def failed(bag):
    texts, labels = split(TEST)
    train, known = split(TRAIN)
    return study.failures(bag, texts, labels, train=train, train_labels=known, method="leave-one-out")


def test_the_planted_shortcut_is_the_cause(failed) -> None:
    assert [one.word for one in failed.causes] == ["friday"]
    cause = failed.causes[0]
    assert (cause.label, cause.wrong, cause.cured, cause.uses, cause.errors) == ("bad", 3, 3, 4, 3)
    assert cause.score == pytest.approx(1.25)
    assert (cause.same, cause.truly) == (1.0, 0.25)
    assert set(cause.findings) == {"imbalanced", "context-blind", "shortcut"}
    assert len(cause.examples) == 2
    assert [word.text for word in cause.examples[0].words if word.marked] == ["friday"]


def test_the_training_counts_by_hand(failed) -> None:
    held = failed.causes[0].training
    assert held.labels == {"bad": 12}
    base = sum(label == "bad" for _, label in TRAIN) / len(TRAIN)
    assert (held.share, held.base) == (1.0, base)
    assert held.p == pytest.approx(stats.binomtest(12, 12, base).pvalue)
    assert failed.corpora.labels == {"bad": 15, "good": 21}
    assert failed.corpora.training_accuracy == 1.0
    assert (failed.corpora.right, failed.corpora.texts, failed.wrong) == (17, 20, 3)
    assert (failed.asked.texts, failed.asked.words) == (20, sum(len(text.split()) for text, _ in TEST))
    assert failed.cured == 3
    assert 0 < failed.by_chance < 3  # one word in four, four and three
    assert failed.confusion == {"bad": {"bad": 7, "good": 0}, "good": {"bad": 3, "good": 10}}


def test_accuracy_is_taken_of_training_texts_drawn_at_random(bag, monkeypatch) -> None:
    monkeypatch.setattr(faults, "MAX_SAMPLE", 10)
    raws, labels = ["fine"] * 40, ["bad"] * 20 + ["good"] * 20
    found = study.failures(bag, ["fine", "awful"], ["good", "bad"], train=raws, train_labels=labels,
                           method="leave-one-out").corpora  # fmt: skip
    assert found.sample == 10
    picks = random.Random(0).sample(range(40), 10)
    assert found.training_accuracy == np.mean([labels[i] == "good" for i in picks])
    assert 0 < found.training_accuracy < 1


def test_leakage_is_counted(bag, failed) -> None:
    assert [leak.text for leak in failed.corpora.leaks] == ["it is fine"]
    again = study.failures(
        bag, ["It  is fine", "a great film friday"], ["bad", "good"], train=["it is fine", "awful"],
        train_labels=["good", "bad"], method="leave-one-out",
    )  # fmt: skip
    assert (again.corpora.leaked, again.corpora.clashing) == (1, 1)
    assert again.corpora.leaks[0].training == "good"


@pytest.mark.parametrize(
    ("train", "findings"),
    [
        ([("fine", "good"), ("awful", "bad")], {"unseen"}),
        ([("friday", "bad"), ("fine", "good")], {"rare"}),
        ([("friday", "bad")] * 9 + [("friday", "good")] * 5 + [("fine", "good"), ("awful", "bad")] * 10, set()),
        ([("friday", "bad")] * 20 + [("fine", "good")] * 20, {"imbalanced", "giveaway", "shortcut"}),
        ([("friday", "good")] * 20 + [("fine", "bad")] * 20, {"giveaway"}),  # it speaks against its training texts
        ([("friday", "bad"), ("friday", "good")] * 10, set()),
    ],
)
def test_findings_follow_the_training_texts(bag, train, findings) -> None:
    texts, labels = split(TEST)
    raws, known = split(train)
    found = study.failures(bag, texts, labels, train=raws, train_labels=known, method="leave-one-out").causes[0]
    assert set(found.findings) == findings | {"context-blind"}


def causes_of(bag, pairs, train):
    texts, labels = split(pairs)
    raws, known = split(train)
    found = study.failures(bag, texts, labels, train=raws, train_labels=known, method="leave-one-out")
    return {one.word: one for one in found.causes}


LEANING = [("friday", "bad")] * 20 + [("fine", "good")] * 20


def test_the_error_that_chose_a_word_proves_nothing_of_it(bag) -> None:
    once = [("fine film friday", "good")] + [("fine", "good"), ("awful", "bad")] * 30
    friday = causes_of(bag, once, LEANING)["friday"]
    assert (friday.uses, friday.errors) == (1, 1)
    assert stats.binomtest(1, 1, 1 / 61).pvalue < 0.05  # what a test that forgets the choice would say
    assert set(friday.findings) == {"imbalanced", "giveaway"}
    again = causes_of(bag, [("fine plot friday", "good"), *once], LEANING)["friday"]
    # two of two: one chance in C(62, 2) that both are; given one it is 1 of 123
    assert "shortcut" in again.findings


def test_a_word_whose_texts_are_right_is_no_shortcut(bag) -> None:
    texts = [("fine film friday", "good")] + [("awful friday", "bad")] * 12 + [("fine", "bad"), ("awful", "bad")] * 12
    friday = causes_of(bag, texts, LEANING)["friday"]
    assert (friday.uses, friday.errors) == (13, 1)
    assert stats.binomtest(1, 13, 13 / 37).pvalue < 0.05  # far fewer errors than others, which is no fault
    assert "shortcut" not in friday.findings


def test_the_chance_of_errors_by_hand() -> None:
    # of 6 texts 3 are wrong, 2 hold the word: both wrong 3 of 15, one or more 12 of 15
    assert Share(6, 3, 1).chance(2, 2) == pytest.approx(3 / 12)
    assert Share(6, 3, 1).chance(1, 2) == 1
    assert Share(6, 3, 3).chance(2, 2) == pytest.approx(9 / 12)
    assert Share(6, 3, 9).chance(2, 2) == 1


def test_all_causes_that_are_asked_about_are_counted(bag) -> None:
    wrong = ["fine film friday", "fine plot friday", "awful film", "poor", "awful plot", "poor plot"]
    texts = [(text, "good") for text in wrong] + [("fine", "good"), ("awful", "bad")] * 30
    even = [("awful", "good"), ("poor", "good"), ("awful", "bad"), ("poor", "bad")] * 10
    chance = math.comb(6, 2) / (math.comb(66, 2) - math.comb(60, 2))
    assert chance < 0.05 < 2 * chance
    found = causes_of(bag, texts, [*LEANING, *even])
    assert len(found) == 3
    assert "shortcut" in found["friday"].findings  # the others do not lean in training: nothing is asked of them
    found = causes_of(bag, texts, [*LEANING, *even, *[("awful", "bad"), ("great", "good")] * 40])
    assert "imbalanced" in found["awful"].findings
    assert "shortcut" not in found["friday"].findings


def test_a_word_counts_once_a_training_text(bag) -> None:
    known = read_training(bag, Corpus(("fine fine film", "Fine", "awful"), ("good", "bad", "bad")))
    assert known.words["fine"] == {"good": 1, "bad": 1}
    assert known.of("fine", "good").share == 0.5


def test_the_share_of_a_label_is_tested_on_both_sides() -> None:
    known = TrainingTexts({"friday": {"bad": 12}}, {"bad": 20, "good": 20}, {})
    assert known.of("friday", "good").p == known.of("friday", "bad").p == pytest.approx(2 / 2**12)


def said_of(table):
    """A black box that says "yes" by a table of texts, else is undecided."""

    def says(texts):
        chances = [table.get(" ".join(text.split()), 0.45) for text in texts]
        return [[1 - chance, chance] for chance in chances]

    return exegesis.blackbox(says, ["no", "yes"])


def test_a_use_of_a_word_is_its_mean_in_the_text() -> None:
    table = {"x b": 0.9, "b": 0.2, "x": 0.8, "x a x": 0.4, "a x": 0.3, "x a": 0.7, "x x": 0.4, "q": 0.9}
    found = study.failures(
        said_of(table), ["x b", "x a x", "q"], ["no", "no", "yes"], method="leave-one-out",
        target="probability:predicted",
    )  # fmt: skip
    (cause,) = found.causes
    assert (cause.word, cause.label, cause.wrong) == ("x", "yes", 1)
    assert (cause.uses, cause.same) == (2, 0.5)  # in the second text +0.1 and -0.3


def test_a_cause_speaks_for_what_it_made_the_model_say_most_often() -> None:
    """ "x" is blamed for "no" twice and for "yes" once; in the fourth text, said rightly, it speaks for "yes"."""
    table = {}
    for name, whole, rest in (("a", 0.1, 0.4), ("b", 0.1, 0.4), ("c", 0.9, 0.6), ("d", 0.9, 0.6)):
        table |= dict.fromkeys([f"x {name} {name}", f"x {name}"], whole) | {f"{name} {name}": rest}
    texts = [f"x {name} {name}" for name in "abcd"]
    found = study.failures(
        said_of(table), texts, ["yes", "yes", "no", "yes"], method="leave-one-out", target="probability:predicted"
    )
    cause = found.causes[0]
    assert (cause.word, cause.wrong, cause.label) == ("x", 3, "no")
    assert cause.same == 0.5  # for "no" in two of four texts, whatever is predicted there


def test_causes_that_cure_stand_first_and_chance_is_counted_by_hand(bag) -> None:
    texts = ["awful friday", "awful friday film", "fine friday film", "poor"]
    found = study.failures(bag, texts, ["good", "good", "good", "bad"], method="leave-one-out")
    assert [(one.word, one.wrong, one.cured) for one in found.causes] == [("friday", 1, 1), ("awful", 2, 0)]
    alone = _drawn(bag.read("fine friday film")).count(1)  # only without "friday" it comes right
    assert 0 < alone < 5
    assert found.by_chance == alone / 5


def test_a_cause_that_cures_nothing_is_told_apart(bag) -> None:
    found = study.failures(bag, ["awful friday", "poor"], ["good", "bad"], method="leave-one-out")
    assert [(one.word, one.wrong, one.cured) for one in found.causes] == [("awful", 1, 0)]
    assert (found.cured, found.by_chance) == (0, 0.0)


def test_no_failures_is_an_answer(bag) -> None:
    found = study.failures(bag, ["fine", "awful"], [1, "bad"], method="leave-one-out")
    assert (found.wrong, found.causes) == (0, ())
    assert "nothing to explain" in found.table()


# substitution -------------------------------------------------------------------------------------------

TEXT = "it is fine terribly"


def test_a_synonym_flips_the_prediction_and_is_found(bag) -> None:
    found = study.substitute(
        bag, TEXT, synonyms={"terribly": ["really", "Very", "awful"]}, method="leave-one-out", gold="good",
        tagger=toys.tagger,
    )  # fmt: skip
    assert found.word == "terribly"
    assert (found.before.label, found.before.gold) == ("bad", "good")
    assert {swap.word: swap.flips for swap in found.swaps} == {"really": True, "very": True, "awful": False}
    assert [swap.same_tag for swap in found.swaps] == [True, True, False]
    assert found.swaps[0].probability == pytest.approx(1 / (1 + math.exp(2.2)))
    assert [pair.after.raw for pair in found.pairs] == ["it is fine really", "it is fine very"]
    assert [w.text for w in found.pairs[0].after.words if w.marked] == ["really"]


def test_listed_synonyms_stand_before_words_of_the_same_part_of_speech(bag) -> None:
    class Says:
        name = "says"

        def sample(self, texts, positions, count, seed):
            return [[("really",)] * count for _ in texts]

    found = study.substitute(
        bag, TEXT, "terribly", synonyms={"terribly": ["film", "very"]}, language=Says(), method="leave-one-out",
        tagger=toys.tagger,
    )  # fmt: skip
    assert [(one.word, one.same_tag) for one in found.flips] == [("film", False), ("very", True), ("really", True)]
    assert [one.after.raw for one in found.pairs] == ["it is fine very", "it is fine film", "it is fine really"]


def test_a_swap_is_tried_on_other_texts_both_ways(bag) -> None:
    data = ["really fine", "really great", "fine terribly", "terribly great", TEXT, "awful"]
    labels = ["good", "good", "good", "good", "good", "bad"]
    found = study.substitute(
        bag, TEXT, "terribly", data=data, labels=labels, synonyms={"terribly": ["really"]}, method="leave-one-out",
        tagger=toys.tagger,
    )  # fmt: skip
    there, back = found.transfers
    # fine terribly: 2 - 2.5 + .2 < 0 flips; great terribly: 3 - 2.5 + .2 > 0 does not; the text itself is left out
    assert (there.old, there.new, there.texts, there.flips, there.mended, there.broken) == (
        "terribly",
        "really",
        2,
        1,
        1,
        0,
    )
    assert (back.old, back.new, back.texts, back.flips, back.mended, back.broken) == ("really", "terribly", 2, 1, 0, 1)
    sure = [1 / (1 + math.exp(-z)) for z in (2.2, 3.2, -0.3, 0.7)]
    assert back.change == pytest.approx(((sure[2] - sure[0]) + (sure[3] - sure[1])) / 2)
    assert back.examples[0].after.raw == "terribly fine"


def test_neighbours_are_nearest_by_hand(bag) -> None:
    vectors = {"a": np.array([1.0, 0]), "b": np.array([2.0, 0.1]), "c": np.array([0, 1.0]), "d": np.zeros(2)}
    assert nearest("a", vectors, 5) == ["b", "c"]
    assert nearest("z", vectors, 5) == []
    found = study.substitute(
        bag, TEXT, "terribly", data=["really awful", "very fine"], neighbours=2, method="leave-one-out",
        vectors={"terribly": np.array([1.0, 0]), "very": np.array([1.0, 1]), "awful": np.array([1.0, 0.2])},
        tagger=toys.tagger,
    )  # fmt: skip
    assert [(s.word, s.sources) for s in found.swaps] == [("awful", ("neighbours",)), ("very", ("neighbours",))]
    own = study.substitute(bag, TEXT, "terribly", data=["awful fine film"], neighbours=2, method="leave-one-out",
                           tagger=toys.tagger)  # fmt: skip
    assert own.swaps[0].word == "awful"  # the model's vectors of both point to "bad"


def test_vectors_of_words_that_the_model_does_not_know_are_left_out(bag) -> None:
    found = own_vectors(bag, ["fine", "zzzq", "awful"])
    assert {word: vector.tolist() for word, vector in found.items()} == {"fine": [-1, 1], "awful": [1.5, -1.5]}


def test_a_vector_of_several_pieces_is_their_mean(monkeypatch) -> None:
    pieces = [Span(0, 1), Span(1, 3)]
    text = Text(
        "a bc", ("a", "b", "c"), (2, 3, 5), ((0, 1), (2, 3), (3, 4)), tuple(pieces), (Span(0, 3),), (False,) * 3
    )

    bag = toys.model()
    read = bag.read
    monkeypatch.setattr(bag, "read", lambda word: replace(text, words=(pieces[1],)) if word == "bc" else read(word))
    found = own_vectors(bag, ["bc", "fine"])
    rows = bag.embed(bag.encode([text])).detach().numpy()[0]
    assert found["bc"] == pytest.approx(rows[1:3].mean(0))
    assert not np.allclose(rows[1], rows[2])


def test_a_word_with_a_letter_is_replaced_by_default() -> None:
    model = said_of({"film !": 0.9, "film": 0.2, "!": 0.8})
    found = study.substitute(
        model, "film !", synonyms={"film": ["plot"]}, method="leave-one-out", tagger=lambda words: ["NN"] * len(words)
    )
    assert [word.score for word in found.before.words] == pytest.approx([0.1, 0.7])
    assert found.word == "film"


def test_a_language_model_is_asked() -> None:
    class Says:
        name = "says"

        def sample(self, texts, positions, count, seed):
            return [[("really",) if i % 3 else ("very",) for i in range(count)] for _ in texts]

    found = study.substitute(toys.model(), TEXT, "terribly", language=Says(), method="leave-one-out",
                             synonyms={"terribly": ["very"]}, tagger=toys.tagger)  # fmt: skip
    assert {s.word: s.sources for s in found.swaps} == {
        "very": ("synonyms", "language model"),
        "really": ("language model",),
    }


def test_a_replaced_text_keeps_capitals_and_pairs() -> None:
    model = exegesis.wrap(toys.Bag().eval(), vocabulary=toys.WORDS, labels=["bad", "good"])
    text = model.read("Terribly fine, TERRIBLY")
    assert replaced(text.raw, text, [0, 3], "very") == "Very fine, VERY"
    assert replaced("A film", model.read("A film"), [0], "the") == "The film"

    both = text_of_words(
        "is fine\nis awful", [("is", 0, 2), ("fine", 3, 7), ("is", 8, 10), ("awful", 11, 16)], range(4)
    )
    both = replace(both, segments=(Span(0, 2), Span(2, 4)))
    assert replaced(("is fine", "is awful"), both, [0, 2], "was") == ("was fine", "was awful")
    assert replaced(("is fine", "is awful"), both, [0], "so", 2) == ("so", "is awful")
    assert (starts(both, ["fine", "is"]), starts(both, ["is"])) == ([], [0, 2])  # no phrase crosses the border


def test_words_are_found_one_after_another() -> None:
    text = toys.model().read("very very Very fine very")
    assert starts(text, ["very", "very"]) == [0]  # no word is taken twice
    assert starts(text, ["very", "fine"]) == [2]
    assert starts(text, []) == []
    assert replaced(text.raw, text, [2], "really so", 2) == "very very Really so very"


def test_all_swaps_that_flip_are_tried_on_other_texts(bag) -> None:
    found = study.substitute(
        bag, TEXT, "terribly", data=["fine terribly"], synonyms={"terribly": ["really", "awful", "very"]},
        method="leave-one-out", tagger=toys.tagger,
    )  # fmt: skip
    assert [(one.old, one.new) for one in found.transfers] == [
        ("terribly", "really"), ("terribly", "very"), ("really", "terribly"), ("very", "terribly"),
    ]  # fmt: skip


def test_nothing_is_broken_or_mended_where_no_label_is_known(bag) -> None:
    found = study.substitute(
        bag, TEXT, "terribly", data=["fine terribly", "really fine"], synonyms={"terribly": ["really"]},
        method="leave-one-out", tagger=toys.tagger,
    )  # fmt: skip
    assert [(one.flips, one.broken, one.mended) for one in found.transfers] == [(1, 0, 0), (1, 0, 0)]


def test_a_replacement_of_two_words_is_tried_back(bag) -> None:
    data = ["not really fine", "really not fine", "Not really not really great", "fine", TEXT]
    found = study.substitute(
        bag, TEXT, "terribly", data=data, labels=["bad", "bad", "good", "good", "good"], method="leave-one-out",
        synonyms={"terribly": ["not really"]}, tagger=toys.tagger,
    )  # fmt: skip
    there, back = found.transfers
    assert (there.old, there.new, there.texts) == ("terribly", "not really", 0)  # the text itself is left out
    assert (back.old, back.new, back.texts) == ("not really", "terribly", 2)
    # fine: 2 - .5 + .2 > 0, with terribly 2 - 2.5 + .2 < 0; great: 3 - 1 + .2 > 0, with two 3 - 5 + .2 < 0
    assert (back.flips, back.mended, back.broken) == (2, 1, 1)
    sure = [1 / (1 + math.exp(-z)) for z in (1.7, -0.3, 2.2, -1.8)]
    assert back.change == pytest.approx((sure[1] - sure[0] + sure[3] - sure[2]) / 2)
    assert {one.after.raw for one in back.examples} == {"terribly fine", "Terribly terribly great"}
    assert [w.text for w in found.pairs[0].after.words if w.marked] == ["not", "really"]


def test_a_list_of_synonyms_is_read(tmp_path) -> None:
    (tmp_path / "s.txt").write_text("# mine\nTerribly: extremely, very\n\nbad\tpoor\n")
    assert study.read_synonyms(tmp_path / "s.txt") == {"terribly": ["extremely", "very"], "bad": ["poor"]}
    (tmp_path / "s.txt").write_text("fine\n")
    with pytest.raises(FileError, match="line 1"):
        study.read_synonyms(tmp_path / "s.txt")


# summary ------------------------------------------------------------------------------------------------


def test_a_summary_by_hand(bag) -> None:
    texts, labels = split(TEST)
    train, known = split([("friday fine", "good")] * 20 + [("awful", "bad")] * 20)
    found = study.summary(bag, texts * 3, labels * 3, train=train, train_labels=known, method="leave-one-out",
                          minimum=3)  # fmt: skip
    tops = {label: [w.word for w in found.words if w.label == label] for label in ("bad", "good")}
    assert tops == {"bad": ["awful", "friday", "poor"], "good": ["great", "fine", "plot"]}
    assert found.words[0].spread.median == pytest.approx(1.5)
    assert found.accuracy == pytest.approx(17 / 20)
    assert found.labels == {"bad": 30, "good": 30}
    assert [(one.word, one.label) for one in found.contrary] == [("friday", "good")]
    assert found.doubtful == 0  # in a bag of words the top words are the reason


class Three(torch.nn.Module):
    """Logits are the sums of the words' vectors: "fine" adds (1, 2, 6)."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = torch.nn.Embedding(4, 3)
        self.embedding.weight.data = torch.tensor([[0.0] * 3, [0.0] * 3, [1.0, 2.0, 6.0], [0.0, 0.0, 1.0]])

    def forward(self, ids, mask):
        return (self.embedding(ids) * mask[..., None]).sum(1)


def test_scores_of_a_label_are_those_above_the_mean_over_labels() -> None:
    words = ["<pad>", "<unk>", "fine", "so"]
    model = exegesis.wrap(Three().eval(), vocabulary=words, tokenizer=str.split, labels=["a", "b", "c"])
    found = study.summary(model, ["fine so"], method="leave-one-out", minimum=1)
    assert {(one.word, one.label): one.spread.median for one in found.words} == {
        ("fine", "c"): pytest.approx(3.0), ("so", "c"): pytest.approx(2 / 3),
    }  # fmt: skip


def test_a_text_whose_reason_is_elsewhere_is_doubtful() -> None:
    def says(texts):  # "and" alone decides, but only where both "x" and "y" do not stand: no word left out changes it
        return [[0.02, 0.98] if "x" in t or "y" in t else [0.9, 0.1] for t in texts]

    model = exegesis.blackbox(says, ["no", "yes"])
    found = study.summary(model, ["x y z z z"], method="leave-one-out", kind="probability", minimum=1)
    assert (found.confident, found.doubtful) == (1, 1)
    assert found.unfaithful[0].top == pytest.approx(0)


def test_words_below_a_hundredth_of_the_strongest_are_left_out() -> None:
    usual = {
        word: [(i, np.array([score])) for i in range(3)] for word, score in (("a", 2.0), ("b", 0.019), ("c", 0.021))
    }
    assert [one.word for one in _tops(usual, 0, "good", 9, 50, 0)] == ["a", "c"]


def test_a_word_that_may_speak_either_way_is_not_contrary(bag) -> None:
    """Its median lies below 0, but the interval of the median holds 0: nothing is claimed."""
    rows = [(i, np.array([-score, score])) for i, score in enumerate([-1.0, -1.0, -1.0, -1.0, 2.0, 2.0])]
    sure = [(i, np.array([1.0, -1.0])) for i in range(6)]
    words = {"it": {"good": 20}, "so": {"good": 20}}
    known = TrainingTexts(words, {"good": 40, "bad": 40}, {})
    found = _contrary({"it": rows, "so": sure}, known, ["bad", "good"], 500, 0)
    assert [one.word for one in found] == ["so"]
    known = TrainingTexts({"so": {"good": 9}, "it": {"good": 10}}, {"good": 40, "bad": 40}, {})
    found = _contrary({"so": sure, "it": sure}, known, ["bad", "good"], 500, 0)
    assert [one.word for one in found] == ["it"]  # ten training texts, no fewer
    low = spread(np.array([-1.0, -1.0, -1.0, -1.0, 2.0, 2.0]), np.arange(6), 500, 0)
    assert low.median < 0 < low.median_high


def test_random_words_are_as_many_as_the_top_words() -> None:
    """A text of 15 words loses 3 of them: any 3, and any 1, would be told apart by how far the model falls."""
    said = []

    def says(texts):  # each word of the text holds up the prediction by the same amount
        said.extend(texts)
        return [[0.06 * (15 - len(t.split())), 1 - 0.06 * (15 - len(t.split()))] for t in texts]

    model = exegesis.blackbox(says, ["no", "yes"])
    text = " ".join(f"w{i}" for i in range(15))
    found = study.summary(model, [text], method="leave-one-out", kind="probability", minimum=1)
    assert (found.confident, found.doubtful) == (1, 1)  # its top words weigh no more than any others
    one = found.unfaithful[0]
    assert (one.removed, one.top, one.random) == (3, pytest.approx(0.18), pytest.approx(0.18))
    assert sum(len(t.split()) == 12 for t in said) >= 2


def test_the_most_doubtful_texts_stand_first() -> None:
    def says(texts):  # no word alone matters; three do in the second text, unless they are its first three
        held = [set(text.split()) for text in texts]
        fall = [0.3 if "x9" in own and len(own) == 12 and own & {"x0", "x1", "x2"} else 0.0 for own in held]
        return [[0.05 + one, 0.95 - one] for one in fall]

    model = exegesis.blackbox(says, ["no", "yes"])
    texts = [" ".join(f"{name}{i}" for i in range(15)) for name in "wx"]
    kept = {"method": "leave-one-out", "kind": "probability", "minimum": 1}
    found = study.summary(model, texts, **kept)
    assert [one.text.number for one in found.unfaithful] == [1, 0]
    assert found.unfaithful[0].random > 0.05 > found.unfaithful[0].top == found.unfaithful[1].random == 0
    turned = found.unfaithful[0].random / 0.03  # how many of the ten random draws make the model fall by 0.3
    assert turned == pytest.approx(round(turned))
    assert 0 < turned < 10
    one = study.summary(model, texts, texts=1, **kept)
    assert ([each.text.number for each in one.unfaithful], one.doubtful) == ([1], 2)


# all ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("what", ["failures", "substitute", "summary"])
def test_results_are_saved_and_shown(bag, failed, what, tmp_path) -> None:
    texts, labels = split(TEST)
    found = {
        "failures": lambda: failed,
        "substitute": lambda: study.substitute(
            bag, "<u>fine</u> terribly", "terribly", data=texts, synonyms={"terribly": ["<b>really</b>", "very"]},
            method="leave-one-out", tagger=lambda words: ["RB"] * len(words),
        ),
        "summary": lambda: study.summary(bag, texts, labels, train=texts, train_labels=labels, method="leave-one-out"),
    }[what]()  # fmt: skip
    again = exegesis.read(found.save(tmp_path / "a.json"))
    assert again == found
    assert again.to_dict() == found.to_dict()
    assert again.table() == found.table()
    page = found.save(tmp_path / "a.html").read_text()
    assert "<script" not in page
    assert "<b>really" not in page
    assert "<u>fine" not in page
    assert found.save(tmp_path / "a.svg").read_bytes().startswith(b"<?xml")


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda m: study.failures(m, ["fine", "awful"]), "2 of 2 texts have no label"),
        (lambda m: study.failures(m, ["fine", "great"], ["good", "good"]), "one label only"),
        (lambda m: study.failures(m, [], []), "no texts"),
        (lambda m: study.failures(m, ["fine", "awful"], ["good", "bad"], train=["fine"]), "1 of 1 texts have no label"),
        (lambda m: study.failures(m, ["fine", "awful"], ["good", "bad"], target="good"), "leave the target out"),
        (
            lambda m: study.failures(m, ["fine", "awful"], ["bad", "good"], method="gradient", norm="l2"),
            "without a sign",
        ),
        (lambda m: study.substitute(m, "it is fine", "terribly"), "does not hold"),
        (lambda m: study.substitute(m, "it is fine", "fine", synonyms={"poor": ["bad"]}), "no replacement for"),
        (lambda m: study.substitute(m, "it is fine", "fine", neighbours=3), "give data"),
        (lambda m: study.substitute(m, " ", "fine"), "empty|no word"),
        (lambda m: study.summary(m, []), "no texts"),
        (lambda m: study.summary(m, ["fine"], train=["fine"]), "no label"),
    ],
)
def test_wrong_use_is_one_line(bag, call, says) -> None:
    with pytest.raises(UsageError, match=says) as error:
        call(bag)
    assert "\n" not in str(error.value)


def test_hostile_texts_are_shown_harmlessly(bag, tmp_path) -> None:
    texts = ["\x1b[31mawful\x07 \ud800 film", "שלום fine 😀", "<script>alert(1)</script> poor", "awful " * 40]
    labels = ["bad", "good", "bad", "bad"]
    results = [
        study.words(bag, texts, "leave-one-out", tagger=lambda words: ["<NN>"] * len(words)),
        study.word(bag, texts, ["awful"], "leave-one-out", labels=labels),
        study.failures(bag, texts, labels, train=texts, train_labels=labels, method="leave-one-out"),
        study.substitute(bag, texts[0], "film", synonyms={"film": ["<script>", "\x1b[0m"]}, method="leave-one-out",
                         tagger=lambda words: ["NN"] * len(words)),
    ]  # fmt: skip
    for found in results:
        assert "\x1b" not in found.table(width=40)
        page = found.save(tmp_path / "a.html").read_text()
        assert "<script>" not in page
        assert "\x1b" not in page
        assert "\x1b" not in found.save(tmp_path / "a.svg").read_text()


def test_sizes_without_a_sign_can_be_looked_at(bag) -> None:
    found = study.words(bag, ["fine film", "awful plot"], "gradient", tagger=toys.tagger)
    assert not found.asked.signed
    assert found.of("JJ").spread.low > 0
