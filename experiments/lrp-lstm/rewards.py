"""Figures 11.6 and 11.7, and one step further: which rewards does relevance give to the steps of an episode, and does a
policy learn faster from them than from the delayed return?

    python experiments/lrp-lstm/rewards.py --out FOLDER [--quick]

Trains Markov LSTMs on returns, hands their forecasts back by every product rule, and learns policies. What is finished
is kept in FOLDER; the same command goes on. Writes ``rewards.json``, ``rewards.png`` and ``learning.png``.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import torch
from learning import Learning, completed, delayed, immediate, interval, learn, reached
from rewards_figure import draw_curves, draw_episodes
from rich.progress import Progress
from world import BEST, WORDS, Episodes, Forecaster, collection, fit, squared_error

import exegesis
from exegesis.engine.methods import make
from exegesis.models.modules.adapter import TorchClassifier
from exegesis.models.trained.assumptions import check_assumptions
from exegesis.models.trained.card import machine
from exegesis.protocols.target import ask

RULES = ("all", "prop", "abs", "half")
LEVEL = 0.5  # of the best return


@dataclass(frozen=True)
class Size:
    models: int = 5
    episodes: int = 5_000
    steps: int = 2_000
    held: int = 500
    learning: Learning = field(default_factory=Learning)


QUICK = Size(1, 100, 10, 10, Learning(runs=2, episodes=2, every=1))


def wrapped(module: Forecaster) -> TorchClassifier:
    return exegesis.wrap(module.double(), vocabulary=list(WORDS), tokenizer=str.split, labels=["return"])


def relevance(model: TorchClassifier, episodes: Episodes, rule: str) -> np.ndarray:
    """Relevance of every step, ``[n, steps]``: biases are shared out, so that all that reaches z_t is the step's."""
    batch = model.encode([model.read(text) for text in episodes.texts()])
    target = ask(None, model.labels, model.link).of(model.outputs(batch), model.link)
    found: np.ndarray = make("lrp", {"product": rule, "bias": "spread"})(model, batch, target).values[:, 0].numpy()
    return found


def events(episodes: Episodes) -> dict[str, np.ndarray]:
    """Which steps are what: the Moneybag where Coins follow, Coins with and without it, all others."""
    coin, bag = episodes.words % 2 == 0, (episodes.words - 1) % 4 >= 2
    wins = bag & (episodes.returns > 0)[:, None]
    found = {
        "Moneybag, Coins follow": wins, "Coin with Moneybag": coin & (episodes.has == 1),
        "Coin without Moneybag": coin & (episodes.has == 0),
    }  # fmt: skip
    return {**found, "other steps": ~(coin | bag)}


def statistics(found: np.ndarray, episodes: Episodes) -> dict[str, Any]:
    """Mean and median relevance of each kind of step; how far the words' relevance is the return."""
    kinds = {
        name: {"mean": float(found[where].mean()), "median": float(np.median(found[where]))}
        for name, where in events(episodes).items()
        if where.any()
    }
    gap = np.abs(found.sum(1) - episodes.returns)
    return {"steps": kinds, "largest": float(np.abs(found).max()), "median |sum - return|": float(np.median(gap))}


def chosen(episodes: Episodes) -> Episodes:
    """The first episode of three Coins with the Moneybag and none before it, the first of two before and two with."""
    before = events(episodes)["Coin without Moneybag"].sum(1)
    wanted = ((episodes.returns >= 3) & (before == 0), (episodes.returns >= 2) & (before >= 2))
    rows = [int(where.argmax()) for where in wanted if where.any()]
    return Episodes(*(value[rows] for value in vars(episodes).values()))


def forecasts(size: Size, seed: int, out: Path, progress: Progress) -> tuple[list[Forecaster], Episodes]:
    data, bar = collection(size.episodes, seed), progress.add_task("forecasts", total=size.models * size.steps)
    modules = []
    for number in range(size.models):
        done = number * size.steps
        modules.append(
            fit(
                data,
                size.steps,
                seed + number,
                out / f"forecast-{number}.pt",
                lambda step, _, done=done: progress.update(bar, completed=done + step),  # type: ignore[misc]
            )
        )
    progress.update(bar, completed=size.models * size.steps)
    return modules, collection(size.held, seed + 1_000)


