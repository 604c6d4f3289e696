"""Tokenizers written in Python, which tell no offsets: their pieces are found in the text by their characters."""

from __future__ import annotations

import functools
import itertools
import json
from pathlib import Path

import pytest
import torch
import transformers
from hypothesis import given
from hypothesis import strategies as st

import exegesis
from exegesis.core.errors import ModelError, TextError, UnsupportedError
from exegesis.models.huggingface.adapter import HuggingFaceClassifier
from exegesis.models.huggingface.load import load_huggingface
from exegesis.models.huggingface.offsets import encode, places
from exegesis.models.huggingface.wrap import wrap_huggingface
from tests.support.hf_architectures import small
from tests.support.hf_toys import UNTYPED, bert, roberta, wordpiece

RAW = "A naïve film, isn't it? 🙂 unheard"


def phobert(folder: Path) -> transformers.PreTrainedTokenizer:
    """PhoBERT's (and BERTweet's): words cut by blanks, "@@" on pieces that go on, <unk> for any other piece."""
    pieces = ["a", "n@@", "a@@", "film@@", "film", ",", "is@@", "n't", "it@@", "?", "naive"]
    (folder / "vocab.txt").write_text("".join(f"{piece} 1\n" for piece in pieces), encoding="utf-8")
    merges = ["f i", "fi l", "fil m", "fil m</w>", "i s", "n '", "n' t</w>", "i t"]
    (folder / "bpe.codes").write_text("".join(f"{merge} 1\n" for merge in merges), encoding="utf-8")
    return transformers.PhobertTokenizer(str(folder / "vocab.txt"), str(folder / "bpe.codes"))


def rocbert(folder: Path, *words: str) -> transformers.PreTrainedTokenizer:
    """BERT's pieces, with the shape and the sound of each."""
    pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *words]
    (folder / "vocab.txt").write_text("\n".join(pieces))
    (folder / "shapes.json").write_text(json.dumps({piece: n for n, piece in enumerate(pieces)}))
    return transformers.RoCBertTokenizer(str(folder / "vocab.txt"), *(2 * [str(folder / "shapes.json")]))


@functools.cache
def canine() -> transformers.PreTrainedTokenizer:
    return transformers.CanineTokenizer()


def by_hand(model: HuggingFaceClassifier, *parts: str) -> torch.Tensor:
    with torch.no_grad():
        return model.module(**model.tokenizer(*parts, return_tensors="pt")).logits


@pytest.mark.parametrize(
    ("text", "pieces", "seen"),
    [
        ("banana a film", [None, "a", "film"], ["banana", "a", "film"]),  # the "a" of an unknown word is not the word
        ("a banana film", ["a", None, "film"], ["a", "banana", "film"]),
        ("x 漢 字 y", ["x", None, None, "y"], ["x", "漢", "字", "y"]),  # unknown ones one by one
        ("x 漢 字 y", ["x", None, "y"], ["x", "漢 字", "y"]),
        ("Don't, Café!", ["do@@", "n&apos;t", ",", "cafe</w>", "!"], ["Do", "n't", ",", "Café", "!"]),
        ("fine 🙂 film", ["▁fine", ":smile:", "▁fi", "lm"], ["fine", "🙂", "fi", "lm"]),
        ("unbelievable", ["un", "##believ", "##able"], ["un", "believ", "able"]),
        ("é b", ["Ã", "©", " ", "b"], ["é", "é", " ", "b"]),  # bytes
        ("é b", ["é", " ", "b"], ["é", " ", "b"]),
        ("e\u0301 b", ["e", "\u0301", " ", "b"], ["e", "\u0301", " ", "b"]),
        ("a", ["a", "</s>"], ["a", ""]),
        ("", [], []),
    ],
)
def test_pieces_are_found_by_their_characters(text: str, pieces: list[str | None], seen: list[str]) -> None:
    assert [text[start:stop] for start, stop in places(text, pieces)] == seen


@given(st.lists(st.text(st.characters(codec="utf-8"), min_size=1, max_size=6), min_size=1, max_size=12))
def test_any_text_cut_anywhere(pieces: list[str]) -> None:
    """The ranges follow each other, and every piece has its own characters where these are compared at all."""
    text = "".join(pieces)
    found = places(text, pieces)
    assert len(found) == len(pieces)
    assert all(0 <= start <= stop <= len(text) for start, stop in found)
    ends = list(itertools.accumulate(map(len, pieces)))
    for piece, (start, stop), end in zip(pieces, found, ends, strict=True):
        if piece.isascii() and piece.isalnum():
            assert (start, stop) == (end - len(piece), end)


def test_a_long_text_that_agrees_badly() -> None:
    words = [f"w{n}" for n in range(3000)]
    pieces = [None if n % 7 == 0 else word for n, word in enumerate(words)]
    text = " ".join(words)
    assert [text[start:stop] for start, stop in places(text, pieces)] == words


def test_a_tokenizer_of_characters() -> None:
    """CANINE has no vocabulary, and folds four characters into one: shorter rows are filled up."""
    module = small("canine")
    model = wrap_huggingface(module, canine())
    text = model.read(RAW)
    assert text.word_strings() == ("A", "naïve", "film", ",", "is", "n't", "it", "?", "🙂", "unheard")
    assert "hashes" in model.lacks["Differentiable"]
    assert not model.profile.padded
    texts = [model.read(raw) for raw in (RAW, "fine", ("a film", "good"))]
    outputs = torch.cat([by_hand(model, RAW), by_hand(model, "fine"), by_hand(model, "a film", "good")])
    torch.testing.assert_close(model.outputs(model.encode(texts)), outputs, rtol=0, atol=1e-5)
    with pytest.raises(RuntimeError, match="size"):
        by_hand(model, "a")
    filled = model.tokenizer("a", padding="max_length", max_length=16, return_tensors="pt")
    with torch.no_grad():
        expected = module(**filled).logits
    torch.testing.assert_close(model.outputs(model.encode([model.read("a")])), expected, rtol=0, atol=1e-6)
    assert exegesis.explain(model, "a", "leave-one-out").scores.shape == (1,)


