"""Units of selection: what they are, and that gates and marks of units are those of their pieces."""

from __future__ import annotations

import pytest
import torch

from exegesis.models.rationale_models.units import UNITS, Units, kinds_of
from exegesis.models.trained.options import TrainOptions
from exegesis.study import train_selecting
from tests.support import rationale_toys as toys

TOKENS = ("<pad>", "<unk>", "a", "b", ".", "!", ",", ")", "[CLS]", "##s", "...")
EXPECTED = {  # by hand: texts, and the units that they are cut into
    ("word", "a b . a"): ["a", "b", ".", "a"],
    ("sentence", "a b . a ! b"): ["a b .", "a !", "b"],
    ("sentence", "a , b ! ! ) a"): ["a , b ! ! )", "a"],
    ("sentence", ". a"): [".", "a"],
    ("sentence", "a ... ) ) b"): ["a ... ) )", "b"],
    ("span", "a , b . a"): ["a ,", "b .", "a"],
    ("span", "a , , b ) a"): ["a , ,", "b )", "a"],
    ("word", "[CLS] a ##s b [CLS]"): ["a ##s", "b"],
    ("sentence", "[CLS] a ##s . b [CLS]"): ["a ##s .", "b"],
}


def units_of(text: str, unit: str, width: int) -> tuple[list[str], Units]:
    """The units of a padded text, written out."""
    words = text.split()
    ids = torch.tensor([[TOKENS.index(word) for word in words] + [0] * (width - len(words))])
    there = torch.arange(width)[None] < len(words)
    kinds = torch.tensor(kinds_of(TOKENS, unit, frozenset({8})))[ids]
    found = Units.of(kinds, there, unit, torch.zeros_like(there))
    numbers = [(int(found.numbers[0, t]), words[t]) for t in range(len(words)) if found.inside[0, t]]
    said = [" ".join(word for number, word in numbers if number == unit) for unit in range(int(found.counts[0]))]
    return said, found


@pytest.mark.quick
@pytest.mark.parametrize(("unit", "text"), EXPECTED)
def test_texts_are_cut_as_by_hand_whatever_the_padding(unit: str, text: str) -> None:
    for more in (0, 3):
        assert units_of(text, unit, len(text.split()) + more)[0] == EXPECTED[unit, text]


@pytest.mark.quick
def test_gates_states_and_marks_of_units_are_those_of_their_pieces() -> None:
    _, units = units_of("[CLS] a ##s . b [CLS]", "sentence", 8)
    gate = torch.tensor([[0.0, 1.0], [0.5, 0.0]])  # two draws for the one text
    assert units.spread(gate).tolist() == [[1, 0, 0, 0, 1, 1, 0, 0], [1, 0.5, 0.5, 0.5, 0, 1, 0, 0]]
    states = torch.arange(8.0).reshape(1, 8, 1)
    assert units.pooled(states).flatten().tolist() == [2.0, 4.0]  # (1 + 2 + 3) / 3, and 4
    assert units.marked(torch.tensor([[0.0, 0, 1, 0, 0, 0, 0, 0]])).tolist() == [[1.0, 0.0]]
    assert bool(units.marked(torch.full((1, 8), torch.nan)).isnan().all())


@pytest.mark.parametrize("unit", UNITS[1:])
@pytest.mark.parametrize("selector", ["lei", "hardkuma:share=0.5", "introspective", "class-wise", "bottleneck"])
def test_selectors_keep_whole_units(selector: str, unit: str) -> None:
    """Every piece of a unit is kept or gone with it, alone as in a batch, and the classifier reads no other."""
    network = toys.network(selector, unit=unit)
    tokens = tuple("." if number in (3, 7) else "," if number == 5 else "w" for number in range(30))
    network.meet(tokens, frozenset())
    ids = torch.tensor([[4, 3, 8, 5, 9, 7, 4, 4], [9, 9, 5, 4, 3, 0, 0, 0], [6, 0, 0, 0, 0, 0, 0, 0]])
    lengths = torch.tensor([8, 5, 1])
    chosen = network.select(ids, lengths)
    units = network.look(ids, lengths).units
    assert units is not None
    for row, length in enumerate(lengths.tolist()):
        for number in range(int(units.counts[row])):
            inside = chosen.kept[row][(units.numbers[row] == number) & units.inside[row]]
            assert bool(inside.all()) or not bool(inside.any())
        alone = network.select(ids[row : row + 1, :length], lengths[row : row + 1])
        assert torch.equal(alone.kept[0], chosen.kept[row, :length])
    mixed = torch.where(chosen.kept, ids, torch.full_like(ids, 11))
    assert torch.equal(network.logits_of(ids, chosen.gates, lengths), network.logits_of(mixed, chosen.gates, lengths))


def test_sentences_are_trained_on_and_marked() -> None:
    """A model of sentences that learns from marks of single words keeps the sentences that hold them."""
    rows = [f"{one.text} . w1 w2 w3 ." for one in toys.examples(60)]
    examples = [type(one).of(text, one.label) for text, one in zip(rows, toys.examples(60), strict=True)]
    marks = [[word in (*toys.GOOD, *toys.BAD) for word in text.split()] for text in rows]
    trained = train_selecting(
        examples, examples, config=toys.shape("bottleneck:share=0.5", unit="sentence"), marks=marks, warm=False,
        options=TrainOptions(epochs=6, lr=0.02, batch=16),
    )  # fmt: skip
    module, read = trained.model.module, trained.model.vocabulary.read
    kept = [module.select(torch.tensor([read(text).ids]), torch.tensor([len(text.split())])).kept[0] for text in rows]
    first = [bool(one[: text.split().index(".") + 1].all()) and not bool(one[-4:].any())
             for one, text in zip(kept, rows, strict=True)]  # fmt: skip
    assert sum(first) > 50
