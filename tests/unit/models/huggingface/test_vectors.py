"""Where words are looked up: by value, whatever a module does with its ids before and after."""

from __future__ import annotations

import pytest
import torch
import transformers
from torch import Tensor, nn

from exegesis.core.errors import ModelError, UnsupportedError
from exegesis.models.huggingface.adapter import HuggingFaceClassifier
from exegesis.models.huggingface.vectors import MOVED, SAME, TURNED, Lookup, find_lookups, replaced, word_vectors
from exegesis.models.huggingface.wrap import wrap_huggingface
from exegesis.protocols.model import Differentiable, offers
from tests.support.hf_toys import UNTYPED, bert, wordpiece

IDS = torch.tensor([[5, 6, 7, 8, 9], [9, 5, 8, 8, 6]])


class Reads(nn.Module):
    """Looks its ids up in every way: as they are, moved by one and filled up, time first, and places and types too."""

    def __init__(self) -> None:
        super().__init__()
        self.words = nn.Embedding(12, 3)
        self.halves = nn.Embedding(12, 2)
        self.turned = nn.Embedding(12, 3)
        self.turned.weight = self.words.weight
        self.places = nn.Embedding(12, 3)
        self.types = nn.Embedding(12, 3)

    def forward(self, ids: Tensor) -> list[Tensor]:
        moved = torch.cat([torch.full_like(ids[:, :1], 3), ids[:, :-1]], 1)
        moved = nn.functional.pad(moved, (0, 2))
        places = torch.arange(ids.shape[1]).expand_as(ids)
        return [
            self.words(ids),
            self.words(torch.zeros_like(ids)),
            self.halves(input=moved),
            self.turned(ids.t()),
            self.places(places),
            self.types(ids % 2),
        ]


@pytest.fixture
def module() -> Reads:
    torch.manual_seed(0)
    return Reads()


def test_lookups_are_found_and_replaced_where_the_ids_are_looked_up(module: Reads) -> None:
    found = find_lookups(module, IDS, lambda: module(IDS))
    assert found == (
        Lookup("words", (SAME,), 0, 3),
        Lookup("halves", (MOVED,), 3, 5),
        Lookup("turned", (TURNED,), 0, 3),
    )
    vectors = word_vectors(module, found, IDS)
    assert vectors.shape == (2, 5, 5)
    own = module(IDS)
    with replaced(module, found, IDS, vectors):
        same = module(IDS)
    assert all(torch.equal(one, other) for one, other in zip(own, same, strict=True))
    others = torch.randn(2, 5, 5)
    with replaced(module, found, IDS, others):
        words, zeros, halves, turned, places, types = module(IDS)
    assert torch.equal(words, others[..., :3])
    assert torch.equal(turned, others[..., :3].transpose(0, 1))
    assert torch.equal(halves[:, 1:5], others[:, :4, 3:])
    assert torch.equal(halves[:, 0], own[2][:, 0])
    assert torch.equal(halves[:, 5:], own[2][:, 5:])  # what the module fills up with
    assert all(torch.equal(a, b) for a, b in zip((zeros, places, types), (own[1], own[4], own[5]), strict=True))
    assert not any(part._forward_hooks for part in module.modules())


def test_rows_of_another_width_than_was_tried(module: Reads) -> None:
    """A single word; and a row that was filled up, whose last word still moves on."""
    found = find_lookups(module, IDS, lambda: module(IDS))
    others = torch.randn(1, 1, 5)
    with replaced(module, found, IDS[:1, :1], others):
        words, _, halves, turned, _, _ = module(IDS[:1, :1])
    assert torch.equal(words, others[..., :3])
    assert torch.equal(turned, others[..., :3])
    assert torch.equal(halves, module(IDS[:1, :1])[2])  # a word alone is not moved into the row
    wide = nn.functional.pad(IDS[:1, :1], (0, 3))
    with replaced(module, found, wide, others):
        words, _, halves, turned, _, _ = module(wide)
    own = module(wide)
    assert torch.equal(words, torch.cat([others[..., :3], own[0][:, 1:]], 1))
    assert torch.equal(turned[:1], others[..., :3])
    assert torch.equal(halves[:, 1], others[:, 0, 3:])
    assert torch.equal(halves[:, 2:], own[2][:, 2:])


def test_a_lookup_that_does_not_come(module: Reads) -> None:
    found = find_lookups(module, IDS, lambda: module(IDS))
    with (
        pytest.raises(ModelError, match="did not look its words up at words"),
        replaced(module, found, IDS, torch.zeros(2, 5, 5)),
    ):
        pass


class Hashing(transformers.BertForSequenceClassification):
    """A classifier whose words also reach its outputs by a table of hashes."""

    def __init__(self, config: transformers.PreTrainedConfig) -> None:
        super().__init__(config)
        self.hashes = nn.Embedding(7, config.num_labels)

    def forward(self, input_ids: Tensor, attention_mask: Tensor | None = None, **more: object) -> Tensor:
        out = super().forward(input_ids, attention_mask=attention_mask)
        places = torch.arange(1, 1 + input_ids.shape[1])
        mask = torch.ones_like(input_ids) if attention_mask is None else attention_mask
        out.logits = out.logits + (self.hashes(input_ids * places % 7) * mask[..., None]).sum(1)
        return out


def test_words_that_reach_the_outputs_by_another_way() -> None:
    module = Hashing(bert().config).double().eval()
    model = wrap_huggingface(module, wordpiece(inputs=UNTYPED))
    assert isinstance(model, HuggingFaceClassifier)
    assert not offers(model, Differentiable)
    batch = model.encode([model.read("a film")])
    for member in (model.embed, lambda batch: model.outputs_from(torch.zeros(1, 4, 8), batch)):
        with pytest.raises(UnsupportedError, match="is not differentiable: its words reach its outputs by another way"):
            member(batch)
    assert model.lacks["Differentiable"] == "its words reach its outputs by another way than their vectors"
