"""Perturbed texts as the measures get them, on recurrent models: what a plain prediction of the changed text says."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import exegesis
from exegesis.protocols.batch import Batch
from exegesis.questions.trust.pool import DRAWS, Pool, stock_of
from tests.reference import evaluate as slow
from tests.support.torch_toys import Shape, model, texts

FILLERS = {"drop": None, "unknown": "<unk>", "mask": "<mask>"}


@pytest.mark.parametrize("how", FILLERS)
@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_measures_of_a_recurrent_model(how, cell):
    one = model(Shape(cell=cell, both=cell == "gru"))
    several = texts([7, 4, 9])
    names = ["comprehensiveness", "sufficiency", "faithfulness", "monotonicity", "aopc-comprehensiveness"]
    given = exegesis.explain(one, several, "gradient-x-input")
    found = exegesis.evaluate(one, several, [], names, explanations=given, how=[how])
    for i, text in enumerate(several):
        words, label, scores = text.split(), given[i].prediction.label, given[i].scores.tolist()

        def f(kept, words=words, label=label):
            filler = FILLERS[how]
            shown = [word if t in kept else filler for t, word in enumerate(words)]
            return exegesis.predict(one, " ".join(word for word in shown if word is not None))[label]

        n = len(words)
        expected = [
            slow.comprehensiveness(f, scores, 0.2),
            slow.sufficiency(f, scores, 0.2),
            slow.faithfulness(f, [[t] for t in range(n)], n, scores),
            slow.monotonicity(f, scores),
            slow.aopc(slow.comprehensiveness, f, scores),
        ]
        assert found.values[:, 0, i].tolist() == pytest.approx(expected, abs=1e-9)


def pool_of(one, several):
    read = [one.read(text) for text in several]
    batch = one.encode(read)
    return Pool(one, batch, one.outputs(batch).double(), stock_of(read)), read


def test_resampled_words_come_from_the_texts_and_the_rest_stays():
    one = model()
    pool, read = pool_of(one, texts([6, 4]))
    seen = []
    outputs = type(one).outputs

    def watched(batch):
        seen.append(batch)
        return outputs(one, batch)

    pool.model = type("Watched", (), {"outputs": staticmethod(watched), "link": one.link, "labels": one.labels})()
    kept = [[0b101101], [0b0110]]
    found = pool.raw("resample", kept)
    rows = [ids for batch in seen for ids in batch.ids.tolist()]
    assert len(rows) == 2 * DRAWS == pool.run
    stock = {piece for text in read for piece in text.ids}
    for text, (mask,), raw in zip(read, kept, found, strict=True):
        mine = [row for row in rows if sum(row[: len(text)]) and len([x for x in row if x]) == len(text)]
        assert len(mine) == DRAWS
        for row in mine:
            assert set(row[: len(text)]) <= stock
            assert all(row[t] == text.ids[t] for t in range(len(text)) if mask >> t & 1)
        assert len({tuple(row) for row in mine}) > 1
        lone = torch.tensor(mine)[:, : len(text)]
        expected = outputs(one, Batch(lone, torch.ones_like(lone, dtype=torch.bool), torch.zeros_like(lone)))
        assert torch.allclose(raw[0].sort(0).values, expected.double().sort(0).values)


def test_draws_belong_to_the_text():
    one = model()
    several = texts([6, 4, 8])
    pool, read = pool_of(one, several)
    together = pool.raw("resample", [[0b11], [0b11], [0b11]])
    for i, text in enumerate(read):
        batch = one.encode([text])
        alone = Pool(one, batch, one.outputs(batch).double(), stock_of(read)).raw("resample", [[0b11]])
        assert torch.allclose(alone[0], together[i])


def test_asked_twice_is_run_once():
    one = model()
    pool, _ = pool_of(one, texts([5, 3]))
    first = pool.raw("drop", [[1, 2, 1], []])
    again = pool.raw("drop", [[2], []])
    assert (pool.asked, pool.run, pool.calls) == (4, 2, 1)
    assert torch.equal(first[0][1], again[0][0])
    assert first[1].shape[0] == 0
    assert np.allclose(pool.raw("pad", [[31], [7]])[0][0, 0], pool.whole[0])  # everything kept is the text itself


def test_pairs_and_subwords_of_a_hugging_face_model():
    """Words of several pieces go whole, special pieces and the other part of a pair stay."""
    from exegesis.models.huggingface.wrap import wrap_huggingface
    from tests.support.hf_toys import bert, wordpiece

    one = wrap_huggingface(bert(), wordpiece())
    pairs = [("a cat sat on the mat", "the cat is here"), ("dogs run", "unbelievable films"), ("it is", "a film !")]
    given = exegesis.explain(one, pairs, "gradient-x-input")
    found = exegesis.evaluate(
        one, pairs, [], ["comprehensiveness"], explanations=given, how=["drop", "mask", "resample"]
    )
    assert np.isfinite(found.values[:, 0]).all()
    for i, (first, second) in enumerate(pairs):
        count, words = len(first.split()), [*first.split(), *second.split()]
        order = slow.order(given[i].scores.tolist())
        gone = order[: slow.taken(0.2, len(words))]
        left = [t for t in range(len(words)) if t not in gone]
        shown = tuple(" ".join(words[t] for t in left if (t < count) == part) for part in (True, False))
        label = given[i].prediction.label
        expected = given[i].prediction.probability - exegesis.predict(one, shown)[label]
        assert found.values[0, 0, i] == pytest.approx(expected, abs=1e-6)


def test_the_stock_is_every_piece_of_every_word():
    """As often as it stands there, special pieces aside."""
    from exegesis.core.text import Span, Text

    pieces = ("[CLS]", "un", "believable", "film", "film", "[SEP]")
    ranges = ((0, 0), (0, 2), (2, 12), (13, 17), (18, 22), (22, 22))
    words, special = (Span(1, 3), Span(3, 4), Span(4, 5)), (True, False, False, False, False, True)
    text = Text("unbelievable film film", pieces, (1, 5, 6, 7, 7, 2), ranges, words, (Span(0, 6),), special)
    assert stock_of([text, text]) == [5, 6, 7, 7] * 2


def test_data_as_a_file_or_examples(tmp_path):
    from exegesis.data.examples import read_examples

    one, several = model(), texts([5, 3, 6])
    path = tmp_path / "data.tsv"
    path.write_text("text\tlabel\n" + "".join(f"{text}\tc0\n" for text in several))
    numbers = [
        exegesis.evaluate(one, data, ["gradient-x-input"], ["deletion"]).values
        for data in (several, path, str(path), read_examples(path))
    ]
    assert all(np.array_equal(numbers[0], other) for other in numbers[1:])
