"""Shapley and Owen values, HEDGE, ACD, SOC and their trees against plain versions with one call of the model a text."""

from __future__ import annotations

import json
from functools import lru_cache, partial

import numpy as np
import pytest
import torch

import exegesis
from exegesis.api import blackbox, explain, hierarchy, interactions
from exegesis.core.errors import FileError, SpanError, TextError, UsageError
from exegesis.core.nested import nest
from exegesis.core.text import Span
from exegesis.mech.decomposition.contexts import neighbourhood
from exegesis.mech.removal.shapley import predecessors, price
from exegesis.models.language_models.counted import CountedLanguageModel
from exegesis.models.modules.wrap import wrap
from exegesis.nn.rounding import tie
from exegesis.protocols.language import fillings
from exegesis.questions.attributions.leave_one_out import LeaveOneOut
from exegesis.questions.attributions.scd import Scd
from exegesis.questions.attributions.shapley import Shapley
from exegesis.questions.attributions.soc import Soc
from exegesis.questions.phrases import hedge
from exegesis.questions.phrases.agglomerative import Agglomerative
from exegesis.questions.phrases.hedge import Hedge
from exegesis.questions.phrases.trees import Owen
from exegesis.results.hierarchy import Hierarchy
from tests.reference import hierarchies as slow
from tests.support.torch_toys import WORDS, Bag, Shape, model, texts

FILLERS = {"drop": None, "pad": "<pad>", "unknown": "<unk>", "mask": "<mask>"}
LSTM = Shape("lstm", starts=True, seed=3)
SHAPES = [LSTM, Shape("gru", 1, True, "mean", seed=4), Shape("gru", bends=True, seed=5), Shape("lstm", 2, seed=6)]
SEARCHES = ("acd", "soc", "hedge", "parse", "owen")


@lru_cache(None)
def seen(shape=LSTM):
    return model(shape)


@lru_cache(None)
def numbers(classifier, kind="logit"):
    """The user's own forward, one text a call: every label's number of a list of words."""

    @lru_cache(None)
    def f(words):
        batch = classifier.encode([classifier.read(" ".join(words) or "w0")])
        if not words:  # nothing remains: one pad
            batch = type(batch)(torch.zeros_like(batch.ids), batch.mask, batch.segments)
        raw = classifier.outputs(batch)[0]
        return tuple((raw.softmax(0) if kind == "probability" else raw).tolist())

    return f


def kept(classifier, words, how, label, kind="logit"):
    f = numbers(classifier, kind)

    def value(some):
        if how == "drop":
            return f(tuple(w for i, w in enumerate(words) if i in some))[label]
        return f(tuple(w if i in some else FILLERS[how] for i, w in enumerate(words)))[label]

    return value


def number_of(f, label, words):
    return f(tuple(words))[label]


def spans_of(result):
    """A hierarchy as {span of words: (score, interaction, children)}."""
    found = {}
    for part in result.parts:
        children = [tuple(result.text.words_under(result.parts[child].span)) for child in part.children]
        found[tuple(result.text.words_under(part.span))] = (part.score, part.interaction, children)
    return found


# Shapley and Owen values ------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["drop", "pad", "mask"])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_shapley_values_are_means_over_all_orders(shape, how):
    classifier = seen(shape)
    for result in explain(classifier, texts([5, 1, 2], shape.seed), "shapley", "all", how=how):
        words = list(result.words)
        for label in range(3):
            f = kept(classifier, words, how, label)
            np.testing.assert_allclose(result.scores[label], slow.shapley(f, len(words)), rtol=0, atol=1e-10)
            np.testing.assert_allclose(result.account["the empty text"][label], f(frozenset()), rtol=0, atol=1e-12)
        np.testing.assert_allclose(result.gap, 0, atol=1e-10)
        assert result.details == {"exact": True, "coalitions": 2 ** len(words)}


