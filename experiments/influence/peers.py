"""Influence beside captum, dattri, kronfluence, bergson and traker: one model, the same queries, quality and time.

    python experiments/influence/peers.py --data DATA --out experiments/influence/peers.json

What every package can see is a network of linear layers over fixed features, so the model is one: the mean of a
sentence's GloVe vectors (fixed), 32 units with tanh, two labels; trained on the first sentences of SST-2 with weight
decay, all texts at once, so that training ends close to a minimum. Quality is the linear datamodelling score (see
``lds.py``) on models of random halves, over test sentences, with an interval over them by the bootstrap. A method that
has a damping (or a number of directions) is run with several and judged at the one that is best on sentences of the
development part; ``tuning`` has these scores, the first being the package's own default where there is one. Scores of
every package are turned so that texts with the query's label have the larger mean. Time is the processor's, of the
whole call (what is prepared and all queries, those for the choice among them), on one thread, in double precision where
a package takes it. What FILE has is kept: the same command goes on. ``each`` has the score of every query, and
``differences`` the means over queries of their differences between two methods, with intervals by the bootstrap.

Then the same packages are given an LSTM with trained embeddings: how many of its weights each of them saw, or what it
said. A package that is not installed is named with its error, and the others are compared all the same.
"""

from __future__ import annotations

import copy
import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from judging import Rows, arguments, difference, halves_of, noise, ranks, scored, sst2, table
from packages import DAMPINGS, DECAY, PEERS, cross
from scipy import stats
from torch import Tensor, nn
from torch.utils.data import TensorDataset

import exegesis
from exegesis.data.examples import Example

WIDTH, STEPS = 32, 400
WITH_INVERSE = ("Arnoldi", "explicit", "CG", "EK-FAC", "DataInf", "autocorrelation")


class Head(nn.Module):
    """Two linear layers over features; a third axis of one position is for packages that read sequences."""

    def __init__(self, inputs: int) -> None:
        super().__init__()
        self.hidden, self.output = nn.Linear(inputs, WIDTH), nn.Linear(WIDTH, 2)

    def forward(self, features: Tensor) -> Tensor:
        return self.output(torch.tanh(self.hidden(features)))


class Bag(nn.Module):
    """The same network as one that reads words."""

    def __init__(self, table: Tensor, head: Head) -> None:
        super().__init__()
        self.embedding = nn.Embedding.from_pretrained(table, freeze=True, padding_idx=0)
        self.hidden, self.output = head.hidden, head.output

    def forward(self, ids: Tensor, lengths: Tensor) -> Tensor:
        mean = self.embedding(ids).sum(1) / lengths[:, None]
        return self.output(torch.tanh(self.hidden(mean)))


class Recurrent(nn.Module):
    """An LSTM with embeddings of its own."""

    def __init__(self, words: int) -> None:
        super().__init__()
        self.embedding, self.lstm = nn.Embedding(words, 16), nn.LSTM(16, 16, batch_first=True)
        self.output = nn.Linear(16, 2)

    def forward(self, ids: Tensor) -> Tensor:
        return self.output(self.lstm(self.embedding(ids))[0].mean(1))


def fitted(features: Tensor, gold: Tensor, kept: Tensor, seeds: list[int]) -> dict[str, Tensor]:
    """Weights of one network for each row of ``kept`` (its texts) and seed, all trained at once by Adam."""
    heads = []
    for seed in seeds:
        torch.manual_seed(seed)
        heads.append({name: value.detach() for name, value in Head(features.shape[1]).double().named_parameters()})
    count = len(kept)
    weights = {
        name: torch.cat([head[name][None].repeat(count, *[1] * head[name].dim()) for head in heads]).requires_grad_()
        for name in heads[0]
    }
    masks = kept.double().repeat(len(seeds), 1)
    optimizer = torch.optim.Adam(list(weights.values()), lr=0.02)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, STEPS)
    target = torch.nn.functional.one_hot(gold, 2).double()
    for _ in range(STEPS):
        hidden = torch.tanh(features @ weights["hidden.weight"].mT + weights["hidden.bias"][:, None])
        raw = hidden @ weights["output.weight"].mT + weights["output.bias"][:, None]
        losses = -(raw.log_softmax(-1) * target).sum(-1)
        total = (losses * masks).sum() / len(gold)
        total = total + DECAY / 2 * torch.stack([value.square().sum() for value in weights.values()]).sum()
        optimizer.zero_grad()
        total.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        schedule.step()
    return {name: value.detach() for name, value in weights.items()}


def margins(weights: dict[str, Tensor], features: Tensor) -> Tensor:
    hidden = torch.tanh(features @ weights["hidden.weight"].mT + weights["hidden.bias"][:, None])
    raw = hidden @ weights["output.weight"].mT + weights["output.bias"][:, None]
    return raw[..., 1] - raw[..., 0]


