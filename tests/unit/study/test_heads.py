"""What heads attend to: a head that looks at governors is found, one that looks at the word before is an offset."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

import exegesis
from exegesis import study
from exegesis.core.errors import FileError, UsageError
from exegesis.data.treebank import Sentence, read_treebank
from exegesis.show import render
from tests.support.torch_toys import WORDS

RUNS, THE = "w0", "w1"  # the governor of every subject, and its determiner


class Planted(nn.Module):
    """Two heads: one looks at the word w0 wherever it stands, the other at the word before; only the first is used."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(len(WORDS), 4)
        self.output = nn.Linear(4, 2)
        draws = torch.Generator().manual_seed(1)
        for weight in self.parameters():
            weight.data = torch.randn(weight.shape, generator=draws, dtype=torch.float64)
        self.embedding.weight.data[:, 0] = 0.0
        self.embedding.weight.data[WORDS.index(RUNS), 0] = 1.0

    def forward(self, ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        vectors = self.embedding(ids)
        size = ids.shape[1]
        governor = (9 * vectors[..., 0])[:, None].expand(-1, size, -1)
        places = torch.arange(size)
        before = -3.0 * (places[None] - (places[:, None] - 1).clamp_min(0)).abs().double().expand(len(ids), -1, -1)
        scores = torch.stack([governor, before], 1).masked_fill(~mask[:, None, None], -torch.inf)
        weights = torch.softmax(scores, -1)
        taken = weights @ torch.stack([vectors, vectors * 0.0], 1)
        return self.output(taken.sum(1).mean(1))


def sentences(count: int) -> list[Sentence]:
    """Nouns whose verb w0 stands at any distance, each behind its determiner."""
    draws, made = np.random.default_rng(0), []
    for _ in range(count):
        nouns = [f"w{n}" for n in draws.integers(2, 17, draws.integers(2, 5))]
        words = [word for noun in nouns for word in (THE, noun)]
        at = 2 * int(draws.integers(0, len(nouns) + 1))
        words.insert(at, RUNS)
        heads, relations, tags = [], [], []
        for n, word in enumerate(words):
            heads.append(-1 if word == RUNS else n + 1 if word == THE else at)
            relations.append("root" if word == RUNS else "det" if word == THE else "nsubj")
            tags.append("VERB" if word == RUNS else "DET" if word == THE else "NOUN")
        made.append(Sentence(tuple(words), tuple(tags), tuple(heads), tuple(relations)))
    return made


@pytest.fixture(scope="module")
def found():
    model = exegesis.wrap(Planted(), vocabulary=WORDS, labels=["a", "b"])
    return study.heads(model, sentences(24), minimum=10, tried=3, samples=200)


def test_the_planted_head_is_found(found) -> None:
    subject, determiner = found.of("nsubj"), found.of("det")
    assert (subject.layer, subject.head, subject.direction, subject.accuracy) == (1, 1, "to head", 1.0)
    assert subject.baseline < 0.7
    assert found.found == ("nsubj",)
    assert (determiner.head, determiner.direction, determiner.accuracy) == (2, "to dependent", 1.0)
    assert (determiner.offset, determiner.baseline) == (-1, 1.0)  # its determiner stands before every noun
    assert found.tags["VERB"][0, 0] > 0.99
    assert found.offsets["previous"][0, 1] > 0.8
    assert found.special.shape == (1, 2)


def test_copies_of_a_sentence_are_one(found) -> None:
    model = exegesis.wrap(Planted(), vocabulary=WORDS, labels=["a", "b"])
    twice = study.heads(model, [one for one in sentences(24) for _ in range(2)], minimum=10, tried=0, samples=200)
    for relation in ("nsubj", "det"):
        one, two = found.of(relation), twice.of(relation)
        assert two.words == 2 * one.words
        assert two._replace(words=one.words) == one  # the same head, chosen on the same half, and no narrower interval


def test_a_head_that_is_not_used_costs_nothing(found) -> None:
    assert found.cost[0, 0] > 1e-3 > 1e-12 > found.cost[0, 1]
    assert found.importance[0, 0] > 1e-6 > 1e-12 > found.importance[0, 1]
    assert found.tried == 3


def test_it_is_saved_and_drawn(found, tmp_path) -> None:
    assert exegesis.read(found.save(tmp_path / "heads.json")) == found
    assert "1 of 2 relations are found by a head better than by position: nsubj" in render(
        found, color=False, width=120
    )


def test_a_treebank_is_read(tmp_path) -> None:
    path = tmp_path / "some.conllu"
    rows = ["# text = It runs.", "1\tIt\tit\tPRON\tPRP\t_\t2\tnsubj:pass\t_\t_", "2-3\truns.\t_\t_\t_\t_\t_\t_\t_\t_",
            "2\truns\trun\tVERB\tVBZ\t_\t0\troot\t_\t_", "3\t.\t.\tPUNCT\t.\t_\t2\tpunct\t_\t_"]  # fmt: skip
    path.write_text("\n".join(rows))
    assert read_treebank(path) == [
        Sentence(("It", "runs", "."), ("PRON", "VERB", "PUNCT"), (1, -1, 1), ("nsubj", "root", "punct"), ("_",) * 3)
    ]
    for broken, message in (
        ("1\tIt\n", "2 columns"),
        ("\n\n", "no sentence"),
        (rows[1].replace("\t2\t", "\t9\t"), "not a word"),
    ):
        path.write_text(broken)
        with pytest.raises(FileError, match=message):
            read_treebank(path)


def test_rare_relations_are_no_study() -> None:
    model = exegesis.wrap(Planted(), vocabulary=WORDS, labels=["a", "b"])
    with pytest.raises(UsageError, match="no relation occurs 100 times"):
        study.heads(model, sentences(3), minimum=100)
