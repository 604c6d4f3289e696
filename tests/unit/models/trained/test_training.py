"""Classifiers and their training: exact under padding, seeded, resumable bit for bit, able to learn order."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from typer import Typer
from typer.testing import CliRunner

from exegesis.cli.options import unfolded
from exegesis.cli.training.train import Train
from exegesis.core.errors import FileError, ModelError, UsageError
from exegesis.core.escapes import markdown
from exegesis.data.examples import Example, read_examples
from exegesis.models.text.vocabulary import Vocabulary
from exegesis.models.trained.architectures.config import RecurrentConfig
from exegesis.models.trained.architectures.recurrent import RecurrentClassifier
from exegesis.models.trained.corpus import Corpus, find_labels, split_off
from exegesis.models.trained.folder import load_folder
from exegesis.models.trained.options import TrainOptions
from exegesis.models.trained.scores import Epoch, score
from exegesis.models.trained.training import TrainResult, train
from exegesis.models.trained.vectors import read_vectors

SHAPE = RecurrentConfig(embedding=8, hidden=8, dropout=0.2, embedding_dropout=0.2)
OPTIONS = TrainOptions(epochs=4, batch=8, lr=0.01, word_dropout=0.1, average=0.9, patience=9)


def sentences(count: int, seed: int = 0) -> list[Example]:
    """Texts whose label is good or bad, turned round by a "not" before it: order matters."""
    draw = random.Random(seed)
    examples = []
    for _ in range(count):
        words = draw.choices(["the", "film", "plot", "is", "was", "a", "story"], k=draw.randint(1, 5))
        good, negated = draw.random() < 0.5, draw.random() < 0.5
        words += ["not"] * negated + ["good" if good else "bad"]
        words += draw.choices(["indeed", "really"], k=draw.randint(0, 2))
        examples.append(Example.of(" ".join(words), "positive" if good != negated else "negative"))
    return examples


def weights(result: TrainResult) -> dict[str, torch.Tensor]:
    return result.model.module.state_dict()


def same(one: TrainResult, other: TrainResult) -> bool:
    pairs = zip(weights(one).items(), weights(other).items(), strict=True)
    return all(a == b and torch.equal(x, y) for (a, x), (b, y) in pairs)


SHAPES = st.fixed_dictionaries(
    {
        "cell": st.sampled_from(["lstm", "gru", "rnn"]),
        "bidirectional": st.booleans(),
        "layers": st.integers(1, 3),
        "embedding": st.integers(1, 6),
        "hidden": st.integers(1, 6),
        "readout": st.sampled_from(["last", "mean", "max", "attention"]),
        "vocabulary": st.just(9),
        "labels": st.sampled_from([("a", "b"), ("a", "b", "c")]),
    }
)


@given(SHAPES, st.lists(st.lists(st.integers(0, 8), min_size=1, max_size=7), min_size=1, max_size=5), st.integers(0, 3))
@settings(max_examples=60, deadline=None)
def test_padding_and_neighbours_reach_nothing(shape: dict[str, Any], texts: list[list[int]], more: int) -> None:
    torch.manual_seed(len(texts))
    module = RecurrentClassifier(RecurrentConfig(**shape)).double().eval()
    nn.init.normal_(module.embedding.weight, std=3)  # the pad row too: nothing may rest on its being zero
    lengths = torch.tensor([len(text) for text in texts])
    ids = torch.zeros(len(texts), int(lengths.max()) + more, dtype=torch.long)
    for row, text in enumerate(texts):
        ids[row, : len(text)] = torch.tensor(text)
    together = module(ids, lengths)
    alone = torch.cat([module(torch.tensor([text]), torch.tensor([len(text)])) for text in texts])
    torch.testing.assert_close(together, alone, rtol=0, atol=1e-12)
    torch.testing.assert_close(alone, torch.stack([plain(module, text) for text in texts]), rtol=0, atol=1e-12)


def plain(module: RecurrentClassifier, text: list[int]) -> torch.Tensor:
    """The logits of one text, states pooled as the definitions say."""
    config, width = module.config, module.config.hidden
    states = module.recurrent(module.embedding(torch.tensor(text)))[0]
    if config.readout == "last":
        pooled = states[-1]
        if config.bidirectional:  # Eq. 4: h_T of the normal direction, h_1 of the reverse one
            pooled = torch.cat([states[-1, :width], states[0, width:]])
    elif config.readout == "attention":
        assert module.attention is not None
        raw = [module.attention.score(torch.tanh(module.attention.hidden(state))).exp() for state in states]
        pooled = sum(weight * state for weight, state in zip(raw, states, strict=True)) / sum(raw)
    else:
        pooled = states.mean(0) if config.readout == "mean" else states.max(0).values
    return module.output.weight @ pooled + module.output.bias


@pytest.mark.parametrize(
    "wrong",
    [
        {"cell": "cnn"},
        {"readout": "first"},
        {"layers": 0},
        {"hidden": -1},
        {"hidden": True},
        {"dropout": 1.0},
        {"embedding_dropout": float("nan")},
        {"labels": ("a",)},
        {"labels": ("a", "a")},
    ],
)
def test_impossible_shapes_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(UsageError):
        RecurrentConfig(**wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_it_learns_what_needs_order(cell: str) -> None:
    result = train(
        sentences(500),
        sentences(100, 1),
        sentences(200, 2),
        config=replace(SHAPE, cell=cell, bidirectional=cell == "gru", hidden=12),  # type: ignore[arg-type]
        options=TrainOptions(epochs=25, batch=16, lr=0.02, patience=8),
    )
    assert result.test is not None
    assert result.test.accuracy > 0.95
    assert result.test.total == 200
    assert result.dev.accuracy == max(epoch.dev_accuracy for epoch in result.history)
    assert result.history[result.best_epoch - 1].dev_accuracy == result.dev.accuracy


def test_the_first_of_equal_epochs_is_kept() -> None:
    still = train(sentences(20), sentences(9, 1), config=SHAPE, options=TrainOptions(lr=1e-12, patience=2))
    assert (still.best_epoch, len(still.history)) == (1, 3)


def test_one_seed_one_result_and_the_callers_random_state_is_kept() -> None:
    state = torch.get_rng_state()
    first = train(sentences(60), config=SHAPE, options=OPTIONS)
    assert torch.equal(torch.get_rng_state(), state)
    torch.manual_seed(99)
    assert same(first, train(sentences(60), config=SHAPE, options=OPTIONS))
    assert not same(first, train(sentences(60), config=SHAPE, options=replace(OPTIONS, seed=1)))


class _StopAfter:
    """Interrupts a run in the middle of the epoch after the given one."""

    def __init__(self, epoch: int) -> None:
        self.last = epoch

    def step(self, epoch: int, done: int, total: int, loss: float) -> None:
        if epoch > self.last and done > 2:
            raise KeyboardInterrupt

    def epoch(self, epoch: Epoch, *, best: bool) -> None:
        pass


@pytest.mark.parametrize("average", [0.0, 0.9])
@pytest.mark.parametrize("stop", [0, 1, 3])
def test_a_resumed_run_gives_the_same_bits(tmp_path: Path, average: float, stop: int) -> None:
    options = replace(OPTIONS, average=average, freeze=stop == 1)
    config = replace(SHAPE, cell="lstm", layers=2)
    whole = train(sentences(60), sentences(20, 1), config=config, options=options)
    checkpoint = tmp_path / "run.checkpoint"
    with pytest.raises(KeyboardInterrupt):
        train(
            sentences(60),
            sentences(20, 1),
            config=config,
            options=options,
            checkpoint=checkpoint,
            watcher=_StopAfter(stop),
        )
    resumed = train(sentences(60), sentences(20, 1), config=config, options=options, checkpoint=checkpoint, resume=True)
    assert same(whole, resumed)
    assert [replace(epoch, seconds=0) for epoch in whole.history] == [
        replace(epoch, seconds=0) for epoch in resumed.history
    ]
    assert [path.name for path in tmp_path.iterdir()] == ["run.checkpoint"]


def test_more_epochs_after_a_finished_run(tmp_path: Path) -> None:
    checkpoint = tmp_path / "run.checkpoint"
    train(sentences(60), config=SHAPE, options=replace(OPTIONS, epochs=2), checkpoint=checkpoint)
    longer = train(sentences(60), config=SHAPE, options=OPTIONS, checkpoint=checkpoint, resume=True)
    assert same(longer, train(sentences(60), config=SHAPE, options=OPTIONS))


def test_a_checkpoint_of_another_run_is_refused(tmp_path: Path) -> None:
    checkpoint = tmp_path / "run.checkpoint"
    options = replace(OPTIONS, epochs=1)
    train(sentences(40), config=SHAPE, options=options, checkpoint=checkpoint)

    def resume(examples: list[Example], config: RecurrentConfig, options: TrainOptions) -> None:
        train(examples, config=config, options=options, checkpoint=checkpoint, resume=True)

    with pytest.raises(UsageError, match=r"cannot resume: lr was 0.01 and is now 0.02"):
        resume(sentences(40), SHAPE, replace(options, lr=0.02))
    with pytest.raises(UsageError, match=r"cannot resume: config.hidden was 8 and is now 9"):
        resume(sentences(40), replace(SHAPE, hidden=9), options)
    with pytest.raises(UsageError, match="cannot resume: training texts"):
        resume(sentences(40)[::-1], SHAPE, options)
    data = checkpoint.read_bytes()
    for damaged in (data[: len(data) // 2], b"", data.replace(b"optimizer.0.step", b"optimizer.9.step")):
        checkpoint.write_bytes(damaged)
        with pytest.raises(FileError, match="is damaged"):
            resume(sentences(40), SHAPE, options)


def test_early_stopping_and_the_best_epoch() -> None:
    flipped = [Example.of(e.text, "negative" if e.label == "positive" else "positive") for e in sentences(60, 1)]
    options = TrainOptions(epochs=30, batch=8, lr=0.02, patience=2)
    result = train(sentences(300), flipped, config=SHAPE, options=options)  # the more is learned, the worse
    assert len(result.history) == result.best_epoch + 2 < 30
    assert result.dev.accuracy == result.history[result.best_epoch - 1].dev_accuracy


@pytest.mark.parametrize(
    "change",
    [
        {"batch": 16},
        {"lr": 0.02},
        {"clip": 0.01},
        {"weight_decay": 0.1},
        {"label_smoothing": 0.2},
        {"word_dropout": 0.5},
        {"average": 0.0},
        {"seed": 1},
        {"freeze": True},
    ],
    ids=str,
)
def test_every_option_counts(change: dict[str, float]) -> None:
    options = replace(OPTIONS, epochs=1)
    dev = sentences(10, 1)
    one = train(sentences(40), dev, config=SHAPE, options=options)
    other = train(sentences(40), dev, config=SHAPE, options=replace(options, **change))  # type: ignore[arg-type]
    assert not same(one, other)


def test_the_average_of_the_weights() -> None:
    examples = sentences(6)
    options = TrainOptions(epochs=1, batch=6, average=0.9)  # one step, after which the share is 1 - 2/11
    torch.manual_seed(0)
    vocabulary = Vocabulary.from_texts([str(example.text) for example in examples])
    start = RecurrentClassifier(replace(SHAPE, vocabulary=len(vocabulary))).state_dict()
    stepped = train(examples, examples, config=SHAPE, options=replace(options, average=0.0))
    averaged = train(examples, examples, config=SHAPE, options=options)
    for name, tensor in weights(averaged).items():
        expected = start[name] + (1 - 2 / 11) * (weights(stepped)[name] - start[name])
        torch.testing.assert_close(tensor, expected, rtol=0, atol=1e-6)


def test_freezing_and_vectors(tmp_path: Path) -> None:
    path = tmp_path / "vectors.txt"
    path.write_text("3 2\nfilm 1.5 -2\nnever 1 1\ngood 3 4\n")
    result = train(
        sentences(40), config=SHAPE, options=replace(OPTIONS, average=0.0, vectors=path, freeze=True, epochs=1)
    )
    table, numbers = result.model.module.embedding.weight, result.model.vocabulary.numbers
    assert result.vectors_found == 2
    assert result.model.module.config.embedding == 2
    assert table[numbers["film"]].tolist() == [1.5, -2]
    assert table[numbers["good"]].tolist() == [3, 4]
    assert all(parameter.requires_grad for parameter in result.model.module.parameters())
    tuned = train(sentences(40), config=SHAPE, options=replace(OPTIONS, vectors=path, epochs=1))
    assert tuned.model.module.embedding.weight[numbers["film"]].tolist() != [1.5, -2]


def test_vector_files(tmp_path: Path) -> None:
    path = tmp_path / "v.txt"
    path.write_text("a 1 2\n. . 3 4\na 5 6\n\n")
    width, found = read_vectors(path, {"a", ". ."})
    assert (width, {word: vector.tolist() for word, vector in found.items()}) == (2, {"a": [1, 2], ". .": [3, 4]})
    path.write_text("2 2\n. . 3 4\na 5 6\n")  # the header tells that the first word holds a blank
    assert read_vectors(path, {". ."})[1][". ."].tolist() == [3, 4]
    for content, message in [
        ("a 1 2\nb 1\n", "line 2: 1 numbers where 2"),
        ("a 1 x\n", "line 1: a word and its numbers"),
        ("a 1 nan\n", "line 1: a number is not finite"),
        ("", "holds no vectors"),
        ("a\n", "line 1"),
    ]:
        path.write_text(content)
        with pytest.raises(FileError, match=message):
            read_vectors(path, {"a", "b"})
    with pytest.raises(FileError, match="cannot be read"):
        read_vectors(tmp_path / "none", set())


def test_neutral_texts_pull_towards_even_odds() -> None:
    examples = sentences(200)
    examples += [Example.of(word, "neutral") for word in ("story", "plot", "the film") for _ in range(40)]
    options = TrainOptions(epochs=12, batch=16, lr=0.02, neutral="neutral", patience=12)
    result = train(examples, [*sentences(50, 1), Example.of("story", "neutral")], config=SHAPE, options=options)
    assert result.model.labels == ("negative", "positive")
    assert result.dev.total == 50
    text = result.model.vocabulary.read("story")
    odds = result.model.module(torch.tensor([text.ids]), torch.tensor([len(text)])).detach().softmax(1)
    assert 0.35 < float(odds[0, 0]) < 0.65


def test_scores_count_by_class() -> None:
    examples = [Example.of(text, label) for text, label in [("a", "x"), ("b b", "y"), ("a b", "y"), ("b", "x")]]
    vocabulary = Vocabulary.from_texts(["a b"])
    module = RecurrentClassifier(RecurrentConfig(embedding=1, hidden=1, vocabulary=4, labels=("x", "y"))).train()
    nn.init.zeros_(module.output.weight)
    module.output.bias.data = torch.tensor([0.0, 1.0])
    found = score(module, Corpus.of(examples, vocabulary, ("x", "y")))
    assert found.confusion == ((0, 2), (0, 2))
    assert found.accuracy == 0.5
    assert found.loss == pytest.approx((1.313262 + 0.313262) / 2, abs=1e-6)
    assert module.training


def test_labels() -> None:
    assert find_labels([Example.of("a", label) for label in ("10", "9", "1")]) == ("1", "9", "10")
    assert find_labels([Example.of("a", label) for label in ("b", "n", "10")], "n") == ("10", "b")
    with pytest.raises(UsageError, match="has no label"):
        find_labels([Example.of("a")])
    with pytest.raises(UsageError, match=r"have 1 label\(s\)"):
        find_labels([Example.of("a", "x"), Example.of("b", "x")])


def test_a_split_is_seeded_and_keeps_equal_texts_together() -> None:
    examples = [Example.of(str(n % 50), str(n % 2)) for n in range(100)]
    rest, held = split_off(examples, 0.1, 0)
    assert (len(rest), len(held)) == (90, 10)
    assert not {e.text for e in rest} & {e.text for e in held}
    assert split_off(examples, 0.1, 0) == (rest, held)
    assert split_off(examples, 0.1, 1) != (rest, held)
    with pytest.raises(UsageError, match="too few"):
        split_off(examples[:1], 0.1, 0)


def test_unusable_examples_are_refused() -> None:
    with pytest.raises(UsageError, match="unknown label 'third'"):
        train(sentences(20), [Example.of("a", "third")], config=SHAPE, options=OPTIONS)
    with pytest.raises(UsageError, match="pairs of texts"):
        train([*sentences(20), Example.of(("a", "b"), "positive")], config=SHAPE, options=OPTIONS)
    with pytest.raises(UsageError, match="the text is empty or blank"):
        train([*sentences(20), Example.of(" ", "positive")], config=SHAPE, options=OPTIONS)
    with pytest.raises(UsageError, match="no text with a class"):
        train(sentences(20), [Example.of("a", "n")], config=SHAPE, options=replace(OPTIONS, neutral="n"))
    with pytest.raises(UsageError, match="device 'abacus'"):
        train(sentences(20), config=SHAPE, options=replace(OPTIONS, device="abacus"))


def test_an_exploding_loss_is_reported() -> None:
    with pytest.raises(ModelError, match="no longer finite"):
        train(sentences(40), config=SHAPE, options=replace(OPTIONS, lr=1e38, clip=1e30))


@pytest.mark.parametrize(
    "wrong",
    [
        {"epochs": 0},
        {"lr": 0.0},
        {"lr": float("nan")},
        {"word_dropout": 1.0},
        {"weight_decay": -1.0},
        {"development": 1.0},
        {"seed": -1},
    ],
)
def test_impossible_options_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(UsageError):
        TrainOptions(**wrong)  # type: ignore[arg-type]


APP = Typer()
APP.command()(unfolded(Train))


def rows(path: Path, examples: list[Example]) -> Path:
    path.write_text("".join(f"{e.text}\t{int(e.label == 'positive')}\n" for e in examples))
    return path


def test_the_command(tmp_path: Path) -> None:
    data, out = tmp_path / "data", tmp_path / "model"
    data.mkdir()
    rows(data / "train.tsv", sentences(300))
    rows(data / "dev.tsv", sentences(50, 1))
    rows(data / "test.tsv", sentences(50, 2))
    more = rows(tmp_path / "more.tsv", sentences(100, 3))
    command = f"{data} --out {out} --arch bigru --hidden 12 --embedding 8 --epochs 12 --lr 0.02 --batch 16 --half"
    (tmp_path / "about.md").write_text("Mind the *limits*.\n")
    options = f"{command} --extra {more} --names negative,positive --about {tmp_path / 'about.md'}"
    done = CliRunner().invoke(APP, options.split())
    assert done.exit_code == 0, done.output
    assert "test accuracy" in done.output
    assert not list(tmp_path.glob("*.checkpoint"))
    model = load_folder(out)
    assert model.labels == ("negative", "positive")
    assert model.module.config.bidirectional
    card = (out / "README.md").read_text()
    assert f"train: {markdown(f'{data} (train) and {more}')}, 400 texts" in card
    assert "Seed: 0" in card
    assert "\n\nMind the *limits*.\n\n## Training\n" in card
    assert "| gold \\ predicted | negative | positive |" in card
    again = CliRunner().invoke(APP, command.split())
    assert isinstance(again.exception, FileError)
    assert "--overwrite" in str(again.exception)
    (out / "note.txt").write_text("of the first")
    replaced = CliRunner().invoke(APP, [*command.split(), "--overwrite"])
    assert replaced.exit_code == 0, replaced.output
    assert load_folder(out).labels == ("0", "1")
    assert not (out / "note.txt").exists()


def test_the_command_on_one_file_sets_development_texts_aside(tmp_path: Path) -> None:
    path = rows(tmp_path / "all.tsv", sentences(80))
    command = f"{path} --out {tmp_path / 'm'} --hidden 4 --embedding 4 --epochs 1 --quiet"
    done = CliRunner().invoke(APP, command.split())
    assert done.exit_code == 0, done.output
    assert done.output == ""
    assert "a seeded tenth of the training texts" in (tmp_path / "m" / "README.md").read_text()


def test_the_command_goes_on_with_an_interrupted_run(tmp_path: Path) -> None:
    path, out, checkpoint = rows(tmp_path / "all.tsv", sentences(80)), tmp_path / "m", tmp_path / "m.checkpoint"
    command = [str(path), "--hidden", "4", "--embedding", "4", "--quiet", "--out"]

    def run(target: Path, *more: str) -> str:
        done = CliRunner().invoke(APP, [*command, str(target), *more])
        if done.exception is not None:
            raise done.exception
        return " ".join(done.stderr.split())

    said = run(tmp_path / "whole", "--epochs", "2", "--resume")
    assert said == f"nothing to resume: there is no {tmp_path}/whole.checkpoint; training starts from the beginning"
    rest, dev = split_off(read_examples(path), 0.1, 0)
    config, options = RecurrentConfig(embedding=4, hidden=4), TrainOptions(epochs=1)
    train(rest, dev, config=config, options=options, checkpoint=checkpoint)
    with pytest.raises(FileError, match=r"is an interrupted run: go on with it \(--resume\)"):
        run(out, "--epochs", "2")
    assert run(out, "--epochs", "2", "--resume") == ""
    assert not checkpoint.exists()
    one, other = (load_folder(folder).module.state_dict() for folder in (out, tmp_path / "whole"))
    assert all(torch.equal(one[name], other[name]) for name in one)


@pytest.mark.parametrize("names", ["a", "a,a", "a,b,c", "a,"])
def test_the_command_refuses_wrong_names(tmp_path: Path, names: str) -> None:
    path = rows(tmp_path / "all.tsv", sentences(20))
    done = CliRunner().invoke(APP, [str(path), "--out", str(tmp_path / "m"), "--names", names])
    assert isinstance(done.exception, UsageError)
