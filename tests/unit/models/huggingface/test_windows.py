"""Texts beyond a model's limit in windows: held to the module run on each window by itself."""

from __future__ import annotations

import functools
import math
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch

pytest.importorskip("transformers")

import transformers
from tokenizers import Tokenizer
from tokenizers.models import WordPiece
from tokenizers.pre_tokenizers import BertPreTokenizer
from tokenizers.processors import TemplateProcessing

import exegesis
import tests.support.hf_toys as hf_toys
from exegesis.core.errors import TextError, UnsupportedError, UsageError
from exegesis.models.huggingface.views.answers import LONGEST
from exegesis.models.huggingface.windows import Windows
from exegesis.models.huggingface.wrap import wrap_huggingface
from exegesis.protocols.batch import compact
from exegesis.show.documents import attribution
from tests.reference import windows as plain

LIMIT, OVERLAP = 16, 4
VOCABULARY = "[PAD] [UNK] [CLS] [SEP] [MASK] a fine film , it ' s real ##ly good but the plot is du ##ll and d ##d"
SENTENCE = "a fine film, it's really good but the plot is dull "
BERT = {"vocab_size": 100, "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2,
        "intermediate_size": 32, "max_position_embeddings": LIMIT, "num_labels": 3}  # fmt: skip


@functools.cache
def tokens() -> Any:
    """Words whole or in two pieces; unlike the toys' own, every run has the same."""
    core = Tokenizer(WordPiece({word: n for n, word in enumerate(VOCABULARY.split())}, unk_token="[UNK]"))
    core.pre_tokenizer = BertPreTokenizer()
    core.post_processor = TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=core, pad_token="[PAD]", unk_token="[UNK]", cls_token="[CLS]", sep_token="[SEP]",
        mask_token="[MASK]", model_input_names=hf_toys.TYPED,
    )  # fmt: skip


def made(name: str, outputs: int = 3) -> Any:
    torch.manual_seed(0)
    config = transformers.BertConfig(**BERT | {"num_labels": outputs})
    return hf_toys._made(getattr(transformers, name), config).double()


@pytest.fixture(scope="module")
def module() -> Any:
    return made("BertForSequenceClassification")


@pytest.fixture(scope="module")
def model(module: Any) -> Any:
    return wrap_huggingface(module, tokens(), name="bert", windows=OVERLAP)


def test_a_text_within_the_limit_is_read_as_without_windows(module: Any, model: Any) -> None:
    whole = wrap_huggingface(module, tokens(), name="bert")
    for text in ("a fine film", "a word and some", ("a film", "good")):
        assert model.windows(model.read(text)) == ()
        assert torch.equal(
            model.outputs(model.encode([model.read(text)])), whole.outputs(whole.encode([whole.read(text)]))
        )
        for method in ("lrp", "leave-one-out"):
            one, other = (exegesis.explain(each, text, method) for each in (model, whole))
            assert np.array_equal(one.values, other.values)
            assert one.account == other.account
            assert "windows" not in one.details


def test_windows_lie_between_words_and_cover_all(model: Any) -> None:
    for count in range(2, 9):
        text = model.read(SENTENCE * count)
        found = model.windows(text)
        assert found[0].start == 1
        assert found[-1].stop == len(text) - 1
        starts = {word.start for word in text.words}
        assert all(window.start in starts and window.width + 2 <= LIMIT for window in found)
        for one, other in pairwise(found):
            assert one.start < other.start <= one.stop < other.stop
            assert one.stop - other.start <= OVERLAP
        assert all(one.stop <= third.start for one, third in zip(found, found[2:], strict=False))
    text = model.read(SENTENCE * 60)
    widths = [window.width for window in Windows(130, 20).over(text)]
    least = math.ceil((len(text) - 2 - 20) / (128 - 20))
    assert len(widths) == least
    assert max(widths) - min(widths) <= 2 * least  # words of two pieces


@pytest.mark.parametrize("raw", [SENTENCE * 4, ("a dull film", SENTENCE * 3), (SENTENCE * 3, "good")])
def test_the_outputs_are_the_means_over_the_windows(module: Any, model: Any, raw: Any) -> None:
    text, short = model.read(raw), model.read("a fine film")
    found = model.windows(text)
    types = [0] * text.segments[0].stop + [1] * (len(text) - text.segments[0].stop)
    expected = []
    for row in plain.rows(text, found):
        assert len(row) <= LIMIT
        expected.append(plain.logits(module, text, row, token_type_ids=torch.tensor([[types[n] for n in row]])))
    outputs = model.outputs(model.encode([short, text]))
    assert torch.allclose(outputs[1], torch.stack(expected).mean(0), atol=1e-12)
    assert torch.allclose(outputs[0], model.outputs(model.encode([short]))[0], atol=1e-12)
    batch = model.encode([text])
    assert torch.allclose(model.outputs_from(model.embed(batch), batch)[0], outputs[1], atol=1e-12)


