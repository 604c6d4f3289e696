"""Models that write why: likelihoods piece by piece, decisions that follow what they read, scores, and training."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

import exegesis
from exegesis import study
from exegesis.core.errors import FileError, UsageError
from exegesis.data.written import COPIES, Written, read_written

pytest.importorskip("accelerate")
import torch

from exegesis.models.explainers.explainer import SETTINGS, Explainer, load_explainer, read_writer
from exegesis.models.explainers.orders import asked, decided, lessons
from exegesis.models.explainers.training import train_explainer
from exegesis.models.huggingface.finetuning import FineTuning
from exegesis.study.reasons.simulators import halves, told_by_words
from exegesis.study.reasons.written import _overlaps, _simulated
from tests.support import written_toys as toys

OPTIONS = FineTuning(epochs=12, batch=8, lr=5e-3, patience=12)
PARTS = {"train": toys.rows(80), "dev": toys.rows(20, 1)}


def trained(folder, order, two_halves=True, options=OPTIONS, **more):
    base = folder / "base"
    if not base.exists():
        toys.base(base, two_halves=two_halves)
    out = folder / order
    train_explainer(str(base), PARTS, out, order, options, state=folder / "state", card=lambda _: "# A card\n", **more)
    return out


@pytest.fixture(scope="module")
def follows(tmp_path_factory):
    return trained(tmp_path_factory.mktemp("two halves"), "explain-predict")


@pytest.mark.parametrize("two_halves", [True, False])
def test_a_decision_is_the_chain_of_its_pieces(tmp_path, two_halves):
    """Of predict-explain: log p of every piece of a label and of 'because', one step at a time, no end."""
    writer = read_writer(str(toys.base(tmp_path, two_halves=two_halves)))
    rows, tokenizer, module = toys.rows(3), writer.tokenizer, writer.module
    found = Explainer(writer, "predict-explain", "toy").decide(rows, [{}] * 3)
    for one, chances in zip(rows, found, strict=True):
        scores = []
        for label in one.choices:
            told, total = tokenizer(f"{label} because", add_special_tokens=False).input_ids, 0.0
            source = asked("predict-explain", one)
            ids = tokenizer(source if two_halves else source + "\n").input_ids
            for step in range(len(told)):
                with torch.no_grad():
                    if two_halves:
                        read = torch.tensor([[module.config.decoder_start_token_id, *told[:step]]])
                        logits = module(input_ids=torch.tensor([ids]), decoder_input_ids=read).logits
                    else:
                        logits = module(input_ids=torch.tensor([[*ids, *told[:step]]])).logits
                total += float(torch.log_softmax(logits[0, -1].double(), 0)[told[step]])
            scores.append(total)
        np.testing.assert_allclose(chances, np.exp(scores) / np.exp(scores).sum(), atol=1e-5)
    (total,), (pieces,) = writer.likelihoods([("explain : a film", "warm is good")])
    assert pieces == 4  # three words and the end, and nothing of the source
    assert total < writer.likelihoods([("explain : a film", "warm is good")], ended=False)[0][0]


@pytest.mark.quick
def test_decisions_follow_their_explanations(follows, tmp_path):
    """Explain-then-predict reads nothing but the explanation: another text's decides, and without one it guesses."""
    found = study.written(follows, toys.rows(40, 2), most=3)
    assert found.accuracy == 1.0
    removed, exchanged = found.exchanged
    assert exchanged.followed == 1.0
    assert exchanged.accuracy == 0.0
    assert removed.accuracy == pytest.approx(0.5, abs=0.3)
    assert found.texts[0].explanation == found.texts[0].human
    assert found.perplexity < 1.5
    assert exegesis.read(found.save(tmp_path / "found.json")) == found
    assert "with another label's explanation it takes that label in 100 %" in found.table(width=120)

    class Swapped(Explainer):
        """One that tells the label whose explanation is written under the first name."""

        def decide(self, rows, told):
            return [torch.tensor([float(label in said["good"]) for label in one.choices])
                    for one, said in zip(rows, told, strict=True)]  # fmt: skip

        def explain(self, rows):
            return [{label: f"it is {label}" for label in one.choices} for one in rows]

    model = load_explainer(follows)
    always = study.written(Swapped(model.writer, "label-specific", "toy"), toys.rows(10, 2))
    assert always.exchanged[1].followed == always.exchanged[1].changed == 1.0


def test_simulatability_is_the_plain_one():
    """Texts say nothing, half of the explanations give the label away: LAS is the mean of two gains (Hase et al.)."""
    rows = [Written(f"film {n}", "good", ("bad", "good"), ("x",)) for n in range(200)]
    labels = [("bad", "good")[n % 2] for n in range(200)]
    said = [label if n % 4 < 2 else "it is so" for n, label in enumerate(labels)]
    found = _simulated(rows, labels, said, 0)
    assert found.text == pytest.approx(0.5, abs=0.15)
    assert found.leaking == found.explanation == pytest.approx(0.75, abs=0.12)
    assert found.both >= found.text
    leaks, others = found.explanation, 1 - found.explanation
    plain = found.both - found.text
    assert found.score != pytest.approx(plain, abs=1e-3)
    assert abs(found.score) <= 1 / min(leaks, others)
    own = [Written("a", "b", (f"c{n}", "b"), ("x",)) for n in range(4)]
    assert math.isnan(_simulated(own, ["b"] * 4, ["x"] * 4, 0).score)


