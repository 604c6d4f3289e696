"""Training through the public function: planted words found, marks of methods and of people, collusion seen."""

from __future__ import annotations

import dataclasses
import gzip
import importlib
import json
import shutil
from pathlib import Path

import pytest
import torch

import exegesis
from exegesis.core.errors import FileError
from exegesis.models.rationale_models.model import RationaleClassifier
from exegesis.models.rationale_models.selectors.fresh import Fresh
from exegesis.models.rationale_models.shape import RationaleConfig
from exegesis.models.trained.architectures.config import RecurrentConfig
from exegesis.models.trained.folder import save_folder
from exegesis.models.trained.options import TrainOptions
from exegesis.models.trained.training import TrainResult, train
from exegesis.study.reasons.rationales import collusion, marks_by, train_selecting
from tests.support import rationale_toys as toys

OPTIONS = TrainOptions(epochs=12, batch=16, lr=0.01, patience=6)
TRAIN, DEV, TEST = toys.examples(240), toys.examples(60, 1), toys.examples(60, 2)


def as_model(result: TrainResult) -> RationaleClassifier:
    trained = result.model
    wrapped = exegesis.wrap(trained.module, vocabulary=trained.vocabulary, labels=list(trained.labels), name="m")
    return RationaleClassifier.of(wrapped)


def token_f1(model: RationaleClassifier) -> float:
    """Token F1 of the words kept in the test texts against those planted, over all words."""
    hits = kept = planted = 0
    for result, marks in zip(exegesis.rationale(model, [str(one.text) for one in TEST]), toys.marks(TEST), strict=True):
        hits += sum(marks[n] for n in result.kept)
        kept, planted = kept + len(result.kept), planted + sum(marks)
    return 2 * hits / (kept + planted)


def test_fresh_learns_what_a_method_finds_and_a_fresh_reader_understands_it() -> None:
    config = RationaleConfig(
        selector="fresh:share=0.15:method=leave-one-out", encoder="gru", embedding=12, hidden=12, dropout=0.1
    )
    result = train_selecting(TRAIN, DEV, TEST, config=config, options=OPTIONS)
    model = as_model(result)
    assert result.test is not None
    assert result.test.accuracy > 0.95
    assert token_f1(model) > 0.95
    shape = RecurrentConfig(embedding=12, hidden=12)
    told = collusion(model, TRAIN, DEV, TEST, config=shape, options=TrainOptions(epochs=6, batch=16, lr=0.02))
    assert told.rationale > 0.9
    assert told.complement < 0.7
    assert told.model == result.test.accuracy
    assert (told.empty, told.whole) == (0.0, 0.0)


def test_marks_of_people_are_followed_even_where_other_words_decide() -> None:
    """Half of the texts have their first word marked, which says nothing of the label: it is kept then, not before."""
    marks = [[place == 0 for place in range(len(str(one.text).split()))] if n % 2 else None
             for n, one in enumerate(TRAIN)]  # fmt: skip
    options = TrainOptions(epochs=4, batch=16, lr=0.02, patience=9)
    found = []
    for given in (None, marks):
        config = RationaleConfig(
            selector="bottleneck:share=0.1", encoder="gru", embedding=12, hidden=12, dropout=0.0, supervision=20.0
        )
        model = as_model(train_selecting(TRAIN, DEV, config=config, options=options, marks=given))
        kept = [result.kept for result in exegesis.rationale(model, [str(one.text) for one in TEST])]
        found.append(kept.count((0,)) / len(kept))
    assert found[0] < 0.5
    assert found[1] > 0.9


def test_marks_by_a_method_are_ranges_of_characters() -> None:
    model = exegesis.load()
    given = Fresh(0.3, method="leave-one-out")
    (marks,) = marks_by(model, ["a truly fine film"], given)
    (result,) = exegesis.rationale(model, ["a truly fine film"], "leave-one-out", share=0.3)
    assert marks == [list(result.text.characters(span)) for span in result.spans]