def test_shapley_values_of_a_linear_model_are_its_terms():
    """f(x) = b + sum of w.x: exactly, and by sampling too, without any error."""
    module = Bag(seed=2)
    classifier = wrap(module, vocabulary=WORDS, tokenizer=str.split)
    text = texts([6], 1)[0]
    vectors = module.embedding.weight[[WORDS.index(word) for word in text.split()]].double()
    terms = (vectors @ module.out.weight.double().t()).t().detach().numpy()
    pad = (module.embedding.weight[0].double() @ module.out.weight.double().t()).detach().numpy()
    exact = explain(classifier, text, "shapley", "all", how="pad")
    np.testing.assert_allclose(exact.scores, terms - pad[:, None], atol=1e-10)
    drawn = explain(classifier, text, "shapley", "all", exact=3, samples=4, how="pad")
    np.testing.assert_allclose(drawn.scores, terms - pad[:, None], atol=1e-10)
    np.testing.assert_allclose(drawn.details["standard_error"], 0, atol=1e-9)
    assert drawn.details["exact"] is False


def test_sampled_shapley_values_lie_within_their_errors():
    """Over several texts and seeds the errors are as large as stated: their mean square, in those, is near 1."""
    classifier = seen(Shape("gru", bends=True, seed=5))
    ratios = []
    for seed in range(4):
        exact = explain(classifier, texts([8, 7, 6], 2), Shapley(exact=12))
        drawn = explain(classifier, texts([8, 7, 6], 2), Shapley(exact=0, samples=80, seed=seed))
        for one, other in zip(exact, drawn, strict=True):
            errors = np.array(other.details["standard_error"])[0]
            assert other.details["orders"] == 80
            assert (errors > 0).all()
            np.testing.assert_allclose(other.gap, 0, atol=1e-10)
            ratios += list((one.scores - other.scores) / errors)
    assert 0.6 < np.mean(np.square(ratios)) < 1.7


def test_each_order_is_followed_by_its_reverse():
    """What errs in opposite directions along an order and its reverse cancels: here, all of it."""
    text = texts([5], 3)[0]

    def pairs(rows):  # the product of the first and last word present
        z = np.array([len(row.split()) ** 2 / 100 for row in rows])
        return np.stack([1 - z, z], 1)

    found = explain(blackbox(pairs, ["a", "b"]), text, Shapley(exact=0, samples=4), "b")
    np.testing.assert_allclose(found.scores, 0.05, atol=1e-12)
    np.testing.assert_allclose(found.details["standard_error"], 0, atol=1e-12)


def test_an_odd_number_of_orders_is_refused():
    for options in ({"samples": 5}, {"samples": 2}, {"exact": 17}, {"exact": -1}):
        with pytest.raises(
            UsageError,
            match=r"samples must be an even number of|exact must be .* from 0 to 16",
        ):
            Shapley(**options)


TREES = [
    [[0, 1], [2, 3, 4]],
    [0, [1, 2], 3],
    [[[0, 1], 2], [3, 4], 5],
    [0, 1, 2, 3],
]


def spans_in(tree):
    words = slow.words_of(tree)
    inner = [] if isinstance(tree, int) else [span for part in tree for span in spans_in(part)]
    return [(words[0], words[-1] + 1), *inner]


@pytest.mark.parametrize("tree", TREES, ids=str)
def test_owen_values_are_means_over_the_orders_of_the_tree(tree):
    count = len(slow.words_of(tree))
    for shape in SHAPES[:3]:
        classifier = seen(shape)
        text = texts([count], 7)[0]
        result = hierarchy(classifier, text, "owen", tree=spans_in(tree))
        label = classifier.labels.index(result.prediction.label)
        f = kept(classifier, text.split(), "drop", label)
        expected = slow.owen(f, tree)
        np.testing.assert_allclose(result.words().scores, expected, rtol=0, atol=1e-10)
        for (start, stop), (score, interaction, _) in spans_of(result).items():
            np.testing.assert_allclose(score, sum(expected[start:stop]), atol=1e-10)
            assert interaction is None
        np.testing.assert_allclose(result.root.score + result.account["the empty text"], result.explained, atol=1e-10)
        np.testing.assert_allclose(result.words().gap, 0, atol=1e-10)
        assert result.complete