# title: name, parameters, the name of what is to be chosen, and what is tried (None: the default)
OURS: dict[str, tuple[str, dict[str, Any], str, tuple[Any, ...]]] = {
    "influence-functions": ("influence-functions", {}, "damping", DAMPINGS),
    "influence-functions, Hessian": ("influence-functions", {"curvature": "hessian"}, "damping", DAMPINGS),
    "influence-functions, LiSSA": ("influence-functions", {"solver": "lissa"}, "damping", DAMPINGS),
    "influence-functions, EK-FAC": ("influence-functions", {"solver": "ek-fac"}, "damping", (None, *DAMPINGS)),
    "gradient-similarity": ("gradient-similarity", {}, "", (None,)),
    "gradient-similarity, cosine": ("gradient-similarity", {"measure": "cosine"}, "", (None,)),
    "random-projections": ("random-projections", {"width": 512}, "share", (1e-3, 1e-2, 1e-1)),
    "nearest": ("nearest", {"k": 100_000}, "", (None,)),
}


def seen(work: Any, module: nn.Module, train: TensorDataset, asked: TensorDataset, name: str) -> str:
    """What a peer says of an LSTM: its error, or how many weights its scores depend on."""
    try:
        settings, score = work
        before = score((copy.deepcopy(module), train, asked), settings[0])
    except Exception as error:
        return f"{type(error).__name__}: {' '.join(str(error).split())[:160]}"
    if not before.size or not np.isfinite(before).all():
        return "scores that are not finite"
    inputs, gold = train.tensors
    weights = dict(module.named_parameters())
    first = (inputs[:1], gold[:1]), (asked.tensors[0][:1], asked.tensors[1][:1])
    values = [torch.autograd.grad(cross(module(text), label), list(weights.values())) for text, label in first]
    parts = {key: float((a * b).sum()) for key, a, b in zip(weights, *values, strict=True)}
    whole, told = sum(parts.values()), float(before[0, 0])
    if "TracIn" in name or "gradients, dot" in name:
        some = {"all": whole, "all but the recurrent ones": sum(v for k, v in parts.items() if "lstm" not in k),
                "the output layer": parts["output.weight"] + parts["output.bias"]}  # fmt: skip
        near = min(some, key=lambda key: abs(some[key] - told))
        near = near if abs(some[near] - told) < 1e-3 * abs(whole) else "none of these parts"
        return f"the product of gradients of {near} (said {told:.4g}, all {whole:.4g})"
    return "scores"


