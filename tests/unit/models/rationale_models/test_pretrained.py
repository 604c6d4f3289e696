"""Hugging Face encoders as selector and classifier: what is gone is removed, and they train as the others do."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
import transformers

import exegesis
from exegesis.core.errors import UnsupportedError, UsageError
from exegesis.models.rationale_models.fine_tuned import FineTunedNetwork, MaskedFineTuned
from exegesis.models.rationale_models.pretrained import PretrainedEncoder, stated_encoder
from exegesis.models.rationale_models.shape import RationaleConfig
from exegesis.models.trained.folder import load_folder, save_folder
from exegesis.models.trained.options import TrainOptions
from exegesis.study import train_selecting
from tests.support import rationale_toys as toys

OPTIONS = TrainOptions(epochs=2, batch=16, lr=2e-3)
GATES = torch.tensor([[1.0, 0, 1, 1, 0, 1], [1, 1, 0, 0, 0, 0], [0, 0, 0, 0, 0, 0]])
LENGTHS = torch.tensor([6, 6, 4])


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return toys.pretrained(tmp_path_factory.mktemp("encoder"))


@pytest.fixture(scope="module")
def encoder(folder: Path) -> PretrainedEncoder:
    module = transformers.AutoModel.from_pretrained(folder)
    found = PretrainedEncoder(stated_encoder(module))
    found.module.load_state_dict(module.state_dict(), strict=False)
    return found.eval()


def ids(seed: int) -> torch.Tensor:
    return torch.randint(5, 30, (3, 6), generator=torch.Generator().manual_seed(seed))


@pytest.mark.quick
@torch.no_grad()
def test_no_bit_depends_on_a_piece_that_is_gone(encoder: PretrainedEncoder) -> None:
    one, other = ids(0), ids(1)
    mixed = torch.where(GATES == 0, other, one)
    first, second = (encoder.read(encoder.table(part), GATES, LENGTHS) for part in (one, mixed))
    assert torch.equal(first, second)
    moved = encoder.read(encoder.table(torch.where(GATES == 1, other, one)), GATES, LENGTHS)
    assert not bool((moved == first).all(1)[:2].any())
    assert torch.equal(first[2], torch.zeros(16))
    short = encoder.table(one[:1, GATES[0] == 1])  # the text of the pieces that are left
    alone = encoder.module(inputs_embeds=short, attention_mask=torch.ones(1, 4).long()).last_hidden_state[0, 0]
    torch.testing.assert_close(first[0], alone)


@pytest.mark.quick
@torch.no_grad()
def test_no_bit_depends_on_a_piece_that_is_gone_where_others_weigh(encoder: PretrainedEncoder) -> None:
    """Gates between 0 and 1, as hardkuma has in use: what is gone, and a batch's padding, leave no trace."""
    gate = torch.tensor([[1.0, 0, 0.3, 1, 0, 0.7], [1, 1, 0.9, 0, 0, 0], [0, 0, 0, 0, 0, 0]])
    one, other = ids(0), ids(1)
    mixed = torch.where(gate == 0, other, one)
    first, second = (encoder.read(encoder.table(part), gate, LENGTHS) for part in (one, mixed))
    assert torch.equal(first, second)
    assert torch.equal(first[2], torch.zeros(16))
    for row in (0, 1):
        left = gate[row] != 0
        own = encoder.weighed(encoder.table(one[row : row + 1, left]), gate[row : row + 1, left])
        torch.testing.assert_close(first[row : row + 1], own)
    everything = encoder.weighed(encoder.table(one), gate)
    torch.testing.assert_close(first[:2], everything[:2], atol=1e-4, rtol=1e-4)


@pytest.mark.quick
def test_gates_that_weigh_are_removal_and_have_the_slope_of_differences(encoder: PretrainedEncoder) -> None:
    vectors = encoder.table(ids(0)).detach()
    with torch.no_grad():
        removed, weighed = encoder.read(vectors, GATES, LENGTHS), encoder.weighed(vectors, GATES)
    torch.testing.assert_close(weighed[:2], removed[:2], atol=1e-4, rtol=1e-4)
    double = PretrainedEncoder(encoder.stated).double().eval()
    double.load_state_dict(encoder.state_dict())
    inner = vectors.double()
    gate = torch.tensor([[1.0, 0.2, 0.9, 0.0, 0.4, 1.0]] * 3, dtype=torch.float64, requires_grad=True)
    (slope,) = torch.autograd.grad(double.read(inner, gate, LENGTHS)[:, 0].sum(), gate)
    step = torch.zeros_like(gate)
    step[:, 3] = 1e-6
    with torch.no_grad():
        up, here = (double.weighed(inner, part)[:, 0] for part in (gate + step, gate))
    torch.testing.assert_close(slope[:, 3], (up - here) / 1e-6, atol=1e-6, rtol=1e-3)
    assert bool((slope[:, 3] != 0).all())  # a piece that is gone is asked for