def test_owen_values_of_the_flat_tree_are_shapleys():
    classifier = seen()
    for text in texts([6, 3, 1], 5):
        flat = hierarchy(classifier, text, "owen", tree=[])
        np.testing.assert_allclose(flat.words().scores, explain(classifier, text, "shapley").scores, atol=1e-10)


def test_drawn_owen_values_keep_phrases_together():
    classifier, text = seen(SHAPES[2]), texts([7], 1)[0]
    spans = [(0, 3), (3, 7), (4, 6)]
    exact = hierarchy(classifier, text, "owen", tree=spans)
    drawn = hierarchy(classifier, text, "owen", tree=spans, limit=0, samples=400)
    errors = np.array(drawn.details["standard_error"])
    ratios = (exact.words().scores - drawn.words().scores) / errors
    assert (drawn.details["exact"], exact.details["exact"]) == (False, True)
    assert np.mean(ratios**2) < 2.5
    assert not np.allclose(explain(classifier, text, "shapley").scores, exact.words().scores, atol=3 * errors.max())
    np.testing.assert_allclose(drawn.root.score + drawn.account["the empty text"], drawn.explained, atol=1e-10)


@pytest.mark.parametrize("tree", TREES, ids=str)
def test_the_price_of_a_tree_is_what_its_plan_holds(tree):
    made = nest([Span(*span) for span in spans_in(tree)], len(slow.words_of(tree)))
    assert price(made) == sum(map(len, predecessors(made)))
    assert all(abs(sum(chances.values()) - 1) < 1e-12 for chances in predecessors(made))


# HEDGE ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["pad", "drop"])
@pytest.mark.parametrize("window", [0, 1, 2])
@pytest.mark.parametrize("shape", SHAPES[:3], ids=str)
def test_hedge_cuts_where_the_paper_does(shape, window, how):
    classifier = seen(shape)
    for target in ("logit:c1", "probability:c2"):
        kind, label = target.split(":")[0], int(target[-1])
        for result in hierarchy(classifier, texts([6, 1, 2, 7], window), "hedge", target, window=window, how=how):
            words = list(result.words().words)
            value = kept(classifier, words, how, label, kind)
            every = [kept(classifier, words, how, other, kind) for other in range(3)]
            found = spans_of(result)
            cuts = slow.hedge(value, len(words), window)
            assert len(found) == 2 * len(words) - 1
            for step, (span, cut, phi) in enumerate(cuts, 1):
                assert found[span][2] == [(span[0], cut), (cut, span[1])]
                np.testing.assert_allclose(found[span][1], phi, rtol=0, atol=1e-10)
                part = next(p for p in result if tuple(result.text.words_under(p.span)) == span)
                assert part.step == step
            for span, (score, _, _) in found.items():
                own = [f(frozenset(range(*span))) for f in every]
                lead = own[label] - max(own[:label] + own[label + 1 :])
                np.testing.assert_allclose(score, lead, rtol=0, atol=1e-10)


def test_the_lead_of_other_kinds_of_numbers():
    """A margin is a lead already; one output for two labels, labels on their own and a regression have no rival."""
    text = texts([4], 1)[0]
    margin = hierarchy(seen(), text, "hedge", "margin:c0,c2")
    f = [kept(seen(), text.split(), "pad", label) for label in range(3)]
    every = frozenset(range(4))
    np.testing.assert_allclose(margin.root.score, f[0](every) - f[2](every), atol=1e-10)
    for shape, labels, options in (
        (Shape("gru", outputs=1, seed=6), ["no", "yes"], {}),
        (Shape("lstm", outputs=1, seed=7), ["stars"], {}),
        (Shape("gru", seed=8), ["a", "b", "c"], {"outputs": "multi-label"}),
    ):
        found = hierarchy(model(shape, labels, **options), text, "hedge")
        np.testing.assert_allclose(found.root.score, found.explained, atol=1e-10)


