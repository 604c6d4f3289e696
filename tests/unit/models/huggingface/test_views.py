"""Views of Hugging Face models as classifiers: the module's own numbers, read at the right place of any text."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

pytest.importorskip("transformers")

import transformers
from torch import Tensor

import exegesis
import tests.support.hf_toys as hf_toys
from exegesis.core.errors import TextError, UnsupportedError, UsageError
from exegesis.mech.attending.layout import learned
from exegesis.mech.removal.perturbed import outputs_without
from exegesis.models.huggingface.adapter import HuggingFaceClassifier
from exegesis.models.huggingface.load import load_huggingface
from exegesis.models.huggingface.views.tasks import TASKS
from exegesis.models.huggingface.wrap import wrap_huggingface
from exegesis.protocols.model import Differentiable, Raw, offers
from exegesis.testing.models import check_model

BERT = {"vocab_size": 100, "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2,
        "intermediate_size": 32, "max_position_embeddings": 48}  # fmt: skip
BART = {"vocab_size": 100, "d_model": 16, "encoder_layers": 1, "decoder_layers": 1, "encoder_attention_heads": 2,
        "decoder_attention_heads": 2, "encoder_ffn_dim": 32, "decoder_ffn_dim": 32, "max_position_embeddings": 64,
        "bos_token_id": 2, "eos_token_id": 3, "decoder_start_token_id": 3, "pad_token_id": 0}  # fmt: skip
GPT2 = {"vocab_size": 330, "n_embd": 16, "n_layer": 2, "n_head": 2, "n_positions": 96, "bos_token_id": 0,
        "eos_token_id": 0}  # fmt: skip
TEXTS = ["a fine film", "a film, really good", "more of them and a dull plot"]
SECONDS = ["it's good", "a dull plot and a word", "film"]


def ids(model: HuggingFaceClassifier, *parts: str) -> Tensor:
    return model.tokenizer(*parts, return_tensors="pt")["input_ids"]


def tag(model: HuggingFaceClassifier, raw: Any) -> Tensor:
    text = model.read(raw)
    return model.module(**model.tokenizer(raw[0], return_tensors="pt")).logits[:, text.places[0].start]


def span(model: HuggingFaceClassifier, raw: Any) -> Tensor:
    answer = model.module(**model.tokenizer(*raw, return_tensors="pt"))
    starts, ends = answer.start_logits[0], answer.end_logits[0]
    inside = [n for n, part in enumerate(model.tokenizer(*raw).sequence_ids(0)) if part == 1]
    sums = {(s, e): float(starts[s] + ends[e]) for s in inside for e in inside if s <= e < s + 30}
    first, last = max(sums, key=sums.__getitem__)
    return torch.stack([starts[first] + ends[last], starts[first], ends[last]])[None]


def masked(model: HuggingFaceClassifier, raw: Any) -> Tensor:
    given = model.tokenizer(raw.replace("film", "[MASK]", 1), return_tensors="pt")
    place = int((given["input_ids"][0] == model.tokenizer.mask_token_id).nonzero()[0, 0])
    return model.module(**given).logits[:, place]


def following(model: HuggingFaceClassifier, raw: Any) -> Tensor:
    return model.module(ids(model, raw)).logits[:, -1]


def answered(model: HuggingFaceClassifier, raw: Any) -> Tensor:
    source, beginning = raw
    decoded = torch.cat([torch.tensor([[3]]), ids(model, beginning)[:, :-1]], 1)
    return model.module(ids(model, source), decoder_input_ids=decoded).logits[:, -1]


def alike(model: HuggingFaceClassifier, raw: Any) -> Tensor:
    vectors = [model.module(ids(model, part)).last_hidden_state.mean(1) for part in raw]
    return torch.nn.functional.cosine_similarity(*vectors)[:, None]


def features(model: HuggingFaceClassifier, raw: Raw) -> Tensor:
    return model.module(ids(model, raw)).last_hidden_state.mean(1)


PAIRED = list(zip(TEXTS, SECONDS, strict=True))
TOYS: dict[str, tuple[str, dict[str, Any], list[Raw], Callable[..., Tensor]]] = {
    "token-classification": ("Bert:BertForTokenClassification", BERT | {"num_labels": 4},
                             [(text, "#1") for text in TEXTS], tag),
    "question-answering": ("Bert:BertForQuestionAnswering", BERT, PAIRED, span),
    "fill-mask": ("Bert:BertForMaskedLM", BERT, ["a fine film", "a film, really good", "film of them"], masked),
    "text-generation": ("GPT2:GPT2LMHeadModel", GPT2, TEXTS, following),
    "text2text-generation": ("Bart:BartForConditionalGeneration", BART, PAIRED, answered),
    "sentence-similarity": ("Bert:BertModel", BERT, PAIRED, alike),
    "feature-extraction": ("Bert:BertModel", BERT, TEXTS, features),
}  # fmt: skip


HEADLESS = ("sentence-similarity", "feature-extraction")  # no class says so


def made(task: str) -> Any:
    family, cls = TOYS[task][0].split(":")
    config = getattr(transformers, f"{family}Config")(**TOYS[task][1])
    return hf_toys._made(getattr(transformers, cls), config)


@pytest.fixture(scope="module")
def views() -> dict[str, HuggingFaceClassifier]:
    """A model of each task; all but the sentence encoder are known by their class."""
    tokenizers = {"text-generation": hf_toys.byte_bpe()}
    words = hf_toys.wordpiece()
    return {
        task: wrap_huggingface(
            made(task), tokenizers.get(task, words), name=task, task=task if task in HEADLESS else None
        )
        for task in TOYS
    }


def raws(task: str) -> list[Raw]:
    given = TOYS[task][2]
    return [raw.replace("film", "[MASK]", 1) for raw in given] if task == "fill-mask" else given  # type: ignore[union-attr]


@pytest.mark.parametrize("task", TOYS)
def test_a_view_gives_the_modules_own_numbers(views: dict[str, HuggingFaceClassifier], task: str) -> None:
    """Bit for bit for a text alone, and within rounding beside others; all other promises of a model hold too."""
    model, by_hand = views[task], TOYS[task][3]
    for raw, given in zip(raws(task), TOYS[task][2], strict=True):
        with torch.no_grad():
            expected = by_hand(model, given)
        assert torch.equal(model.outputs(model.encode([model.read(raw)])), expected)
    assert offers(model, Differentiable)
    check_model(model, raws(task))


@pytest.mark.parametrize("task", ["token-classification", "fill-mask", "text-generation", "text2text-generation"])
def test_a_place_moves_with_its_text(views: dict[str, HuggingFaceClassifier], task: str) -> None:
    """A text without its first word is the text that is read without it, at the same word."""
    model = views[task]
    whole, rest = {
        "token-classification": (("good film, really", "film"), ("film, really", "film")),
        "fill-mask": ("good film of [MASK] and", "film of [MASK] and"),
        "text-generation": ("a film of", " film of"),
        "text2text-generation": (("good film", "a dull"), ("film", "a dull")),
    }[task]
    text = model.read(whole)
    first = text.words[0]
    start, stop = (torch.tensor([edge]) for edge in first)
    without = outputs_without(model, model.encode([text]), torch.tensor([0]), start, stop, "drop")
    torch.testing.assert_close(without, model.outputs(model.encode([model.read(rest)])), rtol=0, atol=1e-9)


def test_a_word_that_is_removed_is_a_mask_where_it_is_tagged(views: dict[str, HuggingFaceClassifier]) -> None:
    model = views["token-classification"]
    text = model.read(("a fine film", "#1"))
    start, stop = (torch.tensor([edge]) for edge in text.words[1])
    without = outputs_without(model, model.encode([text]), torch.tensor([0]), start, stop, "drop")
    given = model.tokenizer("a [MASK] film", return_tensors="pt")
    with torch.no_grad():
        expected = model.module(**given).logits[:, 2]
    torch.testing.assert_close(without, expected, rtol=0, atol=1e-9)


def test_an_answer_of_the_users_and_one_that_loses_its_words(views: dict[str, HuggingFaceClassifier]) -> None:
    model = views["question-answering"].answering("dull plot")  # type: ignore[attr-defined]
    text = model.read(("a film", "a dull plot and a word"))
    places = [text.raw[slice(*text.characters(place))] for place in text.places]
    assert "dull".startswith(places[0]) and "plot".endswith(places[1])  # noqa: PT018
    batch = model.encode([text])
    start, stop = torch.tensor([text.places[0].start]), torch.tensor([text.places[1].stop])
    without = outputs_without(model, batch, torch.tensor([0]), start, stop, "drop")
    given = model.tokenizer("a film", "a [MASK] and a word", return_tensors="pt")
    place = int((given["input_ids"][0] == model.tokenizer.mask_token_id).nonzero()[0, 0])
    with torch.no_grad():
        answer = model.module(**given)
    expected = torch.stack([answer.start_logits[0, place], answer.end_logits[0, place]])
    torch.testing.assert_close(without[0, 1:], expected, rtol=0, atol=1e-9)


def test_an_answer_is_the_best_span(views: dict[str, HuggingFaceClassifier]) -> None:
    """Also where the best end comes before the best start."""
    model = views["question-answering"]
    widths = set()
    for first in ("a", "film", "good", "dull plot", "more of them", "unbelievable acting", "really"):
        for second in ("word and some more", "it's good film or plot a dull word"):
            text = model.read((first, second))
            with torch.no_grad():
                expected = span(model, (first, second))
            assert torch.equal(model.outputs(model.encode([text])), expected)
            widths.add(text.places[1].start - text.places[0].start)
    assert len(widths) > 1


def test_methods_hierarchies_and_measures_work_unchanged(views: dict[str, HuggingFaceClassifier]) -> None:
    for task, model in views.items():
        raw = raws(task)[0]
        target = {"question-answering": "answer", "feature-extraction": "dimension 1"}.get(task)
        scores = exegesis.explain(model, raw, "integrated-gradients", target, tolerance=0.01)
        assert abs(scores.gap) <= 0.01 * max(1.0, abs(scores.explained)), task
        same = exegesis.explain(model, raw, "leave-one-out", target)
        assert len(same.scores) == len(same.text.words)
        assert type(same).from_dict(same.to_dict()) == same
    for task in ("token-classification", "question-answering", "fill-mask"):
        target = "answer" if task == "question-answering" else None
        ways = exegesis.explain(views[task], raws(task)[0], "attention-relevance", target)
        assert ways.scores.max() > 0, task
    last = views["token-classification"].read(("a fine film", "#2"))  # read where the text ends
    assert len(learned(views["token-classification"], views["token-classification"].encode([last])).places) == 2
    tags = exegesis.evaluate(views["token-classification"], [(text, "#1") for text in TEXTS],
                             ["leave-one-out"], measures=["comprehensiveness"])  # fmt: skip
    assert tags.values.shape[-1] == len(TEXTS)
    tree = exegesis.hierarchy(views["sentence-similarity"], PAIRED[0], "hedge")
    assert len(tree.text.words) == 6


def test_words_are_named(views: dict[str, HuggingFaceClassifier]) -> None:
    model = views["token-classification"]
    assert model.read(("a film a film", "film#2")).places == model.read(("a film a film", "#3")).places
    for raw, complaint in (
        ("a film", "name one beside the text"),
        (("a film a", "a"), "2 times"),
        (("a film", "plot"), "no word 'plot'"),
        (("a film", "#2"), "out of range"),
    ):
        with pytest.raises(TextError, match=complaint):
            model.read(raw)
    for task, raw in (("fill-mask", "a film"), ("question-answering", "a film"), ("sentence-similarity", "a film"),
                      ("text-generation", ("a", "b"))):  # fmt: skip
        with pytest.raises(TextError):
            views[task].read(raw)


def test_labels_of_a_vocabulary(views: dict[str, HuggingFaceClassifier]) -> None:
    labels = views["text-generation"].labels
    assert len(labels) == len(set(labels)) == 330
    number = views["text-generation"].tokenizer("a film")["input_ids"][1]
    assert labels[number] == views["text-generation"].tokenizer.decode([number]).strip()
    masks = exegesis.explain(views["fill-mask"], "a fine [MASK]", "leave-one-out", target="margin:film,plot")
    assert masks.targets == ("margin:film,plot",)


def test_a_folder_names_its_task(tmp_path: Path) -> None:
    words = hf_toys.wordpiece()
    for task in ("token-classification", "sentence-similarity"):
        folder = tmp_path / task
        made(task).float().save_pretrained(folder)
        words.save_pretrained(folder)
    assert load_huggingface(tmp_path / "token-classification").labels[0] == "LABEL_0"
    encoder = tmp_path / "sentence-similarity"
    modules = [{"path": "", "type": "sentence_transformers.models.Transformer"},
               {"path": "1_Pooling", "type": "sentence_transformers.models.Pooling"}]  # fmt: skip
    (encoder / "modules.json").write_text(json.dumps(modules))
    (encoder / "1_Pooling").mkdir()
    (encoder / "1_Pooling" / "config.json").write_text(json.dumps({"pooling_mode_cls_token": True}))
    model = exegesis.load(encoder)
    assert model.labels == ("similarity",)
    batch = model.encode([model.read(("a film", "a film"))])
    assert float(model.outputs(batch)) == pytest.approx(1.0)
    assert model.pooling == "cls"  # type: ignore[attr-defined]
    with pytest.raises(UsageError, match="task"):
        exegesis.load(encoder, task="tagging")
    with pytest.raises(UsageError, match="labels belong"):
        exegesis.load(encoder, labels=["a", "b"])


def test_what_a_task_needs() -> None:
    tokenizer = hf_toys.byte_bpe()
    with pytest.raises(UnsupportedError, match="no mask token"):
        wrap_huggingface(made("text-generation"), tokenizer, task="fill-mask")
    assert set(TOYS) | {"text-classification"} == set(TASKS)