def test_words_have_the_scores_of_their_windows(module: Any, model: Any) -> None:
    """Each window's scores over the number of windows: of a word in one alone, that one's; in two, of both."""
    text = model.read(SENTENCE * 4)
    found = model.windows(text)
    each = [plain.slopes(module, text, row, 1) for row in plain.rows(text, found)]
    result = exegesis.explain(model, SENTENCE * 4, "gradient-x-input", target=model.labels[1])
    owners = [[k for k, window in enumerate(found) if window.covers(word)] for word in text.words]
    assert {len(owner) for owner in owners} == {1, 2}
    for value, word, owner in zip(result.values[0], text.words, owners, strict=True):
        pieces = sum(each[k][n] for k in owner for n in range(word.start, word.stop))
        assert value == pytest.approx(pieces / len(found), abs=1e-12)
    without = exegesis.explain(model, SENTENCE * 4, "leave-one-out", target=model.labels[1])
    for value, word, owner in zip(without.values[0], text.words, owners, strict=True):
        fall = 0.0
        for k in owner:
            row = plain.rows(text, found)[k]
            less = [n for n in row if not word.start <= n < word.stop]
            fall += float(plain.logits(module, text, row)[1] - plain.logits(module, text, less)[1])
        assert value == pytest.approx(fall / len(found), abs=1e-12)


def test_the_account_closes_and_says_what_was_read(model: Any) -> None:
    for method in ("lrp", "deeplift", "shapley"):
        parameters = {"samples": 4} if method == "shapley" else {}
        result = exegesis.explain(model, SENTENCE * 3, method, **parameters)
        assert abs(result.gap) < 1e-9
        ranges = result.details["windows"]
        assert ranges[0][0] == 0
        assert ranges[-1][1] == len(result.words)
        said = f"read in {len(ranges)} windows, words 1 to {ranges[0][1]}, {ranges[1][0] + 1} to"
        assert said in notes(result)
    assert model.name == "bert (texts beyond 16 pieces in windows that share 4)"
    assert exegesis.hierarchy(model, SENTENCE * 3, "hedge").details["windows"] == ranges


def test_windows_stay_where_words_are_gone(module: Any, model: Any) -> None:
    """A whole window and more removed: the number of windows, and their borders, are those of the whole text."""
    text = model.read(SENTENCE * 4)
    found = model.windows(text)
    keep = torch.ones(2, len(text), dtype=torch.bool)
    keep[0, found[1].start : found[2].stop] = False
    keep[1, 1:-1] = False
    batch = compact(model.encode([text, text]), keep, model.tokens["pad"])
    for row, outputs in zip(keep, model.outputs(batch), strict=True):
        each = [plain.logits(module, text, [n for n in part if row[n]]) for part in plain.rows(text, found)]
        assert torch.allclose(outputs, torch.stack(each).mean(0), atol=1e-12)


def test_pieces_alone_without_special_ones() -> None:
    """A tokenizer without special pieces: an emptied window is read as an emptied text is."""
    torch.manual_seed(0)
    config = transformers.GPT2Config(vocab_size=330, n_embd=8, n_layer=1, n_head=1, n_positions=12, num_labels=2,
                                     pad_token_id=0, bos_token_id=0, eos_token_id=0)  # fmt: skip
    module = hf_toys._made(transformers.GPT2ForSequenceClassification, config).double()
    model = wrap_huggingface(module, hf_toys.byte_bpe(), windows=0)
    text = model.read("a fine film and a dull plot " * 2)
    found = model.windows(text)
    assert [found[0].start, found[-1].stop] == [0, len(text)]
    keep = torch.ones(1, len(text), dtype=torch.bool)
    keep[0, found[1].start : found[1].stop] = False
    batch = compact(model.encode([text]), keep, model.tokens["pad"])
    each = [plain.logits(module, text, row) for row in plain.rows(text, found)]
    each[1] = module(torch.tensor([[0]])).logits[0].detach()
    assert torch.allclose(model.outputs(batch)[0], torch.stack(each).mean(0), atol=1e-12)