def test_hedge_asks_for_each_coalition_once(monkeypatch):
    classifier = seen(Shape("lstm", 2, seed=6))
    rows = []
    run = type(classifier).outputs
    monkeypatch.setattr(type(classifier), "outputs", lambda self, batch: rows.append(len(batch)) or run(self, batch))
    text = texts([9], 2)[0]
    hierarchy(classifier, text, "hedge", window=1)
    together, calls = sum(rows), len(rows)
    cuts = slow.hedge(lambda some: 0.0, 9, 1)
    assert len(cuts) == 8
    assert together < 300  # the plain version asks 4 x 2^(up to 2) times for each of 36 cuts in turn: over a thousand
    assert calls < 20


def test_a_text_that_needs_too_many_coalitions_is_refused(monkeypatch):
    monkeypatch.setattr(hedge, "MAX_COALITIONS", 100)
    with pytest.raises(TextError, match="hedge needs more than 100 coalitions for a text of 9 words: take a smaller"):
        hierarchy(seen(), texts([9, 3]), "hedge", window=2)
    assert len(hierarchy(seen(), texts([9])[0], "hedge", window=0)) == 17


def test_a_window_that_is_too_wide_is_refused():
    for window in (-1, 5):
        with pytest.raises(UsageError, match="window must be a whole number from 0 to 4, not "):
            Hedge(window)


# ACD, SOC and any scorer ------------------------------------------------------------------------------


@pytest.mark.parametrize("percentile", [0, 50, 90, 100])
@pytest.mark.parametrize("by", ["gain", "interaction"])
def test_acd_joins_as_the_plain_version(percentile, by):
    for shape in SHAPES[:3]:
        classifier = seen(shape)
        for result in hierarchy(
            classifier, texts([8, 1, 2, 3, 6], 4), "acd", "c0", method="leave-one-out", percentile=percentile, by=by
        ):
            words = list(result.words().words)
            f = kept(classifier, words, "drop", 0)
            every = frozenset(range(len(words)))

            def s(start, stop, f=f, every=every):
                return f(every) - f(every - set(range(start, stop)))

            found = spans_of(result)
            expected = slow.acd(s, len(words), percentile, by == "interaction")
            assert {span for span in found if span[1] - span[0] > 1} == {group for group, _, _ in expected}
            for group, parts, round_ in expected:
                score, interaction, children = found[group]
                assert children == parts
                np.testing.assert_allclose(interaction, s(*group) - sum(s(*part) for part in parts), atol=1e-10)
                assert next(p.step for p in result if tuple(result.text.words_under(p.span)) == group) == round_
            for span, (score, _, _) in found.items():
                np.testing.assert_allclose(score, s(*span), rtol=0, atol=1e-10)


def added(weights):
    """A black box of probabilities to which each word adds its weight, float64."""

    def function(rows):
        high = np.array([0.3 + sum(weights[word] for word in row.split()) for row in rows])
        return np.stack([1 - high, high], 1)

    return blackbox(function, ["a", "b"])


@pytest.mark.parametrize(("apart", "rounds"), [(1e-3, 4), (1e-10, 4), (0.0, 1)])
def test_acd_joins_equals_together_and_nothing_else(apart, rounds):
    """In double precision words that differ by a billionth are not a tie; equal ones are, whatever rounding does."""
    weights = {f"w{n}": 0.1 + n * apart for n in range(4)}
    tree = hierarchy(added(weights), "w0 w1 w2 w3", "acd", "b", method="leave-one-out")
    assert tree.details["rounds"] == rounds


def test_ties_follow_the_precision_and_the_size_of_outputs():
    for dtype, eps in ((torch.float32, 2.0**-23), (torch.float64, 2.0**-52)):
        slack = tie(torch.tensor([[1.0, -3.0], [0.5, 0.25]], dtype=dtype))
        np.testing.assert_allclose(slack, [64 * eps * 3, 64 * eps * 0.5])


def test_the_percentile_is_that_of_the_authors():
    assert [Agglomerative(scorer).share for scorer in (LeaveOneOut(), Soc(), Scd())] == [99.5, 90, 90]
    assert Agglomerative(Soc(), percentile=70).share == 70