def test_a_tokenizer_of_bytes() -> None:
    module = bert()
    module.resize_token_embeddings(400)
    model = wrap_huggingface(module, transformers.ByT5Tokenizer())
    text = model.read("naïve 🙂")
    assert text.word_strings() == ("naïve", "🙂")
    assert [word.width for word in text.words] == [6, 5]  # the blank belongs to the word behind it
    torch.testing.assert_close(model.outputs(model.encode([text])), by_hand(model, "naïve 🙂"), rtol=0, atol=1e-9)


def test_a_tokenizer_of_pieces(tmp_path: Path) -> None:
    """Words as a reader cuts them, pairs, outputs as by hand; also where the text is cut."""
    tokenizer = phobert(tmp_path)
    model = wrap_huggingface(roberta(), tokenizer)
    text = model.read(RAW.lower())
    assert "<unk>" in text.pieces
    assert "".join(text.word_strings()) == RAW.lower().replace(" ", "")
    for raw in ("a film", RAW, ("a film", "is it"), ("a", RAW)):
        parts = raw if isinstance(raw, tuple) else (raw,)
        seen = model.outputs(model.encode([model.read(raw)]))
        torch.testing.assert_close(seen, by_hand(model, *parts), rtol=0, atol=1e-9)
    pair = model.read(("a film", "is it"))
    assert pair.word_strings() == ("a", "film", "is", "it")
    assert len(pair.segments) == 2
    assert exegesis.explain(model, "a film", "gradient-x-input").words == ("a", "film")
    with pytest.raises(TextError, match="at most 96"):
        model.read("film " * 200)
    cut = wrap_huggingface(roberta(), tokenizer, truncate=True).read(("film " * 200, "a film"))
    assert len(cut) == 96
    assert cut.word_strings()[-2:] == ("a", "film")
    assert set(cut.word_strings()[:-2]) == {"film"}


def test_wrap_takes_it_too(tmp_path: Path) -> None:
    """With a Hugging Face model as ``load`` does; with a module of one's own, its pieces are words of the text."""
    tokenizer = phobert(tmp_path)
    seen = exegesis.wrap(roberta(), tokenizer=tokenizer)
    assert isinstance(seen, HuggingFaceClassifier)
    torch.manual_seed(0)
    mine = torch.nn.Sequential(torch.nn.EmbeddingBag(len(tokenizer), 4, mode="sum"), torch.nn.Linear(4, 2))
    model = exegesis.wrap(mine, tokenizer=tokenizer, labels=["a", "b"])
    result = exegesis.explain(model, "a film, it?", "leave-one-out", target="a")
    assert result.words == ("a", "film,", "it?") or result.words == ("a", "film", ",", "it", "?")
    assert (result.scores != 0).all()


def test_an_unknown_word_is_not_sought_as_it_is_called(tmp_path: Path) -> None:
    tokenizer = rocbert(tmp_path, "unk", "film")
    found = encode(tokenizer, ["kino unk kino film"], None)
    assert found.tokens == ["[CLS]", "[UNK]", "unk", "[UNK]", "film", "[SEP]"]
    assert found.offsets == [(0, 0), (0, 4), (5, 8), (9, 13), (14, 18), (0, 0)]


def test_it_is_loaded_from_a_folder(tmp_path: Path) -> None:
    small("canine").save_pretrained(tmp_path)
    canine().save_pretrained(tmp_path)
    model = load_huggingface(tmp_path)
    assert model.read("a film").word_strings() == ("a", "film")


def test_special_pieces_inside_the_text_are_refused() -> None:
    class Odd(transformers.CanineTokenizer):
        def __call__(self, *parts: str, **options: object) -> dict[str, list[int]]:
            return {"input_ids": [0xE000, 97, 0xE001, 98]}

    with pytest.raises(UnsupportedError, match=r"^[^\n]*inside the text[^\n]*fast tokenizer[^\n]*$"):
        encode(Odd(), ["ab"], None)


def test_a_tokenizer_that_gives_more_than_ids(tmp_path: Path) -> None:
    """RoCBERT's gives the shape and the sound of every character, LayoutLM's the boxes of a page."""
    with pytest.raises(UnsupportedError, match=r"^[^\n]*gives it input_pronunciation_ids, input_shape_ids[^\n]*$"):
        wrap_huggingface(small("roc_bert"), rocbert(tmp_path, "a", "word"))


def test_outputs_that_differ_from_run_to_run() -> None:
    module = small("reformer")
    module.config.hash_seed = None
    for part in module.modules():
        if hasattr(part, "hash_seed"):
            part.hash_seed = None
    with pytest.raises(UnsupportedError, match=r"^[^\n]*otherwise each time[^\n]*hash_seed[^\n]*$"):
        wrap_huggingface(module, wordpiece(inputs=UNTYPED))


def test_outputs_that_are_not_numbers() -> None:
    """As CANINE's in float64: the model is wrapped, and refused when it is asked."""
    module = bert()
    with torch.no_grad():
        module.classifier.bias.fill_(torch.nan)
    model = wrap_huggingface(module, wordpiece())
    with pytest.raises(ModelError, match="not finite"):
        exegesis.explain(model, "a film", "leave-one-out")