def test_a_tag_is_read_where_its_word_has_most_context() -> None:
    tagger, raw = made("BertForTokenClassification"), SENTENCE * 3
    model = wrap_huggingface(tagger, tokens(), windows=OVERLAP)
    every = Windows(LIMIT, OVERLAP).over(model.read((raw, "#0")))
    for number in (0, 9, 17, 30):
        text = model.read((raw, f"#{number}"))
        at = text.places[0].start
        (window,) = model.windows(text)
        sides = {w: min(at - w.start, w.stop - 1 - at) for w in every if w.start <= at < w.stop}
        assert sides[window] == max(sides.values())
        row = plain.rows(text, every)[every.index(window)]
        expected = plain.logits(tagger, text, row)[row.index(at)]
        assert torch.allclose(model.outputs(model.encode([text]))[0], expected, atol=1e-12)
        result = exegesis.explain(model, (raw, f"#{number}"), "lrp")
        assert abs(result.gap) < 1e-9
        outside = [value for value, word in zip(result.values[0], text.words, strict=True) if not window.covers(word)]
        assert outside
        assert not np.any(outside)
        assert len(result.details["windows"]) == 1
        assert "the others have no part in it" in notes(result)


def test_an_answer_is_looked_for_in_every_window() -> None:
    reader, question = made("BertForQuestionAnswering", 2), "a film"
    model = wrap_huggingface(reader, tokens(), windows=3)
    text = model.read((question, SENTENCE * 3))
    every = Windows(LIMIT, 3).over(text, part=1)
    sums: dict[tuple[int, int], float] = {}
    for window, row in zip(every, plain.rows(text, every), strict=True):
        ids = torch.tensor([[text.ids[n] for n in row]])
        types = torch.tensor([[int(n >= text.segments[1].start) for n in row]])
        answer = reader(ids, attention_mask=torch.ones_like(ids), token_type_ids=types)
        starts, ends = (
            dict(zip(row, part[0].tolist(), strict=True)) for part in (answer.start_logits, answer.end_logits)
        )
        for first in range(window.start, window.stop):
            side = [min(first - w.start, w.stop - 1 - first) if w.start <= first < w.stop else -1 for w in every]
            if every[side.index(max(side))] == window:
                lasts = range(first, min(window.stop, first + LONGEST))
                sums |= {(first, last): starts[first] + ends[last] for last in lasts}
    best = max(sums, key=sums.__getitem__)
    assert (text.places[0].start, text.places[1].start) == best
    assert float(model.outputs(model.encode([text]))[0, 0]) == pytest.approx(sums[best], abs=1e-12)
    (window,) = model.windows(text)
    long = text.raw[len(question) + 1 :][: text.offsets[window.stop + 1][1] - len(question) - 1]
    with pytest.raises(TextError, match="ends beyond its window of the context"):
        model.answering(long[text.offsets[every[0].start][0] - len(question) - 1 :]).read((question, SENTENCE * 3))


def test_what_windows_do_not_serve(module: Any, model: Any) -> None:
    tokenizer = tokens()
    for overlap in (-1, 9, 2.5, True):
        with pytest.raises(UsageError, match="a whole number from 0 to 8, not"):
            wrap_huggingface(module, tokenizer, windows=overlap)
    with pytest.raises(UsageError, match="say one of the two"):
        wrap_huggingface(module, tokenizer, windows=4, truncate=True)
    language = hf_toys._made(transformers.BertLMHeadModel, transformers.BertConfig(**BERT, is_decoder=True))
    with pytest.raises(UnsupportedError, match=r"windows serve the tasks text-classification, .* text-generation"):
        wrap_huggingface(language, tokenizer, windows=4)
    with pytest.raises(TextError, match=r"stand in every window, which leaves 5, too few .* shorten the other part"):
        model.read(("a film and a fine film, good", SENTENCE * 3))
    with pytest.raises(TextError, match=r"the word 'ddd.* has .* pieces, more than a window of the model"):
        model.read("d" * 40 + " film")
    batch = model.encode([model.read(SENTENCE * 2)])
    for ask in (model.sites, model.calls):
        with pytest.raises(UnsupportedError, match="reads a text of this length in windows"):
            ask(batch)
    assert model.calls(model.encode([model.read("a film")]))
    with pytest.raises(UnsupportedError, match="in windows, which have attention and gradients each of their own"):
        exegesis.attention(model, SENTENCE * 2)
    limit = model.reader.limit
    with pytest.raises(TextError, match=f"truncate=True or windows={limit // 4}$"):  # a number that it takes
        wrap_huggingface(module, tokenizer).read(SENTENCE * 2)
    with pytest.raises(UnsupportedError, match="reads other positions than the text's pieces"):
        exegesis.explain(model, SENTENCE * 2, "attention-relevance")


def notes(result: Any) -> str:
    """All that is written beside a result."""
    return repr(attribution.document([result]))