class Original:
    """A language model that always gives the words that were there: it must be told them, as it may not look."""

    name = "original"

    def __init__(self, text):
        self.words = text.split()

    def sample(self, given, positions, count, seed):
        return [[tuple(self.words[place] for place in places)] * count for places in positions]


@pytest.mark.parametrize("how", ["pad", "drop"])
def test_soc_with_the_original_words_is_occlusion(how):
    text = texts([6], 8)[0]
    for shape in SHAPES[:3]:
        method = Soc(neighbours=3, samples=2, how=how, language=Original(text))
        one = explain(seen(shape), text, method, "all", spans="all")
        other = explain(seen(shape), text, LeaveOneOut(how), "all", spans="all")
        np.testing.assert_allclose(one.scores, other.scores, rtol=0, atol=1e-10)


@pytest.mark.parametrize("how", ["pad", "drop"])
@pytest.mark.parametrize("neighbours", [0, 1, 4])
def test_soc_is_the_mean_over_the_drawn_contexts(neighbours, how):
    language = CountedLanguageModel(texts([9, 9, 9], 5), order=2)
    for shape in SHAPES[:2]:
        classifier = seen(shape)
        method = Soc(neighbours=neighbours, samples=5, how=how, language=language, seed=3)
        for result in explain(classifier, texts([5, 1, 2], 6), method, "all", spans="all"):
            words = list(result.words)
            for row, span in enumerate(result.spans):
                start, stop = span
                places = [p for p in range(len(words)) if start - neighbours <= p < stop + neighbours]
                places = [p for p in places if not start <= p < stop]
                drawn = fillings(language, [words], [places], 5, 3)[0]
                for label in range(3):
                    f = partial(number_of, numbers(classifier), label)
                    expected = slow.soc(f, words, start, stop, places, drawn, FILLERS[how])
                    np.testing.assert_allclose(result.scores[label, row], expected, rtol=0, atol=1e-10)


def test_the_words_around_a_phrase():
    text = seen().read("w0 w1 w2 w3 w4 w5")
    assert neighbourhood(text, Span(2, 4), 1).places == (1, 4)
    assert neighbourhood(text, Span(0, 2), 2).places == (2, 3)
    assert neighbourhood(text, Span(0, 6), 3).places == ()
    assert neighbourhood(text, Span(5, 6), 9).places == (0, 1, 2, 3, 4)


def test_parse_follows_a_tree_with_any_method():
    classifier, text = seen(), texts([6], 9)[0]
    tree = [(0, 2), (0, 4), (4, 6)]
    for method in ("leave-one-out", "reat", "shapley", "gradient"):
        result = hierarchy(classifier, text, "parse", "c1", tree=tree, method=method)
        direct = explain(classifier, text, method, "c1", spans=[*tree, (0, 6)])
        found = spans_of(result)
        scores = {
            tuple(result.text.words_under(span)): score for span, score in zip(direct.spans, direct.scores, strict=True)
        }
        assert {span: found[span][0] for span in scores} == pytest.approx(scores, abs=1e-10)
        for score, interaction, children in found.values():
            apart = sum(found[child][0] for child in children)
            assert interaction == (pytest.approx(score - apart, abs=1e-10) if children else None)
            assert method == "leave-one-out" or not children or abs(score - apart) < 1e-10
        assert result.details.get("signed", True) is (method != "gradient")


def test_special_tokens_and_pairs_of_a_transformer():
    """What special tokens carry is in the account; a pair is one tree, and contexts stay within a part."""
    hf_toys = pytest.importorskip("tests.support.hf_toys")
    from exegesis.models.huggingface.wrap import wrap_huggingface

    bert = wrap_huggingface(hf_toys.bert().double(), hf_toys.wordpiece(), name="bert")
    pair = ("a fine film", "what a dull plot")
    found = hierarchy(bert, pair, "parse", method="integrated-gradients", tolerance=1e-4)
    assert "special tokens" in found.account
    np.testing.assert_allclose(found.words().gap, 0, atol=1e-3)
    assert found.text.raw == "\n".join(pair)
    text = found.text
    assert neighbourhood(text, Span(2, 3), 5).words == ("a", "fine", "film")
    assert neighbourhood(text, Span(2, 4), 1).places == (1, 4)
    language = CountedLanguageModel(["film acting café"])
    for search, options in (("soc", {"language": language, "samples": 2}), ("hedge", {}), ("owen", {"samples": 4})):
        assert hierarchy(bert, pair, search, **options).root.span == (text.words[0].start, text.words[-1].stop)