def test_places_are_counted_from_the_first_one_of_the_encoder() -> None:
    """RoBERTa's places begin behind its pad number; an encoder that takes no mask of numbers is refused in words."""
    small = {"vocab_size": 40, "hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2,
             "intermediate_size": 16, "max_position_embeddings": 40, "pad_token_id": 1}  # fmt: skip
    roberta = transformers.RobertaModel(transformers.RobertaConfig(**small))
    assert '"offset": 2' in stated_encoder(roberta)
    deberta = transformers.DebertaV2Model(transformers.DebertaV2Config(**small))
    with pytest.raises(UnsupportedError, match="cannot read a part of a text"):
        stated_encoder(deberta)


def test_training_is_saved_loaded_resumed_and_reads_what_it_keeps(folder: Path, tmp_path: Path) -> None:
    examples = toys.examples(48)
    config = RationaleConfig(selector="bottleneck:share=0.3", encoder=f"hf:{folder}")

    def run(epochs: int, **more: object) -> FineTunedNetwork:
        options = TrainOptions(epochs=epochs, batch=16, lr=2e-3)
        return train_selecting(examples, examples, config=config, options=options, **more).model  # type: ignore

    class Stop:
        def step(self, *_: object) -> None:
            """Heard of each batch."""

        def epoch(self, *_: object, **__: object) -> None:
            raise KeyboardInterrupt

    whole = run(2)
    with pytest.raises(KeyboardInterrupt):
        run(2, checkpoint=tmp_path / "state", watcher=Stop())
    start = (tmp_path / "state.warm").read_bytes()
    resumed = run(2, checkpoint=tmp_path / "state", resume=True)
    for name, weight in whole.module.state_dict().items():
        assert torch.equal(weight, resumed.module.state_dict()[name]), name
    run(3, checkpoint=tmp_path / "state", resume=True)
    assert (tmp_path / "state.warm").read_bytes() == start  # what the run began with gets no more epochs
    save_folder(tmp_path / "model", whole, "card")
    again = load_folder(tmp_path / "model")
    text = again.vocabulary.read("good films w1, w2")
    assert text.word_strings() == ("good", "films", "w1", ",", "w2")
    assert [word.width for word in text.words] == [1, 3, 1, 1, 1]
    row, length = torch.tensor([text.ids]), torch.tensor([len(text)])
    with torch.no_grad():
        assert torch.equal(whole.module(row, length), again.module(row, length))
    model = exegesis.load(tmp_path / "model")
    assert str(model.reader).startswith("pieces cut by its tokenizer; pad ")  # type: ignore[attr-defined]
    found = exegesis.rationale(model, "good films w1, w2")
    assert len(found.kept) == 1
    other = "good" if found.kept[0] else "w7"
    selection = model.select(model.encode([model.read("good films w1, w2")]))  # type: ignore[attr-defined]
    assert selection.kept[0, [0, -1]].all()  # [CLS] and [SEP]
    with torch.no_grad():
        kept = again.module.logits_of(row, selection.gates, length)
        changed = torch.where(selection.kept, row, torch.full_like(row, again.vocabulary.numbers[other]))
        assert torch.equal(kept, again.module.logits_of(changed, selection.gates, length))


def test_masks_of_a_hugging_face_classifier_leave_it_as_it_is(tmp_path: Path) -> None:
    folder = toys.pretrained(tmp_path / "classifier", "AutoModelForSequenceClassification")
    before = transformers.AutoModelForSequenceClassification.from_pretrained(folder)
    examples = toys.examples(48)
    trained = train_selecting(
        examples, examples, config="diffmask:layer=2:rate=0.2", support=str(folder), options=OPTIONS
    )
    module = trained.model.module
    assert isinstance(module, MaskedFineTuned)
    for name, weight in before.state_dict().items():
        assert torch.equal(weight, module.base.module.state_dict()[name]), name
    text = trained.model.vocabulary.read(str(examples[0].text))
    row, length = torch.tensor([text.ids]), torch.tensor([len(text)])
    everything = torch.ones(1, len(text))
    with torch.no_grad():
        torch.testing.assert_close(module.logits_of(row, everything, length), before.eval()(row).logits)
        gate = everything.clone()
        gate[0, 2] = 0.0
        changed = row.clone()
        changed[0, 2] = 9 if int(row[0, 2]) != 9 else 10
        assert torch.equal(module.logits_of(row, gate, length), module.logits_of(changed, gate, length))
    save_folder(tmp_path / "masked", trained.model, "card")
    assert exegesis.rationale(exegesis.load(tmp_path / "masked"), str(examples[0].text)).words is not None
    with pytest.raises(UsageError, match="up to 2 can be looked at"):
        train_selecting(examples, examples, config="diffmask:layer=3", support=str(folder), options=OPTIONS)
