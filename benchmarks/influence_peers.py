"""Influence beside captum, dattri, kronfluence, bergson and traker: one model, the same queries, quality and time.

    python benchmarks/influence_peers.py --data DATA --out benchmarks/results/influence_peers.json

What every package can see is a network of linear layers over fixed features, so the model is one: the mean of a
sentence's GloVe vectors (fixed), 32 units with tanh, two labels; trained on the first sentences of SST-2 with weight
decay, all texts at once, so that training ends close to a minimum. Quality is the linear datamodelling score (see
``experiments/influence``) on models of random halves, over test sentences, with an interval over them by the bootstrap.
Scores of every package are turned so that texts with the query's label have the larger mean. Time is the processor's,
of the whole call (what is prepared and all queries), on one thread, in double precision where a package takes it.

Then the same packages are given an LSTM with trained embeddings: how many of its weights each of them saw, or what it
said. A package that is not installed is named with its error, and the others are compared all the same.
"""

from __future__ import annotations

import argparse
import copy
import json
import math
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy import stats
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

import exegesis
from exegesis.data.examples import read_examples
from exegesis.statistics.bootstrap import spread

WIDTH, DECAY, STEPS = 32, 1e-3, 400


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


Given = tuple[nn.Module, TensorDataset, TensorDataset]  # a network, its training texts, the queries
Work = Callable[[Given], np.ndarray]  # scores [queries, texts]


def cross(raw: Tensor, gold: Tensor) -> Tensor:
    return torch.nn.functional.cross_entropy(raw, gold)


def captum_works() -> dict[str, Work]:
    from captum.influence import TracInCP, TracInCPFast
    from captum.influence._core.arnoldi_influence_function import ArnoldiInfluenceFunction

    def load(module: nn.Module, path: str) -> float:
        module.load_state_dict(torch.load(path, weights_only=True))
        return 1.0

    def made(kind: Any, given: Given, **options: Any) -> np.ndarray:
        module, train, asked = given
        with tempfile.NamedTemporaryFile(suffix=".pt") as file:
            torch.save(module.state_dict(), file.name)
            where = file.name if kind is ArnoldiInfluenceFunction else [file.name]
            loss = nn.CrossEntropyLoss(reduction=options.pop("reduction", "none"))
            scorer = kind(
                module, train_dataset=train, checkpoints_load_func=load, loss_fn=loss, batch_size=250,
                **({"checkpoint": where} if kind is ArnoldiInfluenceFunction else {"checkpoints": where}), **options,
            )  # fmt: skip
            found: np.ndarray = scorer.influence(asked.tensors).detach().numpy()
            return found

    return {
        "captum TracInCP": lambda given: made(TracInCP, given),
        "captum TracInCP, fast path": lambda given: made(
            TracInCP, given, sample_wise_grads_per_batch=True, reduction="sum"
        ),
        "captum TracInCPFast (last layer)": lambda given: made(
            TracInCPFast, given, final_fc_layer=given[0].output, reduction="sum"
        ),
        "captum Arnoldi": lambda given: made(ArnoldiInfluenceFunction, given),
    }


