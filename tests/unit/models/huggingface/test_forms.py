"""Models as users have them: compiled, offloaded, quantised, in half precision, with attention of their own."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

pytest.importorskip("transformers")

import transformers

import exegesis
import tests.reference.generation as reference
import tests.support.hf_toys as hf_toys
from exegesis.core.errors import TextError, UnsupportedError
from exegesis.models.huggingface.wrap import wrap_huggingface

TEXTS = ("a fine film", "a dull plot and some more of them")
METHODS = ("lrp", "gradient-x-input", "leave-one-out", "attention-relevance")


@pytest.fixture(scope="module")
def words() -> Any:
    return hf_toys.wordpiece()


@pytest.fixture(scope="module")
def plain(words: Any) -> dict[str, list[np.ndarray]]:
    """The scores of a model as it is."""
    return {method: scores(wrap_huggingface(hf_toys.bert(), words), method) for method in METHODS}


def scores(model: Any, method: str, texts: Sequence[str] = TEXTS) -> list[np.ndarray]:
    return [one.scores for one in exegesis.explain(model, list(texts), method, target=0)]


def parts_compiled(module: Any, backend: Any) -> Any:
    for number, layer in enumerate(module.bert.encoder.layer):
        module.bert.encoder.layer[number] = torch.compile(layer, backend=backend)
    return module


def in_place(module: Any, backend: Any) -> Any:
    module.bert.encoder.layer[0].compile(backend=backend)
    module.compile(backend=backend)
    return module


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # torch's compiler, of its own parts
@pytest.mark.parametrize(
    "compiled", [lambda module, backend: torch.compile(module, backend=backend), in_place, parts_compiled]
)
def test_a_compiled_model_runs_as_it_is_written(
    compiled: Callable[[Any, Any], Any], words: Any, plain: dict[str, list[np.ndarray]]
) -> None:
    runs: list[int] = []

    def backend(graph: Any, inputs: Any) -> Any:
        runs.append(1)
        return graph.forward

    module = compiled(hf_toys.bert(), backend)
    model = wrap_huggingface(module, words)
    for method in METHODS:
        for ours, own in zip(scores(model, method), plain[method], strict=True):
            np.testing.assert_allclose(ours, own, rtol=0, atol=1e-12)
    assert not runs
    with torch.no_grad():
        module(torch.ones(1, 3, dtype=torch.long))
    assert runs  # it is compiled as before
    torch._dynamo.reset()


@pytest.mark.parametrize("where", ["memory", "disk"])
def test_offloaded_weights_come_when_they_are_needed(
    where: str, words: Any, plain: dict[str, list[np.ndarray]], tmp_path: Path
) -> None:
    accelerate = pytest.importorskip("accelerate")
    module = hf_toys.bert()
    here = torch.device("cpu")
    if where == "memory":
        accelerate.cpu_offload(module, execution_device=here)
    else:
        accelerate.disk_offload(module, str(tmp_path), execution_device=here)
    model = wrap_huggingface(module, words)
    for method in METHODS:
        for ours, own in zip(scores(model, method), plain[method], strict=True):
            np.testing.assert_allclose(ours, own, rtol=0, atol=1e-12)
    assert all(weight.device.type == "meta" for weight in module.parameters())
    with pytest.raises(UnsupportedError, match=r"offloaded.*without device_map"):
        exegesis.influence(model, [(TEXTS[0], "LABEL_0")], TEXTS[1])
    with pytest.raises(UnsupportedError, match="offloaded"):
        exegesis.randomisation(model, list(TEXTS), ["lrp"])  # which would shuffle nothing


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # torch's own, of this kind of quantisation
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_quantised_layers_have_no_gradient(words: Any) -> None:
    module = torch.ao.quantization.quantize_dynamic(hf_toys.bert().float(), {torch.nn.Linear}, dtype=torch.qint8)
    model = wrap_huggingface(module, words)
    assert np.isfinite(exegesis.explain(model, TEXTS[0], "leave-one-out", target=0).scores).all()
    for method in ("lrp", "gradient"):
        with pytest.raises(UnsupportedError, match="quantised layers"):
            exegesis.explain(model, TEXTS[0], method)


@pytest.mark.quick
@pytest.mark.parametrize(("dtype", "near"), [(torch.bfloat16, 0.05), (torch.float16, 0.01)])
@pytest.mark.parametrize("method", ["lrp", "lrp:attention=constant", "gradient-x-input"])
def test_half_precision_is_within_its_rounding(method: str, dtype: torch.dtype, near: float, words: Any) -> None:
    """Of the largest score on average over the words, and of the largest part of the account.

    Single words, whose terms cancel, are up to twice as far off in 60 texts of random words.
    """
    module = hf_toys.bert()
    exact = exegesis.explain(wrap_huggingface(module, words), TEXTS[1], method, target=0)
    rough = exegesis.explain(wrap_huggingface(copy.deepcopy(module).to(dtype), words), TEXTS[1], method, target=0)
    errors = np.abs(rough.scores - exact.scores) / np.abs(exact.scores).max()
    assert errors.mean() <= near
    assert errors.max() <= 4 * near
    if exact.complete:
        assert abs(float(rough.gap)) <= near * max(abs(float(part)) for part in exact.account.values())


class Fused(torch.autograd.Function):
    """Attention as a kernel of its own has it: one function, with a backward pass that torch does not see into."""

    @staticmethod
    def forward(ctx: Any, *inputs: torch.Tensor) -> torch.Tensor:
        ctx.save_for_backward(*inputs)
        return torch.nn.functional.scaled_dot_product_attention(*inputs)

    @staticmethod
    def backward(ctx: Any, slope: torch.Tensor) -> Any:
        with torch.enable_grad():
            inputs = [value.detach().requires_grad_() for value in ctx.saved_tensors]
            return torch.autograd.grad(torch.nn.functional.scaled_dot_product_attention(*inputs), inputs, slope)


def fused(module: Any, query: Any, key: Any, value: Any, mask: Any, **more: Any) -> Any:
    return Fused.apply(query, key, value).transpose(1, 2).contiguous(), None


def test_attention_of_a_kernel_of_its_own(words: Any, plain: dict[str, list[np.ndarray]]) -> None:
    """As flash attention is: what needs no more than slopes is served, rules are refused with the way out."""
    transformers.AttentionInterface.register("fused_for_a_test", fused)
    transformers.AttentionMaskInterface.register("fused_for_a_test", lambda *_, **__: None)
    module = hf_toys.bert()
    module.set_attn_implementation("fused_for_a_test")
    for method in ("gradient-x-input", "leave-one-out"):
        one = exegesis.explain(wrap_huggingface(module, words), TEXTS[0], method, target=0)
        np.testing.assert_allclose(one.scores, plain[method][0], rtol=0, atol=1e-9)
    with pytest.raises(UnsupportedError, match=r"flash attention.*attn_implementation='sdpa'"):
        exegesis.explain(wrap_huggingface(module, words), TEXTS[0], "lrp", target=0)


PROMPTS = ("it's a fine film, really", "film 🙂👍🏽 漢字 ", "\ud83d a film \N{REPLACEMENT CHARACTER}")
ANSWERS = (" some more", "\n it's, good!", "\N{COMBINING ACUTE ACCENT}", " 🙂 \ud83d")
TOKENIZERS = {
    **hf_toys.TOKENIZERS,
    "wordpiece": lambda: hf_toys.wordpiece(inputs=hf_toys.UNTYPED),
    "cased": lambda: hf_toys.wordpiece(lowercase=False, inputs=hf_toys.UNTYPED),
    "bytes": transformers.ByT5Tokenizer,
}
SPELT = {"wordpiece": 6, "cased": 6, "whole words": 0, "unigram": 3}  # of the twelve


@pytest.mark.parametrize("kind", TOKENIZERS)
def test_answers_of_any_tokenizer_padded_on_any_side(kind: str) -> None:
    """Also of prompts that end in half a character; an answer that cannot be spelt is refused, no other."""
    tokenizer = TOKENIZERS[kind]()
    config = transformers.GPT2Config(
        vocab_size=max(340, len(tokenizer)), n_embd=8, n_layer=1, n_head=2, n_positions=96,
        bos_token_id=tokenizer.bos_token_id, eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.pad_token_id,
    )  # fmt: skip
    model = wrap_huggingface(hf_toys._made(transformers.GPT2LMHeadModel, config), tokenizer, name=kind)
    spelt = 0
    for prompt in PROMPTS:
        for answer in ANSWERS:
            tokenizer.padding_side = "left"
            try:
                left = exegesis.generation(model, prompt, answer, "gradient-x-input")
            except TextError as error:
                assert "cannot spell" in str(error) or "leaves nothing" in str(error)  # noqa: PT017
                continue
            tokenizer.padding_side = "right"
            right = exegesis.generation(model, prompt, answer, "gradient-x-input") if not spelt else left
            np.testing.assert_array_equal(left.values, right.values)
            assert left.text.raw == prompt + answer
            assert "".join("".join(left.steps).split()) == "".join(answer.split())
            total = sum(reference.steps(model.module, left.text.ids, left.text.segments[1].start))
            assert float(np.sum(left.explained)) == pytest.approx(total, abs=1e-9)
            spelt += 1
    assert spelt == SPELT.get(kind, 12)


def test_texts_padded_on_the_left() -> None:
    """A batch has the scores of its texts alone, whatever side the tokenizer pads and cuts on."""
    config = transformers.GPT2Config(vocab_size=330, n_embd=16, n_layer=2, n_head=2, n_positions=24, num_labels=2)
    module, tokenizer = hf_toys._made(transformers.GPT2ForSequenceClassification, config), hf_toys.byte_bpe()
    model = wrap_huggingface(module, tokenizer)
    alone = {method: [scores(model, method, [text])[0] for text in TEXTS] for method in METHODS[:3]}
    tokenizer.padding_side = tokenizer.truncation_side = "left"
    model = wrap_huggingface(module, tokenizer)
    for method, own in alone.items():
        for ours, one in zip(scores(model, method), own, strict=True):
            np.testing.assert_allclose(ours, one, rtol=0, atol=1e-12)
    cut = exegesis.explain(wrap_huggingface(module, tokenizer, truncate=True), "a film " * 30 + "good", "lrp")
    assert len(cut.text) == 24
    assert cut.words[-1] == "good"
    assert cut.text.characters(cut.text.words[-1]) == (210, 214)
