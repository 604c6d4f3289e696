"""Encoders fine-tuned through the command line: read again as classifiers and taggers, resumed where interrupted."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("transformers")

import transformers

import exegesis
import tests.support.hf_toys as hf_toys
from exegesis.cli import run
from exegesis.core.errors import FileError, UsageError
from exegesis.data.tagged import Tagged, read_tagged, read_tagged_splits, tags_of

SHAPE = ("--epochs", "8", "--batch", "8", "--lr", "0.005")


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models") / "encoder"
    transformers.BertModel(hf_toys.bert().config).float().save_pretrained(folder)
    hf_toys.wordpiece().save_pretrained(folder)
    return folder


def test_a_classifier_is_resumed_and_read_again(encoder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("accelerate")
    from exegesis.models.huggingface import finetuning

    rows = [f"{text} {word} film\t{label}" for text in ("a", "it's a", "really a", "some")
            for word, label in (("fine", "good"), ("dull", "bad"))]  # fmt: skip
    for split in ("train", "dev", "test"):
        (tmp_path / f"{split}.tsv").write_text(
            "text\tlabel\n" + "\n".join(rows * (8 if split == "train" else 2)) + "\n"
        )
    out = tmp_path / "film"
    command = ["train", str(tmp_path), "--arch", f"hf:{encoder}", "--out", str(out), *SHAPE, "-q"]
    original = finetuning._score

    def stopped(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(finetuning, "_score", stopped)
    assert run(command) != 0
    assert not out.exists()
    assert list((tmp_path / "film.checkpoint").glob("checkpoint-*"))
    monkeypatch.setattr(finetuning, "_score", original)
    assert run([*command, "--resume"]) == 0
    assert not (tmp_path / "film.checkpoint").exists()
    model = exegesis.load(out)
    assert model.labels == ("bad", "good")
    fine, dull = exegesis.predict(model, ["a fine film", "a dull film"])
    assert fine["good"] > dull["good"]
    found = re.search(r"test: ([\d.]+)% of 16 texts", (out / "README.md").read_text())
    assert found
    assert float(found[1]) >= 75
    told = [
        max(answer.items(), key=lambda one: one[1])[0]
        for answer in exegesis.predict(model, [r.split("\t")[0] for r in rows])
    ]
    for gold in model.labels:  # each text is twice among the test texts
        counts = [
            2 * sum(r.endswith(gold) and t == label for r, t in zip(rows, told, strict=True)) for label in model.labels
        ]
        assert f"| {gold} | {counts[0]} | {counts[1]} |" in (out / "README.md").read_text()
    assert run(command) == 1  # the folder exists


def test_scores_count_gold_by_predicted_labels() -> None:
    from exegesis.models.huggingface import finetuning

    logits = np.log([[[0.2, 0.8], [0.5, 0.5]], [[0.1, 0.9], [0.4, 0.6]]]).astype(
        "float32"
    )  # [sentences, words, labels]
    score = finetuning._told(logits, np.array([[0, finetuning.IGNORED], [1, 1]]), ["a", "b"])
    assert score.confusion == ((0, 1), (0, 2))
    assert score.loss == pytest.approx(-np.log([0.2, 0.9, 0.6]).mean())
    assert score.table()[-2:] == ["| a | 0 | 1 |", "| b | 0 | 2 |"]


def test_an_encoder_in_halves(encoder: Path, tmp_path: Path) -> None:
    """Each text trains its own half of what dropout layers pass on; the saved model knows, and predicts as a whole."""
    pytest.importorskip("accelerate")
    from exegesis.models.huggingface import finetuning
    from exegesis.nn.halves import _ACTIVE

    rows = [(f"{text} {word} film", label) for text in ("a", "it's a", "really a", "some")
            for word, label in (("fine", "good"), ("dull", "bad"))]  # fmt: skip
    parts = {"train": [exegesis.Example.of(*row) for row in rows]} | {"dev": [exegesis.Example.of(*rows[0])]}
    seen = set()
    drawn = finetuning.halved

    def watched(texts, *, other=False):
        seen.update(texts)
        return drawn(texts, other=other)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(finetuning, "halved", watched)
        finetuning.finetune(str(encoder), parts, ["bad", "good"], tmp_path / "out",
                            finetuning.FineTuning(epochs=2, batch=3, lr=0.005, turn_over=True),
                            state=tmp_path / "state", card=lambda _: "")  # fmt: skip
    model = exegesis.load(tmp_path / "out")
    assert seen == {tuple(model.read(text).ids) for text, _ in rows}  # padding left out
    assert model.module.config.turn_over
    before = exegesis.predict(model, rows[0][0])
    found = exegesis.influence(model, rows, rows[0][0], "turn-over-dropout", target="good")
    assert len(set(found.scores.tolist())) == len(rows)
    assert found.details["noise"] > 0
    assert exegesis.predict(model, rows[0][0]) == before
    assert _ACTIVE.get() is None


def test_a_tagger_is_trained_and_viewed(encoder: Path, tmp_path: Path) -> None:
    pytest.importorskip("accelerate")
    lines = "a\tDET\nfine\tADJ\nfilm\tNOUN\n\nsome\tDET\ndull\tADJ\nplot\tNOUN\n\n"
    (tmp_path / "train.conll").write_text(lines * 32)
    other, out = tmp_path / "unseen.conll", tmp_path / "tagger"
    other.write_text(lines)
    given = ["train", str(tmp_path / "train.conll"), "--test", str(other), "--tags", "--out", str(out)]
    assert run([*given, "--arch", f"hf:{encoder}", *SHAPE, "-q"]) == 0
    model, card = exegesis.load(out), (out / "README.md").read_text()
    assert "- test: " in card and "unseen.conll, 2 examples" in card and "dev: a seeded tenth" in card  # noqa: PT018
    assert model.labels == ("ADJ", "DET", "NOUN")
    assert exegesis.explain(model, ("a dull film", "film"), "leave-one-out").prediction.label == "NOUN"


def test_tagged_sentences_of_files(tmp_path: Path) -> None:
    columns, lines = tmp_path / "a.conll", tmp_path / "a.jsonl"
    columns.write_text("# text = a film\na DT B\nfilm NN I\n\n-DOCSTART- O\n\nit PRP O\n")
    expected = [Tagged(("a", "film"), ("B", "I")), Tagged(("it",), ("O",))]
    assert read_tagged(columns) == expected
    lines.write_text("".join(json.dumps({"tokens": s.words, "tags": s.tags}) + "\n" for s in expected))
    assert read_tagged(lines) == expected
    treebank = tmp_path / "a.conllu"
    rows = ("1 a a DET DT _ 2 det _ _", "2 film film NOUN NN _ 0 root _ _", "2.1 it it PRON PRP _ _ _ _ _")
    treebank.write_text("# text = a film\n" + "\n".join(row.replace(" ", "\t") for row in rows) + "\n\n")
    assert read_tagged(treebank) == [Tagged(("a", "film"), ("DET", "NOUN"))]
    assert tags_of(expected) == ("B", "I", "O")
    assert read_tagged_splits(columns, {"dev": str(lines)}).keys() == {"train", "dev"}
    columns.write_text("film\n")
    with pytest.raises(FileError, match="line 1: give a word and its tag"):
        read_tagged(columns)
    lines.write_text('{"words": ["a"], "tags": []}\n')
    with pytest.raises(FileError, match="line 1: no tagged sentence"):
        read_tagged(lines)
    with pytest.raises(UsageError, match="at least two"):
        tags_of([Tagged(("a",), ("O",))])
    with pytest.raises(FileError, match="no file of tagged training sentences"):
        read_tagged_splits(tmp_path, {})