def test_marks_follow_their_texts_when_development_texts_are_set_aside() -> None:
    data = toys.examples(40)
    config = toys.shape("bottleneck:share=0.15", 4, 0.2)
    options = TrainOptions(epochs=1, batch=16)
    result = train_selecting(data, None, config=config, options=options, marks=toys.marks(data))
    assert result.sizes == {"train": 36, "dev": 4, "test": 0}
    with pytest.raises(exegesis.UsageError, match="3 marks of 40 training texts"):
        train_selecting(data, None, config=config, options=options, marks=toys.marks(data)[:3])


def test_masks_of_a_trained_model_leave_what_its_prediction_rests_on(tmp_path: Path) -> None:
    """The given model stays as it is to the last bit; its prediction on what is left is its own, of few words."""
    shape = RecurrentConfig(cell="gru", bidirectional=True, embedding=12, hidden=12, dropout=0.1)
    base = train(TRAIN, DEV, config=shape, options=TrainOptions(epochs=5, batch=16, lr=0.01)).model
    save_folder(tmp_path / "base", base, "# A card")
    options = TrainOptions(epochs=14, batch=16, lr=0.01, patience=1)  # which ends no masks
    config = toys.shape("diffmask:margin=0.1:rate=0.2", 12)
    result = train_selecting(TRAIN, DEV, TEST, config=config, options=options, support=tmp_path / "base")
    assert len(result.history) == 14
    masked, weights = result.model.module, base.module.state_dict()
    assert all(torch.equal(weights[name], value) for name, value in masked.base.state_dict().items())  # type: ignore[union-attr]
    assert bool(masked.blank.any())  # type: ignore[operator]
    still = type(masked)(dataclasses.replace(masked.config, selector="diffmask:learned=false"))  # type: ignore[arg-type]
    assert not still.blank.requires_grad  # type: ignore[union-attr]
    assert not bool(still.blank.any())  # type: ignore[operator]
    save_folder(tmp_path / "masks", result.model, "# A card")
    model = exegesis.load(tmp_path / "masks")
    assert isinstance(model, RationaleClassifier)
    texts = [str(one.text) for one in TEST]
    whole = exegesis.predict(exegesis.load(tmp_path / "base"), texts)
    same = [max(a, key=a.get) == max(b, key=b.get) for a, b in zip(whole, exegesis.predict(model, texts), strict=True)]  # type: ignore[arg-type]
    assert sum(same) / len(same) > 0.95
    found = {label: [0, 0, 0] for label in model.labels}
    for one, told, marks in zip(TEST, exegesis.rationale(model, texts), toys.marks(TEST), strict=True):
        counts = sum(marks[n] for n in told.kept), len(told.kept), 1
        found[str(one.label)] = [a + b for a, b in zip(found[str(one.label)], counts, strict=True)]
    assert sum(hits for hits, _, _ in found.values()) > 0.9 * sum(kept for _, kept, _ in found.values())
    assert max(hits / texts for hits, _, texts in found.values()) > 0.9  # the blank may stand for the other label
    batch = model.encode([model.read(text) for text in texts[:9]])
    kept = model.select(batch).kept
    ids = torch.where(kept | ~batch.mask, batch.ids, 2 + (batch.ids + 5) % 20)
    other = dataclasses.replace(batch, ids=ids, texts=())
    assert torch.equal(model.outputs_of(batch, kept), model.outputs_of(other, kept))
    with pytest.raises(exegesis.UsageError, match="name its folder"):
        train_selecting(TRAIN, DEV, config=config)
    other_labels = [exegesis.Example.of("w1 good", "a"), exegesis.Example.of("w1 bad", "b")]
    with pytest.raises(exegesis.UsageError, match="the data have the labels a, b, the model negative, positive"):
        train_selecting(other_labels, other_labels, config=config, support=tmp_path / "base")
    with pytest.raises(exegesis.UsageError, match="diffmask needs a trained model"):
        train(TRAIN[:4], DEV[:4], config=config)