def test_the_trees_own_phrases_and_clauses():
    result = hierarchy("bundled", "The film is good but the plot is a mess .", "parse", method="leave-one-out")
    assert [phrase.text for phrase in result.levels()[-1]] == ["The film is good but the plot is a mess ."]
    assert {"The film is good", "a mess"} <= {phrase.text for phrase in result}


# what holds for all -----------------------------------------------------------------------------------


def grown(search, given, **options):
    small = {"soc": {"samples": 3, "neighbours": 2, "language": CountedLanguageModel(texts([20], 0))}}
    return hierarchy(seen(), given, search, **small.get(search, {}), **options)


@pytest.mark.parametrize("search", SEARCHES)
def test_batched_is_alone(search):
    raw = texts([7, 1, 2, 5, 7], 11)
    for text, together in zip(raw, grown(search, raw), strict=True):
        alone = grown(search, text)
        assert [(p.span, p.children, p.step) for p in alone.parts] == [
            (p.span, p.children, p.step) for p in together.parts
        ]
        for one, other in zip(alone.parts, together.parts, strict=True):
            np.testing.assert_allclose(one.score, other.score, rtol=0, atol=1e-10)
            np.testing.assert_allclose(one.interaction or 0, other.interaction or 0, rtol=0, atol=1e-10)
        assert alone.explained == pytest.approx(together.explained, abs=1e-12)


@pytest.mark.parametrize("search", SEARCHES)
def test_short_texts(search):
    one, two = grown(search, "w3"), grown(search, "w3 w4")
    assert [(phrase.text, phrase.height) for phrase in one] == [("w3", 0)]
    assert len(one.levels()) == 1
    assert {phrase.text for phrase in two} == {"w3", "w4", "w3 w4"}
    assert two.root.text == "w3 w4"
    assert [phrase.text for phrase in two.children(two.root)] == ["w3", "w4"]


@pytest.mark.parametrize("search", SEARCHES)
def test_equal_words_and_equal_texts(search):
    one, other = grown(search, ["w2 w2 w2 w2 w2", "w2 w2 w2 w2 w2"])
    assert [part.children for part in one.parts] == [part.children for part in other.parts]
    np.testing.assert_allclose([p.score for p in one.parts], [p.score for p in other.parts], atol=1e-12)


@pytest.mark.parametrize("search", SEARCHES)
def test_results_are_saved_and_read(search, tmp_path):
    results = grown(search, texts([5, 1, 3], 2))
    for ending in (".json", ".jsonl"):
        path = exegesis.save(results, tmp_path / f"h{ending}")
        for one, other in zip(results, exegesis.read(path), strict=True):
            assert isinstance(other, Hierarchy)
            assert one.parts == other.parts
            assert one.to_dict() == other.to_dict()
            assert (one.text, one.account, one.details) == (other.text, other.account, other.details)
            assert repr(one) == repr(other)


def test_a_hierarchy_as_a_value():
    result = grown("acd", texts([6], 1)[0])
    assert next(iter(result)).number == len(result) - 1
    assert len(list(result)) == len(result) == len(result.parts)
    assert sum(map(len, result.levels())) == len(result)
    strongest = result.top(2, "interaction")
    assert abs(strongest[0].interaction) >= abs(strongest[1].interaction)
    assert all(phrase.score > 0 for phrase in result.top(20, sign=1))
    words = result.words()
    assert words.words == tuple(texts([6], 1)[0].split())
    assert "<Hierarchy acd of logit:c" in repr(result)
    with pytest.raises(UsageError, match="unknown order"):
        result.top(1, "nonsense")
    with pytest.raises(FileError, match="saved hierarchy"):
        words.from_dict(result.to_dict())
    with pytest.raises(FileError, match="not a hierarchy"):
        Hierarchy.from_dict(words.to_dict())


