"""The experiments of Arras et al. 2019 run, in little, and measure what they say."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import torch

FOLDER = Path(__file__).parents[2] / "experiments" / "lrp-lstm"


def test_table_11_2_in_little(tmp_path, capsys):
    import toy

    toy.main(["--out", str(tmp_path), "--quick"])
    result = json.loads((tmp_path / "toy.json").read_text())
    for task in ("addition", "subtraction"):
        assert result[task]["models"] == 2
        assert result[task]["weights of a model"] == 17
        assert set(result[task]["table"]) == set(toy.PAPER[task])
        assert all(
            np.isfinite(list(one.values())).all() for row in result[task]["table"].values() for one in row.values()
        )
    assert (tmp_path / "toy.png").stat().st_size > 1000
    assert "| LRP-all |" in (tmp_path / "toy.md").read_text()
    before = result["addition"]["table"]
    toy.main(["--out", str(tmp_path), "--quick"])  # goes on from what is kept
    assert json.loads((tmp_path / "toy.json").read_text())["addition"]["table"] == before


def test_the_sequences_are_the_papers():
    from toy_training import splits

    for task, sign in (("addition", 1), ("subtraction", -1)):
        train, valid, test = splits(task, 0, (300, 100, 100))
        for data, low, high in ((train, 4, 10), (valid, 11, 12), (test, 13, 14)):
            rows = torch.arange(len(data.x))
            assert (int(data.lengths.min()), int(data.lengths.max())) == (low, high)
            assert bool((data.a < data.b).all())
            assert bool((data.b < data.lengths).all())
            first, second = data.x[rows, data.a, 1], data.x[rows, data.b, 1]
            torch.testing.assert_close(data.y, first + sign * second)
            assert bool(((data.x != 0).sum(2) == (torch.arange(data.x.shape[1]) < data.lengths[:, None])).all())
            assert bool((data.x[..., 1] != 0).sum(1).eq(2).all())
            numbers = data.x[data.x != 0]
            assert 0.5 <= float(numbers.abs().min()) <= float(numbers.abs().max()) < 1
            assert bool((numbers < 0).any()) == (task == "addition")


def test_batched_models_are_the_librarys_lstm():
    from toy import Toy
    from toy_training import fresh, run, splits

    weights = fresh(3, torch.Generator().manual_seed(1))
    data = splits("addition", 0, (1, 1, 20))[2]
    rows = data.lengths == 14
    found = run({name: weight.double() for name, weight in weights.items()}, data.x[rows])
    vectors = torch.cat([torch.zeros(1, 2), data.x[rows].reshape(-1, 2)])
    ids = torch.arange(1, len(vectors)).reshape(-1, 14)
    for number in range(3):
        module = Toy({name: weight[number] for name, weight in weights.items()}, vectors)
        expected = module(ids, torch.full((len(ids),), 14))[:, 0]
        torch.testing.assert_close(found[number], expected.detach(), rtol=0, atol=1e-12)
        assert (
            sum(weight.numel() for name, weight in module.named_parameters() if "bias_hh" not in name) - vectors.numel()
            == 17
        )


def test_rewards_in_little(tmp_path, capsys):
    import rewards

    rewards.main(["--out", str(tmp_path), "--quick"])
    result = json.loads((tmp_path / "rewards.json").read_text())
    assert set(result["relevance"][0]) == set(rewards.RULES)
    kinds = ("delayed", "delayed, 102 episodes", "immediate", *(f"lrp-{rule}" for rule in rewards.RULES))
    assert sorted(result["policies"]) == sorted(kinds)
    assert set(result["assumptions"]) == {"A1", "A2", "A3", "A4", "A5", "A7", "A9"}
    for name in ("rewards.png", "learning.png"):
        assert (tmp_path / name).stat().st_size > 1000


def test_the_world_pays_for_coins_after_the_moneybag():
    from learning import completed, delayed, immediate
    from world import BAG, BEST, CELLS, COIN, START, STEPS, WORDS, play

    assert (BAG, START, COIN, CELLS, STEPS, BEST) == (1, 3, 5, 7, 20, 8)
    policy = np.zeros((2, CELLS, 2))
    policy[0, :COIN, 1] = 1.0  # left to the Moneybag, then right, to and fro at the Coin
    policy[1, :COIN] = 1.0  # never fetches it
    episodes = play(policy, np.random.default_rng(0))
    assert episodes.returns.tolist() == [8, 0]
    words = [[WORDS[word] for word in row] for row in episodes.words]
    assert words[0][:8] == ["left", "left+bag", "right", "right", "right", "right+coin", "left", "right+coin"]
    assert words[1][:4] == ["right", "right+coin", "left", "right+coin"]
    assert immediate(episodes).sum(1).tolist() == [8, 0]
    assert delayed(episodes)[0].tolist() == [0] * 19 + [8]
    np.testing.assert_allclose(completed(np.ones((2, STEPS)), episodes.returns).sum(1), episodes.returns)


def test_policies_learn_faster_without_delay():
    from learning import Learning, delayed, immediate, learn, reached

    plan = Learning(runs=6, episodes=200, every=20)
    late, soon = (learn(rewards, plan, 0) for rewards in (delayed, immediate))
    assert soon[:, -1].mean() > late[:, -1].mean() + 1
    np.testing.assert_array_equal(late, learn(delayed, plan, 0))
    assert reached(np.array([[0, 1, 5, 2], [0, 0, 0, 0]]), 4, 20).tolist() == [40, np.inf]


def test_variants_in_little(tmp_path, capsys):
    import variants

    rows = [f"a {word} film of {n}\t{label}" for n in range(30) for word, label in (("good", 1), ("bad", 0))]
    for part in ("train", "dev", "test"):
        (tmp_path / f"{part}.tsv").write_text("\n".join(rows) + "\n")
    variants.main([str(tmp_path), "--out", str(tmp_path / "out"), "--quick"])
    models = json.loads((tmp_path / "out" / "variants.json").read_text())["models"]
    assert [(one["cell"], one["both"]) for one in models] == [(cell, False) for cell in variants.CELLS]
    for one in models:
        assert ("assumptions" in one) == (one["cell"] != "lstm")
        assert all(each["gap / relevance"] < 1e-9 for each in one["account"].values())