def test_a_resumed_fresh_keeps_its_support_model(tmp_path: Path) -> None:
    """An interrupted run goes on to the same numbers; more epochs are none of the support model's, whose marks stay."""
    config = RationaleConfig(selector="fresh:share=0.2", encoder="gru", embedding=6, hidden=6, dropout=0.1)

    def run(epochs: int, place: Path, *, resume: bool = False) -> TrainResult:
        options = TrainOptions(epochs=epochs, batch=16, lr=0.02, patience=9)
        return train_selecting(
            TRAIN[:60], DEV[:20], config=config, options=options, checkpoint=place, resume=resume
        )  # fmt: skip

    whole = run(2, tmp_path / "state")
    shutil.copy(tmp_path / "state.support", tmp_path / "other.support")  # as if it had ended behind the support model
    resumed = run(2, tmp_path / "other", resume=True)
    first, second = (result.model.module.state_dict() for result in (whole, resumed))
    assert all(torch.equal(first[name], second[name]) for name in first)
    start = (tmp_path / "state.support").read_bytes()
    assert len(run(3, tmp_path / "state", resume=True).history) == 3
    assert (tmp_path / "state.support").read_bytes() == start


@pytest.fixture
def scripts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(Path(__file__).parents[3] / "experiments" / "rationales"))


def test_reviews_of_beer_are_read_in_the_form_of_lei(tmp_path: Path, scripts: None) -> None:
    beer = importlib.import_module("beer")
    lines = ("0.5 0.9 0.1 0.2 0.7\tsmells fine and fresh", "0.9 0.5 0.9 0.9 0.9\tso so", "0 0.2 0 0 0\tstale",
             "0 0.8 0 0 0\tlate")  # fmt: skip
    (tmp_path / "reviews.aspect1.heldout.txt").write_text("\n".join(lines) + "\n")
    with gzip.open(tmp_path / "reviews.aspect1.train.txt.gz", "wt") as file:
        file.write("\n".join(reversed(lines)) + "\n")
    rows = [{"x": ["it", "smells", "very", "fresh", "today"], "y": [0.1, 0.8, 0.1], "1": [[1, 4], [4, 5]], "0": []},
            {"x": ["flat"], "y": [0.9, 0.5, 0.9], "1": []}]  # fmt: skip
    (tmp_path / "annotations.json").write_text("\n".join(map(json.dumps, rows)) + "\n")
    parts, marks = beer.read(tmp_path, "smell", {"train": 2, "dev": 9, "test": 9}, 4)
    read = {split: [(str(one.text), one.label) for one in part] for split, part in parts.items()}
    assert read["dev"] == [("smells fine and fresh", "positive"), ("stale", "negative"), ("late", "positive")]
    assert read["train"] == [("late", "positive"), ("stale", "negative")]
    assert read["test"] == [("it smells very fresh", "positive")]
    assert [read["test"][0][0][start:stop] for start, stop in marks[0]] == ["smells very fresh"]  # what is left of it
    (tmp_path / "reviews.aspect1.heldout.txt").write_text("0.5 0.9\n")
    with pytest.raises(FileError, match=r"line 1: five scores, a tab and the words"):
        beer.read(tmp_path, "smell", {"train": 2, "dev": 9, "test": 9}, 4)
    (tmp_path / "reviews.aspect1.heldout.txt").unlink()
    with pytest.raises(FileError, match="is missing"):
        beer.read(tmp_path, "smell", {"train": 2, "dev": 9, "test": 9}, 4)


def test_absence_tells_no_label_of_planted_reviews(tmp_path: Path, scripts: None) -> None:
    """A fifth of the training reviews have no reason and either label; all others, and all tests, have one."""
    aspects = importlib.import_module("aspects")
    aspects.write(tmp_path, 3, 400, 0.9)
    silent = {split: [] for split in ("train", "dev", "test")}
    for split, found in silent.items():
        labels = [line.split("\t")[1] for line in (tmp_path / f"{split}.tsv").read_text().splitlines()]
        rows = [json.loads(line)["marks"] for line in (tmp_path / f"{split}.marks.jsonl").read_text().splitlines()]
        found += [label for label, marks in zip(labels, rows, strict=True) if not any(marks)]
        assert all(sum(marks) <= 1 for marks in rows)
    assert 50 < len(silent["train"]) < 110
    assert 0.3 < silent["train"].count("good") / len(silent["train"]) < 0.7
    assert silent["dev"] == silent["test"] == []