DAMAGE = [
    lambda v: v["result"]["parts"].pop(),
    lambda v: v["result"]["parts"].pop(0),
    lambda v: v["result"]["parts"][-1].update(children=[0]),
    lambda v: v["result"]["parts"][-1].update(children=[0, 99]),
    lambda v: v["result"]["parts"][-1].update(span=[0, 2]),
    lambda v: v["result"]["parts"][0].update(score=None),
    lambda v: v["result"]["parts"][0].update(step="one"),
    lambda v: v["result"]["parts"][2].pop("score"),
    lambda v: v["result"]["origin"].pop("name"),
    lambda v: v.update(version=9),
]


@pytest.mark.parametrize("harm", DAMAGE)
def test_damaged_files_are_refused(harm, tmp_path):
    values = json.loads(json.dumps(grown("acd", "w1 w2 w3 w4").to_dict()))
    Hierarchy.from_dict(values)
    harm(values)
    (tmp_path / "h.json").write_text(json.dumps(values))
    with pytest.raises(FileError, match=r"damaged explanation \([^\n]+\); save it again|newer than") as error:
        exegesis.read(tmp_path / "h.json")
    assert "\n" not in str(error.value)


def test_what_cannot_be_searched_is_refused():
    classifier, text = seen(), "w1 w2 w3 w4"
    for options, error, message in (
        ({"search": "adc"}, UsageError, "did you mean 'acd'"),
        ({"search": "acd", "target": "all"}, UsageError, "one number"),
        ({"search": "acd", "method": "reat"}, UsageError, "sum of its words"),
        ({"search": "acd", "percentile": 101.0}, UsageError, "percentile"),
        ({"search": "acd", "by": "size"}, UsageError, "by must be gain or interaction"),
        ({"search": "acd", "windw": 2}, UsageError, "unknown parameter"),
        ({"search": "hedge", "windw": 2}, UsageError, "did you mean 'window'"),
        ({"search": "hedge", "method": "lime"}, UsageError, "score of its own"),
        ({"search": "owen", "samples": 5}, UsageError, "even"),
        ({"search": "parse", "tree": [(0, 3), (2, 4)]}, SpanError, "cross"),
        ({"search": "parse", "tree": [(0, 9)]}, SpanError, "outside the text"),
        ({"search": "parse", "tree": "nonsense"}, UsageError, "list of spans"),
        ({"search": "hedge", "how": "dorp"}, UsageError, "did you mean 'drop'"),
        ({"search": "soc", "samples": 0}, UsageError, "samples must be a whole number of at least 1"),
        ({"search": "soc", "language": 7}, UsageError, "language must be a language model"),
    ):
        with pytest.raises(error, match=message) as caught:
            hierarchy(classifier, text, **options)
        assert "\n" not in str(caught.value)
    with pytest.raises(SpanError, match="text 2 of 2: "):
        hierarchy(classifier, ["w1 w2", "w1 w2"], "owen", tree=[[(0, 1)], [(0, 3)]])


def test_the_function_and_the_folder_share_a_name():
    import exegesis.questions.phrases.levels

    assert callable(exegesis.questions.phrases.levels.levels)
    assert exegesis.hierarchy(seen(), "w1 w2", "owen").root.text == "w1 w2"
    assert Owen() == Owen()


# pairwise interactions --------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", SHAPES[:3], ids=str)
@pytest.mark.parametrize("how", ["drop", "pad"])
def test_pairwise_interactions_are_their_formulas(shape, how):
    classifier = seen(shape)
    for text in texts([5, 2, 1], shape.seed):
        words = text.split()
        f = kept(classifier, words, how, 1)
        every = frozenset(range(len(words)))
        found = {kind: interactions(classifier, text, kind, "c1", how=how) for kind in ("shapley", "removal", "alone")}
        for i in every:
            for j in every - {i}:
                pair, players = {i, j}, [frozenset({word}) for word in sorted(every)]
                expected = {
                    "shapley": slow.shapley_interaction(f, players, i, j),
                    "removal": f(every) - f(every - {i}) - f(every - {j}) + f(every - pair),
                    "alone": f(frozenset(pair)) - f(frozenset({i})) - f(frozenset({j})) + f(frozenset()),
                }
                for kind, value in expected.items():
                    np.testing.assert_allclose(found[kind].values[i, j], value, rtol=0, atol=1e-10)
        assert all((one.values == one.values.T).all() and not one.values.diagonal().any() for one in found.values())