def dattri_works() -> dict[str, Work]:
    from dattri.algorithm.influence_function import (
        IFAttributorCG,
        IFAttributorDataInf,
        IFAttributorEKFAC,
        IFAttributorExplicit,
    )
    from dattri.algorithm.tracin import TracInAttributor
    from dattri.algorithm.trak import TRAKAttributor
    from dattri.task import AttributionTask

    def task(module: nn.Module) -> Any:
        def loss(params: Any, data: Any) -> Tensor:
            inputs, gold = data
            single = inputs.dim() == 1
            raw = torch.func.functional_call(module, params, inputs[None] if single else inputs)
            return cross(raw, gold[None] if single else gold)

        return AttributionTask(loss_func=loss, model=module, checkpoints=module.state_dict())

    def chance(module: nn.Module) -> Any:
        def of(params: Any, data: Any) -> Tensor:
            inputs, gold = data
            raw = torch.func.functional_call(module, params, inputs[None])
            return torch.exp(-cross(raw, gold[None]))

        from dattri.func.utils import flatten_func

        return flatten_func(module)(of)

    def odds(module: nn.Module) -> Any:
        def of(params: Any, data: Any) -> Tensor:
            inputs, gold = data
            lost = cross(torch.func.functional_call(module, params, inputs[None]), gold[None])
            return -lost - torch.log1p(-torch.exp(-lost) + 1e-12)

        return AttributionTask(loss_func=of, model=module, checkpoints=module.state_dict())

    def made(attributor: Any, given: Given, gradients: bool = False) -> np.ndarray:
        _, train, asked = given
        loader = DataLoader(train, len(train), shuffle=False)
        with torch.set_grad_enabled(gradients):
            attributor.cache(loader)
            found: np.ndarray = (
                attributor.attribute(loader, DataLoader(asked, len(asked), shuffle=False)).detach().numpy().T
            )
        return found

    def tracin(given: Given) -> np.ndarray:
        module, train, asked = given
        one = TracInAttributor(task(module), weight_list=torch.ones(1), normalized_grad=False)
        loaders = (DataLoader(part, len(part), shuffle=False) for part in (train, asked))
        with torch.no_grad():
            found: np.ndarray = one.attribute(*loaders).numpy().T
        return found

    def trak(given: Given) -> np.ndarray:
        module, train, asked = given
        one = TRAKAttributor(
            odds(module), chance(module), projector_kwargs={"proj_dim": 512, "proj_max_batch_size": 32}
        )
        return made(one, (module, train, asked))

    return {
        "dattri explicit": lambda given: made(IFAttributorExplicit(task(given[0]), regularization=DECAY), given),
        "dattri CG": lambda given: made(IFAttributorCG(task(given[0]), max_iter=50, regularization=DECAY), given),
        "dattri DataInf": lambda given: made(IFAttributorDataInf(task(given[0]), regularization=DECAY), given),
        "dattri EK-FAC": lambda given: made(IFAttributorEKFAC(task(given[0]), damping=DECAY), given, True),
        "dattri TracIn": tracin,
        "dattri TRAK": trak,
    }


def kronfluence_works() -> dict[str, Work]:
    from kronfluence.analyzer import Analyzer, prepare_model
    from kronfluence.arguments import FactorArguments, ScoreArguments
    from kronfluence.task import Task

    class Classify(Task):  # type: ignore[misc]
        def compute_train_loss(self, batch: Any, model: nn.Module, sample: bool = False) -> Tensor:
            raw = model(batch[0])
            gold = torch.distributions.Categorical(logits=raw.detach()).sample() if sample else batch[1]
            return torch.nn.functional.cross_entropy(raw, gold, reduction="sum")

        def compute_measurement(self, batch: Any, model: nn.Module) -> Tensor:
            return torch.nn.functional.cross_entropy(model(batch[0]), batch[1], reduction="sum")

    def ekfac(given: Given, damping: float | None) -> np.ndarray:
        module, train, asked = given
        torch.manual_seed(0)
        with tempfile.TemporaryDirectory() as folder:
            model = prepare_model(module, Classify())
            analyzer = Analyzer("influence", model, Classify(), cpu=True, output_dir=folder, disable_tqdm=True)
            analyzer.fit_all_factors("factors", train, 500, factor_args=FactorArguments("ekfac"))
            analyzer.compute_pairwise_scores(
                "scores", "factors", asked, train, len(asked), 500, score_args=ScoreArguments(damping_factor=damping)
            )
            found: np.ndarray = analyzer.load_pairwise_scores("scores")["all_modules"].numpy()
            return found

    return {
        "kronfluence EK-FAC": lambda given: ekfac(given, None),
        "kronfluence EK-FAC, our damping": lambda given: ekfac(given, DECAY),
    }


