"""Networks that Exegesis trains, beside recurrent ones: held to plain ones, trained, saved, loaded and explained."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
import torch

import exegesis
from exegesis.cli.training.options import Layers, Shape, network_config
from exegesis.core.errors import ExegesisError, FileError, UsageError
from exegesis.data.examples import Example
from exegesis.models.trained.adversarial import Opponent
from exegesis.models.trained.architectures.config import ConvolutionalConfig, RecurrentConfig, TransformerConfig
from exegesis.models.trained.architectures.kinds import network
from exegesis.models.trained.folder import load_folder, save_folder
from exegesis.models.trained.options import TrainOptions
from exegesis.models.trained.training import train
from tests.reference import adversary as plain_adversary
from tests.reference import networks as plain

WORDS = ["<pad>", "<unk>", "a", "good", "bad", "film", "very", "not"]
TEXTS = ("a very good film", "bad", "not a bad film very good film")
TRANSFORMER = TransformerConfig(layers=2, heads=2, embedding=8, feedforward=12, vocabulary=len(WORDS))
CNN = ConvolutionalConfig(embedding=5, hidden=3, vocabulary=len(WORDS))
ATTENTIONS = ("attention-dot", "attention-general", "attention-concat", "structured")


def recurrent(readout: str) -> RecurrentConfig:
    return RecurrentConfig("lstm", True, embedding=5, hidden=3, vocabulary=len(WORDS), readout=readout)


def classifier(config):
    """The model of a config in float64, with random weights."""
    module = network(config).double()
    draws = torch.Generator().manual_seed(1)
    for weight in module.parameters():
        weight.data = torch.randn(weight.shape, generator=draws, dtype=torch.float64) * 0.6
    return exegesis.wrap(module, vocabulary=WORDS, labels=["bad", "good"], tokenizer=str.split)


@pytest.mark.quick
@pytest.mark.parametrize(("config", "logits"), [(TRANSFORMER, plain.transformer), (CNN, plain.cnn)])
def test_forward_is_the_plain_one_and_padding_reaches_nothing(config, logits) -> None:
    model = classifier(config)
    batch = model.encode([model.read(text) for text in TEXTS])
    assert model.plan.pads
    with torch.no_grad():
        own = model.module.eval()(batch.ids, batch.lengths)
        torch.testing.assert_close(model.outputs(batch), own, rtol=1e-9, atol=1e-12)
        for row, text in enumerate(batch.texts):
            torch.testing.assert_close(own[row], logits(model.module, text.ids), rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("readout", ATTENTIONS)
def test_attentions_are_the_plain_ones(readout) -> None:
    model = classifier(recurrent(readout))
    module = model.module.train()
    module.dropout.p = 0.0
    batch = model.encode([model.read(text) for text in TEXTS])
    penalties = []
    with torch.no_grad():
        own = module(batch.ids, batch.lengths)
        own_penalty = module.penalty()
        for row, text in enumerate(batch.texts):
            states, (last, _) = module.recurrent(module.embedding(torch.tensor([text.ids])))
            h = torch.cat(tuple(last[:, 0]))
            if readout == "structured":
                vector, penalty = plain.structured(module.attention, states[0])
                penalties.append(float(penalty))
            else:
                vector = plain.attended(module.attention, states[0], h)
            expected = module.output.weight @ vector + module.output.bias
            torch.testing.assert_close(own[row], expected, rtol=1e-10, atol=1e-12)
    module.eval()
    if readout == "structured":
        assert float(own_penalty) == pytest.approx(sum(penalties) / len(penalties), rel=1e-10)
        assert [one.head for one in exegesis.attention(model, TEXTS[0]).maps] == [1, 2, 3, 4]
        module(batch.ids, batch.lengths)
        assert module.penalty() is None  # nothing is kept of a text that is only read
    else:
        assert own_penalty is None
        assert exegesis.attention(model, TEXTS[0]).maps[0].values.shape == (1, 4)


@pytest.mark.parametrize(
    ("config", "sites"),
    [
        (TRANSFORMER, ["word vectors", "layer 1", "layer 2", "pooled"]),
        (CNN, ["word vectors", "width 1", "width 3", "width 5", "width 7", "pooled"]),
    ],
)
def test_trained_saved_loaded_and_explained(tmp_path, config, sites) -> None:
    examples = [Example.of(f"{a} {b} film", "good" if b == "good" else "bad") for a in ("a", "very", "not")
                for b in ("good", "bad")]  # fmt: skip
    result = train(examples, examples, config=config, options=TrainOptions(epochs=20, batch=3, lr=1e-2, patience=20))
    assert result.dev.accuracy == 1.0
    save_folder(tmp_path / "m", result.model, "# m\n")
    loaded = load_folder(tmp_path / "m")
    assert loaded.module.config == replace(config, vocabulary=len(result.model.vocabulary), labels=("bad", "good"))
    model = exegesis.load(str(tmp_path / "m"))
    text = model.read("a bad film")
    batch = model.encode([text])
    assert [str(site.place) for site in model.sites(batch).values() if site.layered] == sites
    why = exegesis.explain(model, "a bad film", "lrp")
    assert abs(why.gap) < 1e-4
    entry = json.loads((tmp_path / "m/config.json").read_text())
    (tmp_path / "m/README.md").write_text("# m\n")  # without checksums
    for change in ({"format": ["x"]}, {"kernels": [3, True]}, {"kernels": 3}, {"heads": 3}, {"hidden": 10**9}):
        (tmp_path / "m/config.json").write_text(json.dumps({**entry, **change}))
        with pytest.raises(FileError):
            load_folder(tmp_path / "m")


@pytest.mark.parametrize("config", [TRANSFORMER, CNN, recurrent("max")])
def test_pairs_are_read_one_after_the_other(tmp_path, config) -> None:
    rows = [(a, b) for a in ("good", "bad") for b in ("good", "bad")]
    examples = [Example.of((f"a {a} film", f"very {b}"), "yes" if a == b == "good" else "no") for a, b in rows]
    options = TrainOptions(epochs=40, batch=2, lr=1e-2, patience=40)
    result = train(examples, examples, config=replace(config, paired=True, dropout=0.0), options=options)
    assert result.dev.accuracy == 1.0  # neither text tells alone
    save_folder(tmp_path / "m", result.model, "# m\n")
    model = exegesis.load(str(tmp_path / "m"))
    assert load_folder(tmp_path / "m").module.config.paired
    found = exegesis.information(model, ("a good film", "very bad"), "pooled", reference=[("bad film", "good not")],
                                 samples=8, pairs=8, most=8)  # fmt: skip
    assert found.words == ("a", "good", "film", "very", "bad")
    with pytest.raises(UsageError, match="reads pairs of texts"):
        exegesis.explain(model, "a good film")
    with pytest.raises(UsageError, match="the examples are pairs"):
        train(examples, examples, config=config, options=options)


def test_the_penalty_keeps_rows_of_weights_apart() -> None:
    draws = torch.Generator().manual_seed(0)
    examples = [
        Example.of(" ".join(WORDS[2 + int(n)] for n in torch.randint(6, (6,), generator=draws)), "xy"[i % 2])
        for i in range(24)
    ]
    overlaps = []
    for weight in (0.0, 3.0):
        options = TrainOptions(epochs=12, batch=8, lr=2e-2, patience=12, attention_penalty=weight)
        module = train(examples, examples, config=recurrent("structured"), options=options, last=True).model.module
        module.train()
        ids = torch.randint(2, len(WORDS), (32, 6), generator=torch.Generator().manual_seed(1))
        module(ids, torch.full((32,), 6))
        overlaps.append(module.penalty().item())
    assert overlaps[1] < 0.8 * overlaps[0]


def test_folders_from_before_hops_are_read(tmp_path) -> None:
    model = train([Example.of("a", "x"), Example.of("b", "y")] * 2, config=recurrent("last"),
                  options=TrainOptions(epochs=1), dev=[Example.of("a", "x")]).model  # fmt: skip
    save_folder(tmp_path / "m", model, "# m\n")
    entry = json.loads((tmp_path / "m/config.json").read_text())
    (tmp_path / "m/README.md").write_text("# m\n")  # without checksums
    assert "hops" not in entry  # earlier versions read the folder
    (tmp_path / "m/config.json").write_text(json.dumps(entry))
    assert load_folder(tmp_path / "m").module.config.hops == 4
    del entry["layers"]
    (tmp_path / "m/config.json").write_text(json.dumps(entry))
    with pytest.raises(FileError, match="'layers'"):
        load_folder(tmp_path / "m")


class Asked(Layers, Shape):
    """The options of a network."""


def test_options_that_a_network_does_not_have_are_refused() -> None:
    assert network_config(Asked(arch="transformer")) == TransformerConfig()
    assert network_config(Asked(arch="cnn", kernels="3, 5", hidden=7)) == ConvolutionalConfig(kernels=(3, 5), hidden=7)
    assert network_config(Asked(arch="bilstm", layers=4, readout="max")) == RecurrentConfig(
        "lstm", True, 4, readout="max"
    )
    for wrong in (
        {"arch": "cnn", "layers": 2},
        {"arch": "gru", "heads": 2},
        {"arch": "cnn", "kernels": "2"},
        {"arch": "cnn", "kernels": "x"},
        {"arch": "transformer", "readout": "last"},
        {"arch": "transformer", "embedding": 6, "heads": 4},
        {"arch": "gru", "readout": "first"},
    ):
        with pytest.raises(ExegesisError):
            network_config(Asked(**wrong))
    with pytest.raises(UsageError, match="--heads does not belong to --arch gru; leave it out"):
        network_config(Asked(arch="gru", heads=2))


def _weights(adversarial: float, adversary: str = "any", **more):
    examples = [Example.of(f"{a} {b} film", "good" if b == "good" else "bad") for a in ("a", "very", "not")
                for b in ("good", "bad")]  # fmt: skip
    options = TrainOptions(epochs=2, batch=3, adversarial=adversarial, adversary=adversary, **more)
    result = train(examples, examples, config=replace(recurrent("max"), dropout=0.0), options=options, last=True)
    return result.model.module.state_dict()


def test_adversarial_training_without_a_budget_is_plain_training() -> None:
    usual, none = _weights(0.0), _weights(0.0, "words")
    for kind in ("any", "words"):
        moved = _weights(2.0, kind)
        for name, weight in usual.items():
            assert torch.equal(weight, none[name])
            assert not torch.equal(weight, moved[name])
    frozen = _weights(2.0, "words", freeze=True)  # the vectors stay, their moves do not
    assert not torch.equal(frozen["output.weight"], _weights(0.0, freeze=True)["output.weight"])


@pytest.mark.parametrize("kind", ["any", "words"])
def test_word_vectors_move_as_in_the_papers(kind) -> None:
    torch.manual_seed(0)
    module = network(replace(recurrent("max"), dropout=0.0)).double()
    usable = torch.tensor([False, False, *[True] * 6])
    opponent = Opponent(module, 0.5, kind, usable)
    opponent.begin()
    ids, lengths, gold = torch.tensor([[2, 3, 5], [7, 1, 0]]), torch.tensor([3, 2]), torch.tensor([0, 1])

    def loss(shift=0.0):
        handle = module.embedding.register_forward_hook(lambda _, __, given: given + shift)
        out = torch.nn.functional.cross_entropy(module(ids, lengths), gold)
        handle.remove()
        return out

    with opponent.watching() as seen:
        own = loss()
    grown = opponent.loss(own, seen[0], ids, lengths, loss)
    table = module.embedding.weight.detach()
    vectors = table[ids].requires_grad_()
    slopes = torch.autograd.grad(loss_from(module, vectors, lengths, gold), vectors)[0]
    budget = 0.5 * float(table[2:].std(correction=0))
    shift = torch.zeros_like(slopes)
    for row, length in enumerate(lengths.tolist()):
        places = [t for t in range(length) if kind == "any" or usable[ids[row, t]]]
        if kind == "any":
            moves = plain_adversary.any_side([slopes[row, t] for t in places], budget)
        else:
            near = [table[plain_adversary.nearest(table, int(ids[row, t]), 10, usable.tolist())] for t in places]
            moves = plain_adversary.first_step(table[ids[row, places]], [slopes[row, t] for t in places], near, budget)[
                1
            ]
        for t, move in zip(places, moves, strict=True):
            shift[row, t] = move
    assert grown.item() == pytest.approx(loss(shift).item(), rel=1e-10)
    assert grown.item() > own.item()


def loss_from(module, vectors, lengths, gold):
    """The loss by word vectors that are given."""
    handle = module.embedding.register_forward_hook(lambda _, __, ___: vectors)
    out = torch.nn.functional.cross_entropy(module(torch.zeros(vectors.shape[:2], dtype=torch.long), lengths), gold)
    handle.remove()
    return out