def main() -> None:
    parser = arguments(__doc__, texts=1000, queries=40, tuning=16, halves=60, seeds=3)
    parser.add_argument("--only", default="", help="titles of methods and names of packages, separated by semicolons")
    parser.add_argument("--kept", type=Path, help="a file for the outputs of the models of the halves")
    given = parser.parse_args()
    torch.set_num_threads(1)
    lines = (given.data / "word-vectors" / "glove.twitter.25d.11925.txt").read_text("utf-8").splitlines()
    known = {line.split(" ")[0]: [float(number) for number in line.split(" ")[1:]] for line in lines}

    def fits(one: Example) -> bool:
        return any(word in known for word in str(one.text).split())

    train = sst2(given.data, "train", given.texts, fits)
    queries = [*sst2(given.data, "dev", given.tuning, fits), *sst2(given.data, "test", given.queries, fits)]
    words = ["<pad>", "<unk>", *known]
    vectors = torch.tensor([[0.0] * 25, [0.0] * 25, *known.values()], dtype=torch.float64)
    number = {word: row for row, word in enumerate(words)}

    def features(texts: list[Example]) -> Tensor:
        rows = [[number.get(word, 1) for word in str(one.text).split()] for one in texts]
        return torch.stack([vectors[row].mean(0) for row in rows])

    inputs, asked = features(train), features(queries)
    gold = torch.tensor([int(str(one.label)) for one in train])
    module = Head(25).double()
    whole = fitted(inputs, gold, torch.ones(1, len(train), dtype=torch.bool), [0])
    module.load_state_dict({name: value[0] for name, value in whole.items()})
    said = (margins(whole, asked)[0] > 0).long()
    halves = halves_of(len(train), given.halves)
    kept = torch.zeros(len(halves), len(train), dtype=torch.bool)
    for row, half in enumerate(halves):
        kept[row, half] = True
    where = given.kept
    if where is None or not where.is_file():
        raw = margins(fitted(inputs, gold, kept, list(range(given.seeds))), asked)
        if where is not None:
            np.save(where, raw.numpy())
    else:
        raw = torch.from_numpy(np.load(where))
    each = (raw * (2 * said - 1)).reshape(given.seeds, len(halves), -1)
    truth, tuning = each.mean(0).numpy(), given.tuning
    pairs = [stats.spearmanr(each[0, :, q], each[1:, :, q].mean(0))[0] for q in range(tuning, truth.shape[1])]
    rows = Rows(given.out, {
        "texts": len(train), "queries": given.queries, "tuning": tuning, "halves": len(halves), "seeds": given.seeds,
        "noise": noise(given.queries, len(halves)), "ceiling": float(np.mean(pairs)),
    })  # fmt: skip
    report = rows.report
    report.setdefault("missing", {})
    report.setdefault("lstm", {})

    def judged(title: str, settings: Sequence[Any], work: Callable[[Any], np.ndarray]) -> None:
        best: tuple[float, Any, np.ndarray, float] | None = None
        tried = {}
        wanted = not given.only or title in given.only.split(";") or title.split(" ")[0] in given.only.split(";")
        for setting in settings if wanted and not rows.has(title) else ():
            start = time.process_time()
            try:
                values = np.asarray(work(setting), dtype=np.float64)
            except Exception as error:
                report["missing"][title] = f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
                print(title, report["missing"][title], flush=True)
                continue
            seconds = time.process_time() - start
            alike = gold.numpy()[None] == said.numpy()[:, None]
            if values[alike].mean() < values[~alike].mean():
                values = -values
            tried[str(setting)] = float(np.mean(ranks(values[:tuning], halves, truth[:, :tuning])))
            if best is None or tried[str(setting)] > best[0]:
                best = tried[str(setting)], setting, values[tuning:], seconds
        if best is not None:
            found = table(title, best[2], halves, {"margin": truth[:, tuning:]})
            each = ranks(best[2], halves, truth[:, tuning:])
            rows.add({**found, "setting": best[1], "tuning": tried, "seconds": best[3], "each": each})

    model = exegesis.wrap(Bag(vectors, module), vocabulary=words, labels=["0", "1"])
    texts, labels = [str(one.text) for one in queries], [str(one) for one in said.tolist()]
    for title, (name, extra, chosen, settings) in OURS.items():

        def ours(setting: Any, name: str = name, extra: dict[str, Any] = extra, chosen: str = chosen) -> np.ndarray:
            more = {} if setting is None else {chosen: setting}
            return scored(model, train, texts, labels, name, {**extra, **more})

        judged(title, settings, ours)
    control = np.random.default_rng(1)
    judged("random", (None,), lambda _: control.standard_normal((len(texts), len(train))))
    both = TensorDataset(inputs, gold), TensorDataset(asked, said)
    single = Head(25)
    single.load_state_dict(module.state_dict())
    floats = TensorDataset(inputs.float(), gold), TensorDataset(asked.float(), said)
    torch.manual_seed(0)
    recurrent = Recurrent(200)
    ids = torch.randint(2, 200, (24, 6), generator=torch.Generator().manual_seed(0))
    few = TensorDataset(ids[:20], torch.arange(20) % 2), TensorDataset(ids[20:], torch.arange(4) % 2)
    for package, works in PEERS.items():
        if given.only and package not in given.only.split(";"):
            continue
        try:
            found = works()
        except Exception as error:
            report["missing"][package] = f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
            print(package, report["missing"][package], flush=True)
            continue
        for title, (settings, score) in found.items():
            alone, *sets = (module, *both) if package == "dattri" and "DataInf" not in title else (single, *floats)

            def theirs(setting: Any, score: Any = score, alone: Any = alone, sets: Any = sets) -> np.ndarray:
                made: np.ndarray = score((copy.deepcopy(alone), *sets), setting)
                return made

            judged(title, settings, theirs)
            if title not in report["lstm"]:
                report["lstm"][title] = seen((settings, score), recurrent, *few, title)
                print(title, "on an LSTM:", report["lstm"][title], flush=True)
    report["differences"] = differences(report["rows"])
    given.out.write_text(json.dumps(report, indent=1) + "\n")


def differences(rows: Sequence[dict[str, Any]]) -> dict[str, dict[str, float]]:
    """What the inverses of ours have more than each other method with one, over the same queries; printed too."""
    each = {row["method"]: row["each"] for row in rows}
    found = {}
    for mine in [title for title in each if title in OURS and title.startswith("influence-functions")]:
        for other in each:
            if other != mine and (other in OURS or any(word in other for word in WITH_INVERSE)):
                made = found[f"{mine} - {other}"] = difference(each[mine], each[other])
                print(f"{mine} - {other}: {made['lds']:+.3f} ({made['low']:.3f} to {made['high']:.3f})", flush=True)
    return found


if __name__ == "__main__":
    main()
