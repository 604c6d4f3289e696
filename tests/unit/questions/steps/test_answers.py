"""Answers explained part by part, against one call of the module for each step; contrasts, chats, refusals."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import pytest
import torch

pytest.importorskip("transformers")

import transformers

import exegesis
import tests.reference.generation as reference
import tests.support.hf_toys as hf_toys
from exegesis.core.errors import TextError, UnsupportedError, UsageError
from exegesis.models.huggingface.views.steps import Steps
from exegesis.models.huggingface.wrap import wrap_huggingface
from exegesis.results.generation import Generation

PROMPT, ANSWER = "a fine film, really", " and some more of them"
TEMPLATE = "{% for m in messages %}<{{ m['role'] }}> {{ m['content'] }} . {% endfor %}<answer>"


@pytest.fixture(scope="module")
def writer() -> Any:
    config = transformers.GPT2Config(
        vocab_size=330, n_embd=16, n_layer=2, n_head=2, n_positions=96, bos_token_id=0, eos_token_id=0
    )
    tokenizer = hf_toys.byte_bpe()
    tokenizer.chat_template = TEMPLATE
    return wrap_huggingface(hf_toys._made(transformers.GPT2LMHeadModel, config), tokenizer, name="writer")


@pytest.fixture(scope="module")
def translator() -> Any:
    config = transformers.BartConfig(
        vocab_size=100, d_model=16, encoder_layers=1, decoder_layers=1, encoder_attention_heads=2,
        decoder_attention_heads=2, encoder_ffn_dim=32, decoder_ffn_dim=32, max_position_embeddings=64, bos_token_id=2,
        eos_token_id=3, decoder_start_token_id=3, pad_token_id=0,
    )  # fmt: skip
    module = hf_toys._made(transformers.BartForConditionalGeneration, config)
    return wrap_huggingface(module, hf_toys.wordpiece(), name="translator")


def over_words(result: Generation, pieces: np.ndarray, start: int) -> np.ndarray:
    """Scores of pieces ``[answer's piece, piece]`` summed over the parts of the answer and over the words before."""
    rows = [pieces[part.start - start : part.stop - start].sum(0) for part in result.outputs]
    values = np.array([[row[word.start : word.stop].sum() for word in result.inputs] for row in rows])
    for k, part in enumerate(result.outputs):
        values[k, [word.start >= part.start for word in result.inputs]] = 0.0
    return values


def test_gradients_of_all_steps_come_from_one_pass(writer: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []
    original = type(writer)._called
    monkeypatch.setattr(type(writer).__mro__[1], "_called", lambda *args: calls.append(1) or original(*args))
    result = exegesis.generation(writer, PROMPT, ANSWER, "gradient-x-input")
    assert len(calls) <= 2  # the outputs, and once more with a graph
    ids, start = result.text.ids, result.text.segments[1].start
    assert ids[start:] == tuple(writer.tokenizer(ANSWER)["input_ids"])
    numbers = np.array(reference.steps(writer.module, ids, start))
    expected = [numbers[part.start - start : part.stop - start].sum() for part in result.outputs]
    np.testing.assert_allclose(result.explained, expected, atol=1e-9)
    pieces = reference.gradient_x_input(writer.module, ids, start).numpy()
    np.testing.assert_allclose(result.values, over_words(result, pieces, start), atol=1e-9)
    assert result.steps == ("and", "some", "more", "of", "them")


def test_removal_of_each_word_takes_one_pass_for_all_steps(writer: Any) -> None:
    """Also of words of the answer itself, and of the whole prompt's only word."""
    result = exegesis.generation(writer, PROMPT, ANSWER)
    ids, start = result.text.ids, result.text.segments[1].start
    whole = np.array(reference.steps(writer.module, ids, start))
    for i, word in enumerate(result.inputs[:-1]):
        rest = np.array(reference.steps(writer.module, ids, start, range(*word)))
        for k, part in enumerate(result.outputs):
            change = (whole - rest)[part.start - start : part.stop - start].sum()
            assert result.values[k, i] == pytest.approx(change if word.start < part.start else 0.0, abs=1e-9)
    alone = exegesis.generation(writer, "film", ANSWER, unit="answer")
    count = alone.text.words[0].stop
    gone = [0, *alone.text.ids[count:]]  # the only word of the prompt gone: read after the end-of-text piece
    rest = sum(reference.steps(writer.module, gone, 1))
    assert alone.values[0, 0] == pytest.approx(float(alone.explained) - rest, abs=1e-9)


def count(pieces: list[int], layer: Any, ids: Any, vectors: Any) -> None:
    pieces.append(ids[0].numel())


KINDS = {
    "gpt2": lambda: transformers.GPT2Config(
        vocab_size=330, n_embd=16, n_layer=2, n_head=2, n_positions=96, bos_token_id=0, eos_token_id=0
    ),
    "llama": lambda: transformers.LlamaConfig(
        vocab_size=330, hidden_size=16, num_hidden_layers=2, num_attention_heads=2, num_key_value_heads=1,
        intermediate_size=32, pad_token_id=None,
    ),
    "sliding": lambda: transformers.MistralConfig(
        vocab_size=330, hidden_size=16, num_hidden_layers=2, num_attention_heads=2, num_key_value_heads=1,
        intermediate_size=32, sliding_window=40, pad_token_id=None,
    ),
    "slopes": lambda: transformers.BloomConfig(vocab_size=330, hidden_size=16, n_layer=2, n_head=2, pad_token_id=0),
}  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_texts_without_a_word_go_on_from_the_states_before_it(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The numbers are those of whole texts, also where a window of attention makes them run as whole texts."""
    module = hf_toys._made(transformers.AutoModelForCausalLM.from_config, KINDS[kind]())
    model = wrap_huggingface(module, hf_toys.byte_bpe(), name=kind)
    prompt = "what a fine film, really, a dull plot and some more of them, it's good"
    found, read = {}, {}
    for continued in (True, False):
        if not continued:
            monkeypatch.setattr(Steps, "_continues", False)
        pieces: list[int] = []
        handle = module.get_input_embeddings().register_forward_hook(partial(count, pieces))
        found[continued] = exegesis.generation(model, prompt, ANSWER, "leave-one-out", number="log-probability")
        handle.remove()
        read[continued] = sum(pieces)
    np.testing.assert_allclose(found[True].values, found[False].values, rtol=0, atol=1e-9)
    ratio = read[True] / read[False]
    assert {"sliding": ratio > 1, "slopes": ratio == 1}.get(kind, ratio < 0.85)  # tried, not offered, used


@pytest.mark.quick
def test_an_account_closes_for_every_part(writer: Any) -> None:
    result = exegesis.generation(writer, PROMPT, ANSWER, "integrated-gradients", tolerance=0.01)
    assert np.abs(result.gap).max() <= 0.02 * np.abs(result.explained).max()
    for unit, parts in (("piece", len(result.text) - result.text.segments[1].start), ("answer", 1)):
        other = exegesis.generation(writer, PROMPT, ANSWER, "gradient-x-input", unit=unit)
        assert len(other.steps) == parts
    words = exegesis.generation(writer, PROMPT, ANSWER, "gradient-x-input")
    run = words.over()
    assert run.explained == pytest.approx(float(other.explained), abs=1e-9)
    prompt = slice(0, words.first)
    np.testing.assert_allclose(run.scores[prompt], other.values[0, prompt], atol=1e-9)
    assert type(words).from_dict(words.to_dict()) == words


def test_the_models_own_answer_with_and_without_a_cache(writer: Any) -> None:
    result = exegesis.generation(writer, PROMPT, most_pieces=5)
    ids = list(result.text.ids)
    start = result.text.segments[1].start
    for place in range(start, len(ids)):
        with torch.no_grad():
            assert int(reference.step(writer.module, ids[:place]).argmax()) == ids[place]


@pytest.mark.quick
def test_contrasts(writer: Any) -> None:
    """A contrast is the difference of two answers; at a place, of two words given the answer before them."""
    found = exegesis.generation(writer, PROMPT, ANSWER, "gradient-x-input", contrast=" it's good")
    parts = [
        exegesis.generation(writer, PROMPT, answer, "gradient-x-input", unit="answer")
        for answer in (ANSWER, " it's good")
    ]
    assert float(found.explained) == pytest.approx(float(parts[0].explained) - float(parts[1].explained))
    expected = parts[0].values[0, : found.first] - parts[1].values[0, : found.first]
    np.testing.assert_allclose(found.values[0], expected, atol=1e-12)
    placed = exegesis.generation(writer, PROMPT, ANSWER, "gradient-x-input", contrast=" film", at=1)
    longer = exegesis.generation(writer, PROMPT + " and", " some", "gradient-x-input", contrast=" film")
    assert placed.words == longer.words
    np.testing.assert_allclose(placed.values, longer.values, atol=1e-9)
    with pytest.raises(UnsupportedError, match="sizes"):
        exegesis.generation(writer, PROMPT, ANSWER, "gradient", contrast=" film")
    with pytest.raises(UsageError, match="is the answer itself"):
        exegesis.generation(writer, PROMPT, ANSWER, contrast=ANSWER)


def test_a_chats_template_is_kept_apart(writer: Any) -> None:
    chat = [{"role": "user", "content": "a fine film"}]
    result = exegesis.generation(writer, chat, " good", "gradient-x-input")
    assert result.words == ("a", "fine", "film", "good")
    raw = "<user> a fine film . <answer>"
    assert result.text.raw == raw + " good"
    plain = exegesis.generation(writer, raw, " good", "gradient-x-input")
    assert float(result.explained) == pytest.approx(float(plain.explained))
    total = result.values.sum() + float(result.account["special tokens"])
    assert total == pytest.approx(plain.values.sum())


def test_an_encoder_decoder_answers_from_its_source_and_its_own_beginning(translator: Any) -> None:
    result = exegesis.generation(translator, "a fine film", "it's a dull plot", "leave-one-out")
    assert result.words[:3] == ("a", "fine", "film")
    source = list(range(result.text.segments[0].stop))
    ids, border = list(result.text.ids), result.text.segments[1].start
    first = result.outputs[0]

    def number(encoder: list[int], beginning: list[int], piece: int) -> float:
        with torch.no_grad():
            return float(reference.step(translator.module, encoder, None, beginning)[piece])

    def whole(drop: range) -> float:
        encoder = [ids[n] for n in source if n not in drop]
        return sum(
            number(encoder, [ids[n] for n in range(border, t) if n not in drop], ids[t])
            for t in range(result.outputs[-1].start, result.outputs[-1].stop)
        )

    assert result.explained[-1] == pytest.approx(whole(range(0)), abs=1e-9)
    for i in (1, 3):
        drop = range(*result.inputs[i])
        assert result.values[-1, i] == pytest.approx(whole(range(0)) - whole(drop), abs=1e-9)
    assert first.start > border
    own = exegesis.generation(translator, "a fine film", most_pieces=3, method="gradient-x-input")
    assert len(own.steps) >= 1


def test_half_precision_is_near(writer: Any) -> None:
    module = transformers.GPT2LMHeadModel(writer.module.config)
    module.load_state_dict(writer.module.state_dict())
    rough = wrap_huggingface(module.bfloat16().eval(), writer.tokenizer, name="rough")
    fine = wrap_huggingface(transformers.GPT2LMHeadModel(writer.module.config).eval(), writer.tokenizer, name="fine")
    fine.module.load_state_dict(writer.module.state_dict())
    scores = [exegesis.generation(model, PROMPT, ANSWER).values for model in (rough, fine)]
    assert np.abs(scores[0] - scores[1]).max() < 0.15 * np.abs(scores[1]).max()


def test_bad_input(writer: Any) -> None:
    for arguments, error, complaint in (
        ({"continuation": " "}, TextError, "continuation is empty"),
        ({"continuation": ANSWER, "unit": "line"}, UsageError, "unit"),
        ({"continuation": ANSWER, "number": "odds"}, UsageError, "number"),
        ({"continuation": ANSWER, "at": 1}, UsageError, "give contrast"),
        ({"continuation": ANSWER, "contrast": " a", "at": 9}, UsageError, "at must be"),
        ({"most_pieces": 0}, UsageError, "most_pieces"),
        ({"continuation": ANSWER * 40}, TextError, "takes at most 96"),
    ):
        with pytest.raises(error, match=complaint):
            exegesis.generation(writer, PROMPT, **arguments)
    with pytest.raises(UsageError, match="list of messages"):
        exegesis.generation(writer, [{"role": "user"}], ANSWER)
    words = wrap_huggingface(writer.module, hf_toys.wordpiece(), name="words")
    with pytest.raises(TextError, match="cannot spell"):
        exegesis.generation(words, "a film", "a 漢 film")
    with pytest.raises(UnsupportedError, match="no template"):
        exegesis.generation(words, [{"role": "user", "content": "a film"}], "good")
    with pytest.raises(UnsupportedError, match="writes no text"):
        exegesis.generation(wrap_huggingface(hf_toys.bert(), hf_toys.wordpiece()), "a film", "good")