def policies(model: TorchClassifier, size: Size, seed: int, out: Path, progress: Progress) -> dict[str, np.ndarray]:
    """Learning curves ``[runs, measured]`` by kind of reward."""
    kinds = {"delayed": delayed, "immediate": immediate}
    for rule in RULES:
        kinds[f"lrp-{rule}"] = lambda e, rule=rule: completed(relevance(model, e, rule), e.returns)  # type: ignore[misc]
    curves = {}
    for name, rewards in kinds.items():
        path = out / f"curve-{name}.json"
        if not path.exists():
            bar = progress.add_task(f"policy: {name}", total=size.learning.episodes)
            told = lambda done, bar=bar: progress.update(bar, completed=done)  # type: ignore[misc]  # noqa: E731
            path.write_text(json.dumps(learn(rewards, size.learning, seed, told).tolist()))
        curves[name] = np.array(json.loads(path.read_text()))
    return curves


def longer(size: Size, seed: int, out: Path, progress: Progress) -> dict[str, np.ndarray]:
    """Delayed rewards once more, over as many episodes as forecast and policy saw together."""
    plan = replace(size.learning, episodes=size.learning.episodes + size.episodes)
    path, name = out / "curve-longer.json", f"delayed, {plan.episodes} episodes"
    if not path.exists():
        bar = progress.add_task(f"policy: {name}", total=plan.episodes)
        curve = learn(delayed, plan, seed, lambda done: progress.update(bar, completed=done))
        path.write_text(json.dumps(curve.tolist()))
    return {name: np.array(json.loads(path.read_text()))}


def summary(curves: dict[str, np.ndarray], plan: Learning) -> dict[str, Any]:
    found = {}
    for name, curve in curves.items():
        low, high = interval(curve[:, -1])
        first = reached(curve, LEVEL * BEST, plan.every)
        found[name] = {
            "return at the end": float(curve[:, -1].mean()),
            "95 % interval": [float(low), float(high)],
            f"runs that reached {LEVEL * BEST:g}": int(np.isfinite(first).sum()),
            "median episodes until then": None if np.isinf(np.median(first)) else float(np.median(first)),
        }
    return found


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="Figures 11.6 and 11.7 of Arras et al. 2019")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--quick", action="store_true", help="little of everything: a trial")
    given = parser.parse_args(arguments)
    size = QUICK if given.quick else Size()
    given.out.mkdir(parents=True, exist_ok=True)
    with Progress() as progress:
        modules, held = forecasts(size, given.seed, given.out, progress)
        errors = [squared_error(module, held) for module in modules]
        best = int(np.argmin([error for error, _ in errors]))
        models = [wrapped(module) for module in modules]
        found = [{rule: relevance(model, held, rule) for rule in RULES} for model in models]
        report = check_assumptions(models[best], held.texts()[:3])
        shown = chosen(collection(size.episodes, given.seed + 2_000))
        pictured = {rule: relevance(models[best], shown, rule) for rule in RULES}
        curves = policies(models[best], size, given.seed, given.out, progress)
        more = longer(size, given.seed, given.out, progress)
    result = {
        "date": f"{datetime.now(UTC):%Y-%m-%d}", "machine": machine(), "seed": given.seed, "size": asdict(size),
        "quick": given.quick, "best return": BEST, "variance of returns": errors[0][1],
        "squared errors": [error for error, _ in errors], "shown": best,
        "assumptions": {one.name: one.violation for one in report},
        "relevance": [{rule: statistics(each[rule], held) for rule in RULES} for each in found],
        "episodes": [
            {"steps": text, "return": float(shown.returns[n]), **{rule: pictured[rule][n].tolist() for rule in RULES}}
            for n, text in enumerate(shown.texts())
        ],
        "policies": summary({**curves, **more}, size.learning),
    }  # fmt: skip
    (given.out / "rewards.json").write_text(json.dumps(result, indent=1) + "\n")
    draw_episodes(shown, pictured, given.out / "rewards.png")
    draw_curves(curves, size.learning.every, BEST, given.out / "learning.png")


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