def test_words_that_only_add_up_do_not_interact():
    classifier = wrap(Bag(seed=2), vocabulary=WORDS, tokenizer=str.split)
    for kind in ("shapley", "removal", "alone"):
        for exact in (0, 8):
            options = {"exact": exact, "how": "pad"}
            for found in interactions(classifier, texts([6, 2, 1], 1), kind, **options):
                np.testing.assert_allclose(found.values, 0, atol=1e-10)


@pytest.mark.parametrize(
    ("kind", "options", "words", "says"),
    [
        ("removal", {"most": 60}, 6, "removal interactions of 6 words run the model on up to 60 coalitions"),
        ("alone", {"most": 60}, 6, "at most 59 unless most= says otherwise): take a shorter text"),
        ("shapley", {"exact": 6, "most": 15 * 16 * 4}, 6, "up to 960 coalitions"),
        ("shapley", {"exact": 5, "samples": 4, "most": 15 * 4 * 4}, 6, "take fewer samples, kind 'removal' or"),
    ],
)
def test_a_text_of_too_many_pairs_is_refused(kind, options, words, says):
    every = texts([2, words], 1)
    found = interactions(seen(), every, kind, **options)  # as many as are allowed
    assert [len(one.values) for one in found] == [2, words]
    with pytest.raises(UsageError) as error:
        interactions(seen(), every, kind, **{**options, "most": options["most"] - 1})
    assert str(error.value).startswith("text 2 of 2: ")
    assert says in str(error.value)
    assert "\n" not in str(error.value)


def test_no_long_text_is_planned_for_in_vain():
    for kind, words in (("removal", 501), ("shapley", 72), ("alone", 1000)):
        with pytest.raises(UsageError, match=r"at most 500,000 unless most= says otherwise"):
            interactions(seen(), texts([words], 1)[0], kind)
    assert len(interactions(seen(), texts([71], 1)[0], "alone").values) == 71


def test_sampled_interactions_lie_within_their_errors():
    ratios = []
    for seed in range(3):
        exact = interactions(seen(SHAPES[2]), texts([6, 7], 2), samples=4)
        drawn = interactions(seen(SHAPES[2]), texts([6, 7], 2), exact=0, samples=60, seed=seed)
        for one, other in zip(exact, drawn, strict=True):
            upper = np.triu_indices(len(one.words), 1)
            errors = np.array(other.details["standard_error"])[upper]
            ratios += list((one.values[upper] - other.values[upper])[errors > 1e-9] / errors[errors > 1e-9])
    assert 0.6 < np.mean(np.square(ratios)) < 1.7


def test_interactions_as_a_value():
    raw = texts([4, 1, 3], 5)
    for text, one in zip(raw, interactions(seen(), raw), strict=True):
        np.testing.assert_allclose(one.values, interactions(seen(), text).values, rtol=0, atol=1e-10)
    one = interactions(seen(), raw[0])
    assert len(one.pairs()) == 6
    assert abs(one.top(2)[0].strength) >= abs(one.top(2)[1].strength)
    assert all(pair.strength < 0 for pair in one.top(9, sign=-1))
    pair = one.top(1)[0]
    assert (pair.first, pair.second) == (one.words[pair.words[0]], one.words[pair.words[1]])
    assert "<Interactions shapley of logit:c" in repr(one)
    for options in ({"kind": "owen"}, {"samples": 3}, {"exact": 13}, {"target": "all"}, {"wow": 1}, {"how": "dorp"}):
        with pytest.raises(UsageError):
            interactions(seen(), raw[0], **options)