def bergson_works() -> dict[str, Work]:
    from bergson import GradientProcessor, InMemoryCollector
    from bergson.config.config import IndexConfig
    from datasets import Dataset

    def gradients(module: nn.Module, texts: TensorDataset) -> tuple[dict[str, Tensor], int]:
        inputs, gold = texts.tensors
        module.device = torch.device("cpu")  # type: ignore[assignment]
        rows = Dataset.from_dict({"length": [1] * len(gold)})
        collector = InMemoryCollector(
            model=module, data=rows, cfg=IndexConfig(run_path="none"),
            processor=GradientProcessor(include_bias=True),
        )  # fmt: skip
        with collector:
            raw = module(inputs[:, None] if inputs.is_floating_point() else inputs)
            raw = raw[:, 0] if raw.dim() == 3 else raw
            losses = torch.nn.functional.cross_entropy(raw, gold, reduction="none")
            losses.sum().backward()  # type: ignore[no-untyped-call]
            collector.process_batch(list(range(len(gold))), losses=losses)
        collector.teardown()
        module.zero_grad()
        return {name: value.double() for name, value in collector.gradients.items()}, len(gold)

    def made(given: Given, how: str) -> np.ndarray:
        module, train, asked = given
        (mine, count), (theirs, _) = gradients(module, train), gradients(module, asked)
        total = torch.zeros(len(asked), len(train), dtype=torch.float64)
        if how == "cosine":
            one, other = (torch.cat(list(part.values()), 1) for part in (theirs, mine))
            total = torch.nn.functional.normalize(one) @ torch.nn.functional.normalize(other).t()
        for name in mine if how != "cosine" else ():
            right = mine[name]
            if how == "autocorrelation":  # bergson's H: the gradients' second moments, module by module
                second = right.t() @ right / count
                eye = torch.eye(len(second), dtype=second.dtype)
                right = torch.linalg.solve(second + 0.1 * second.diagonal().mean() * eye, right.t()).t()
            total += theirs[name] @ right.t()
        found: np.ndarray = total.numpy()
        return found

    return {f"bergson gradients, {how}": lambda given, how=how: made(given, how)  # type: ignore[misc]
            for how in ("dot", "cosine", "autocorrelation")}  # fmt: skip


PEERS = {"captum": captum_works, "dattri": dattri_works, "kronfluence": kronfluence_works, "bergson": bergson_works}
OURS: dict[str, tuple[str, dict[str, Any]]] = {
    "influence-functions": ("influence-functions", {"damping": DECAY}),
    "influence-functions, Hessian": ("influence-functions", {"damping": DECAY, "curvature": "hessian"}),
    "influence-functions, LiSSA": ("influence-functions", {"damping": DECAY, "solver": "lissa"}),
    "influence-functions, EK-FAC": ("influence-functions", {"solver": "ek-fac"}),
    "influence-functions, EK-FAC, damping as CG": ("influence-functions", {"solver": "ek-fac", "damping": DECAY}),
    "gradient-similarity": ("gradient-similarity", {}),
    "gradient-similarity, cosine": ("gradient-similarity", {"measure": "cosine"}),
    "random-projections": ("random-projections", {"width": 512}),
    "nearest": ("nearest", {"k": 100_000}),
}