def test_simulatability_is_the_mean_over_leaking_and_other_explanations():
    rows = [Written(f"film {n}", "good", ("bad", "good"), ("x",)) for n in range(60)]
    labels = [("bad", "good")[n % 3 == 0] for n in range(60)]
    said = [label if n % 4 else "it is so" for n, label in enumerate(labels)]
    found = _simulated(rows, labels, said, 0)
    gold = [int(label == "good") for label in labels]
    texts = [["film", f"{n}"] for n in range(60)]
    own = [[f"because {word}" for word in one.split()] for one in said]
    fitted, held = halves(60, 0)
    bags = (texts, own, [a + b for a, b in zip(texts, own, strict=True)])
    x, e, both = (told_by_words(bag, gold, 2, fitted, held) == np.array(gold)[held] for bag in bags)
    gains = {True: [], False: []}
    for a, leaks, c in zip(x.tolist(), e.tolist(), both.tolist(), strict=True):
        gains[leaks].append(c - a)
    assert all(gains.values())
    assert found.score == pytest.approx((np.mean(gains[True]) + np.mean(gains[False])) / 2)
    sure = _simulated(rows, labels, labels, 0)  # every explanation leaks
    assert (sure.leaking, sure.score) == (1.0, pytest.approx(sure.both - sure.text))


def test_people_are_compared_where_there_are_several():
    pytest.importorskip("sacrebleu")
    pytest.importorskip("rouge_score")
    alone = [Written("a", "good", ("good",), ("this is one explanation that nobody else wrote",))]
    several = [Written("b", "good", ("good",), ("a cat sat on the mat today", "the dog sat on the mat today"))]
    said = ["it is good", "a cat sat"]
    assert _overlaps(said, alone + several)[2] == _overlaps(said[1:], several)[2] < 100
    assert math.isnan(_overlaps(said[:1], alone)[2])


def test_training_goes_on_to_the_same_numbers(tmp_path):
    whole = trained(tmp_path / "whole", "explain-answer", two_halves=False, options=FineTuning(epochs=2, lr=5e-3))
    part = tmp_path / "part"

    class Stop(Exception):
        pass

    def stop(epoch):
        if epoch == 2:
            raise Stop

    with pytest.raises(Stop):
        trained(part, "explain-answer", two_halves=False, options=FineTuning(epochs=2, lr=5e-3), told=stop)
    again = trained(part, "explain-answer", two_halves=False, options=FineTuning(epochs=2, lr=5e-3), resume=True)
    for one, other in zip(*(load_explainer(path).writer.module.parameters() for path in (whole, again)), strict=True):
        assert torch.equal(one, other)


def test_sources_of_each_order():
    one = Written(("A dog.", "An animal."), "yes", ("no", "yes"), ("dogs are animals",))
    told = {"no": "cats", "yes": "dogs"}
    assert lessons("predict-explain", one) == [
        ("explain: premise: A dog. hypothesis: An animal.", "yes because dogs are animals")
    ]
    assert lessons("explain-predict", one)[1] == ("decide: dogs are animals", "yes")
    assert lessons("label-specific", one) == [
        ("explain yes: premise: A dog. hypothesis: An animal.", "dogs are animals")
    ]
    assert decided("label-specific", one, told).endswith("hypothesis: An animal. no: cats yes: dogs")
    assert decided("explain-answer", one, {"": "so"}).endswith("choices: no, yes explanation: so")


def test_data_and_what_is_wrong_with_it(tmp_path, follows):
    lines = {"s1": "A dog.\nA cat.\n", "s2": "An animal.\nA dog.\n", "labels": "yes\nno\n", "preproc1_expl_1": "so\n\n",
             "preproc1_expl_2": "it is\n\n"}  # fmt: skip
    for name, text in lines.items():
        (tmp_path / f"{name}.dev").write_text(text)
    (only,) = read_written(tmp_path, "dev")
    assert only == Written(("A dog.", "An animal."), "yes", ("no", "yes"), ("so", "it is"))
    (tmp_path / "s2.dev").write_text("An animal.\n")
    with pytest.raises(FileError, match="do not have one line for each text"):
        read_written(tmp_path, "dev")
    cose = tmp_path / "cose"
    cose.mkdir()
    question = {"answerKey": "B", "id": "1", "question": {"stem": "Where?", "choices": [
        {"label": "A", "text": "here"}, {"label": "B", "text": "there"}]}}  # fmt: skip
    (cose / "dev_rand_split.jsonl").write_text(json.dumps(question) + "\n")
    (cose / "cose_dev_v1.0.jsonl").write_text(
        json.dumps({"id": "1", "explanation": {"open-ended": "seen there"}}) + "\n"
    )
    assert read_written(cose, "dev") == [Written("Where?", "there", ("here", "there"), ("seen there",))]
    table = tmp_path / "t.tsv"
    table.write_text("text\tlabel\texplanation\n" + "a film\tgood\tThis word is the most relevant\n" * COPIES)
    with pytest.raises(UsageError, match="no text has an explanation of its own"):
        read_written(table)
    with pytest.raises(UsageError, match="needs the columns text, label, why"):
        read_written(table, explanation="why")
    with pytest.raises(FileError, match="is no explainer"):
        study.written(tmp_path, toys.rows(2))
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / SETTINGS).write_text('{"order": "backwards"}')
    with pytest.raises(FileError, match="unknown order 'backwards'"):
        load_explainer(broken)