def seen(work: Work, module: nn.Module, train: TensorDataset, asked: TensorDataset, name: str) -> str:
    """What a peer says of an LSTM: its error, or how many weights its scores depend on."""
    try:
        before = work((copy.deepcopy(module), train, asked))
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
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--texts", type=int, default=1000)
    parser.add_argument("--queries", type=int, default=40)
    parser.add_argument("--halves", type=int, default=60)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    torch.set_num_threads(1)
    lines = (given.data / "word-vectors" / "glove.twitter.25d.11925.txt").read_text("utf-8").splitlines()
    known = {line.split(" ")[0]: [float(number) for number in line.split(" ")[1:]] for line in lines}

    def read(part: str, count: int) -> list[Any]:
        found = read_examples(str(given.data / "sst2" / f"{part}.tsv"))
        return [one for one in found if any(word in known for word in str(one.text).split())][:count]

    train, queries = read("train", given.texts), read("test", given.queries)
    words = ["<pad>", "<unk>", *known]
    table = torch.tensor([[0.0] * 25, [0.0] * 25, *known.values()], dtype=torch.float64)
    number = {word: row for row, word in enumerate(words)}

    def features(texts: list[Any]) -> Tensor:
        rows = [[number.get(word, 1) for word in str(one.text).split()] for one in texts]
        return torch.stack([table[row].mean(0) for row in rows])

    inputs, asked = features(train), features(queries)
    gold = torch.tensor([int(str(one.label)) for one in train])
    module = Head(25).double()
    everything = torch.ones(1, len(train), dtype=torch.bool)
    whole = fitted(inputs, gold, everything, [0])
    module.load_state_dict({name: value[0] for name, value in whole.items()})
    said = (margins(whole, asked)[0] > 0).long()
    draws = np.random.default_rng(0)
    halves = [np.sort(draws.permutation(len(train))[: len(train) // 2]) for _ in range(given.halves)]
    kept = torch.zeros(len(halves), len(train), dtype=torch.bool)
    for row, half in enumerate(halves):
        kept[row, half] = True
    start = time.process_time()
    each = margins(fitted(inputs, gold, kept, list(range(given.seeds))), asked) * (2 * said - 1)
    each = each.reshape(given.seeds, len(halves), -1)
    truth = each.mean(0).numpy()
    report: dict[str, Any] = {
        "texts": len(train), "queries": len(queries), "halves": len(halves), "seeds": given.seeds,
        "judging_seconds": time.process_time() - start, "rows": [], "missing": {}, "lstm": {},
        "noise": 1 / math.sqrt(len(queries) * (len(halves) - 1)),
    }  # fmt: skip
    ceiling = [stats.spearmanr(each[0, :, q], each[1:, :, q].mean(0))[0] for q in range(truth.shape[1])]
    report["ceiling"] = float(np.mean(ceiling))

    def judged(title: str, work: Callable[[], np.ndarray]) -> None:
        start = time.process_time()
        try:
            values = np.asarray(work(), dtype=np.float64)
        except Exception as error:
            report["missing"][title] = f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
            print(title, report["missing"][title], flush=True)
            return
        seconds = time.process_time() - start
        alike = gold.numpy()[None] == said.numpy()[:, None]
        if values[alike].mean() < values[~alike].mean():
            values = -values
        sums = np.stack([values[:, half].sum(1) for half in halves])
        found = [float(np.nan_to_num(stats.spearmanr(sums[:, q], truth[:, q])[0])) for q in range(truth.shape[1])]
        told = spread(np.array(found), np.arange(len(found)), 2000)
        report["rows"].append({"method": title, "lds": told.mean, "low": told.mean_low, "high": told.mean_high,
                               "seconds": seconds})  # fmt: skip
        print(json.dumps(report["rows"][-1]), flush=True)

    model = exegesis.wrap(Bag(table, module), vocabulary=words, labels=["0", "1"])
    texts = [str(one.text) for one in queries]

    def ours(name: str, extra: dict[str, Any]) -> np.ndarray:
        found = np.zeros((len(texts), len(train)))
        for label in ("0", "1"):
            rows = [row for row, one in enumerate(said.tolist()) if str(one) == label]
            if not rows:
                continue
            made = exegesis.influence(model, train, [texts[row] for row in rows], name, target=label, **extra)
            found[rows] = np.nan_to_num([one.scores for one in made])
        return found

    for title, (name, extra) in OURS.items():
        judged(title, lambda name=name, extra=extra: ours(name, extra))  # type: ignore[misc]
    control = np.random.default_rng(1)
    judged("random", lambda: control.standard_normal((len(texts), len(train))))
    both = TensorDataset(inputs, gold), TensorDataset(asked, said)
    single = Head(25)
    single.load_state_dict(module.state_dict())
    floats = TensorDataset(inputs.float(), gold), TensorDataset(asked.float(), said)
    torch.manual_seed(0)
    recurrent = Recurrent(200)
    ids = torch.randint(2, 200, (24, 6), generator=torch.Generator().manual_seed(0))
    few = TensorDataset(ids[:20], torch.arange(20) % 2), TensorDataset(ids[20:], torch.arange(4) % 2)
    for package, works in PEERS.items():
        try:
            found = works()
        except Exception as error:
            report["missing"][package] = f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
            print(package, report["missing"][package], flush=True)
            continue
        for title, work in found.items():
            alone, *texts_of = (module, *both) if package == "dattri" and "DataInf" not in title else (single, *floats)
            judged(title, lambda work=work, alone=alone, sets=texts_of: work((copy.deepcopy(alone), *sets)))
            report["lstm"][title] = seen(work, recurrent, *few, title)
            print(title, "on an LSTM:", report["lstm"][title], flush=True)
    if given.out:
        given.out.write_text(json.dumps(report, indent=1) + "\n")


if __name__ == "__main__":
    main()
