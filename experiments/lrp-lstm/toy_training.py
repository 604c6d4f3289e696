"""Addition and subtraction of two of many numbers (Arras et al. 2019, Sec. 11.5.1), and one-cell LSTMs that learn it.

Many models learn at once: every weight has a leading axis, the models'. A model is done at the first check at which its
validation error is below 0.7e-4 (the paper's bound is 1e-4, and the errors on its longer test sequences are below that
too: a little less here keeps them there); one that is not after ``patience`` steps begins anew from other weights.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor

TASKS = ("addition", "subtraction")
ENOUGH = 0.7e-4  # mean squared error
NAMES = ("weight_ih", "weight_hh", "bias", "out")
Weights = dict[str, Tensor]  # i, f, g, o: [m, 4, 2], [m, 4, 1], [m, 4]; out [m]


@dataclass(frozen=True)
class Sequences:
    """``x[n, t, 2]``, padded on the right; the numbers n_a and n_b stand in the second column at ``a`` and ``b``."""

    x: Tensor
    a: Tensor
    b: Tensor
    y: Tensor
    lengths: Tensor


def sequences(task: str, count: int, lengths: tuple[int, int], draws: torch.Generator) -> Sequences:
    """Numbers from ±[0.5, 1) for addition and [0.5, 1) for subtraction; a < b drawn evenly from all places."""
    low, high = lengths
    length = torch.randint(low, high + 1, (count,), generator=draws)
    x = torch.zeros(count, high, 2, dtype=torch.float64)
    a, b = torch.zeros(count, dtype=torch.long), torch.zeros(count, dtype=torch.long)
    for row, n in enumerate(length.tolist()):
        a[row], b[row] = torch.randperm(n, generator=draws)[:2].sort().values
    value = 0.5 + 0.5 * torch.rand(count, high, generator=draws, dtype=torch.float64)
    if task == "addition":
        value *= torch.randint(0, 2, value.shape, generator=draws) * 2 - 1
    rows = torch.arange(count)
    x[..., 0] = value
    for place in (a, b):
        x[rows, place, 0], x[rows, place, 1] = 0.0, value[rows, place]
    x[torch.arange(high) >= length[:, None]] = 0.0
    first, second = value[rows, a], value[rows, b]
    return Sequences(x, a, b, first + second if task == "addition" else first - second, length)


def splits(task: str, seed: int, counts: tuple[int, int, int] = (10_000, 2_500, 2_500)) -> list[Sequences]:
    """Training, validation and test sequences: 4 to 10, 11 to 12 and 13 to 14 numbers long."""
    draws = torch.Generator().manual_seed(1000 * seed + TASKS.index(task))
    ranges = ((4, 10), (11, 12), (13, 14))
    return [sequences(task, count, each, draws) for count, each in zip(counts, ranges, strict=True)]


def fresh(count: int, draws: torch.Generator) -> Weights:
    """As the library starts an LSTM of one cell: evenly from [-1, 1]."""
    shapes = ((4, 2), (4, 1), (4,), ())
    return {name: torch.rand(count, *shape, generator=draws) * 2 - 1 for name, shape in zip(NAMES, shapes, strict=True)}


def run(weights: Weights, x: Tensor) -> Tensor:
    """Outputs [m, n] of every model for sequences of one length."""
    gates = torch.einsum("ntd,mgd->tmng", x, weights["weight_ih"]) + weights["bias"][:, None]
    h = c = gates.new_zeros(gates.shape[1:3])
    hidden = weights["weight_hh"][:, None, :, 0]
    for step in gates:
        now = step + h[..., None] * hidden
        i, f, o = now[..., 0].sigmoid(), now[..., 1].sigmoid(), now[..., 3].sigmoid()
        c = f * c + i * now[..., 2].tanh()
        h = o * c.tanh()
    return h * weights["out"][:, None]


def error(weights: Weights, data: Sequences) -> Tensor:
    """Mean squared error of every model."""
    total = torch.zeros(len(weights["out"]), dtype=data.x.dtype)
    with torch.no_grad():
        for length in data.lengths.unique().tolist():
            rows = data.lengths == length
            total += ((run(weights, data.x[rows, :length].float()) - data.y[rows].float()) ** 2).sum(1)
    return total / len(data.y)


@dataclass
class Training:
    """The state of a run; ``found`` are the models that are done, ``tries`` how many were begun."""

    weights: Weights
    moments: dict[str, tuple[Tensor, Tensor]]
    age: Tensor
    found: list[Weights]
    tries: int

    def save(self, path: Path, step: int, draws: torch.Generator) -> None:
        fresh_path = path.with_suffix(".new")
        torch.save({**vars(self), "step": step, "random": draws.get_state()}, fresh_path)
        fresh_path.replace(path)


@dataclass(frozen=True)
class Plan:
    """``at_once`` models learn at a time, by Adam with batches of ``batch`` sequences of one length; the rate halves
    every ``half`` steps of a model."""

    models: int = 50
    at_once: int = 50
    batch: int = 50
    lr: float = 0.03
    half: float = 6000.0
    check: int = 500
    patience: int = 60_000
    seed: int = 0
    enough: float = ENOUGH


def train(
    data: list[Sequences], plan: Plan, path: Path | None = None, told: Callable[[int, int, int], object] | None = None
) -> tuple[list[Weights], int]:
    """The models, and how many were begun. ``path`` keeps the state between checks; ``told`` hears step, done and
    begun."""
    draws, start = torch.Generator().manual_seed(plan.seed), 0
    state = Training(fresh(plan.at_once, draws), {}, torch.zeros(plan.at_once), [], plan.at_once)
    state.moments = {name: (torch.zeros_like(w), torch.zeros_like(w)) for name, w in state.weights.items()}
    if path is not None and path.exists():
        kept = torch.load(path, weights_only=True)
        start, random = kept.pop("step"), kept.pop("random")
        state = Training(**kept)
        draws.set_state(random)
    places = {n: (data[0].lengths == n).nonzero()[:, 0] for n in data[0].lengths.unique().tolist()}
    step = start
    while len(state.found) < plan.models:
        step += 1
        length = list(places)[int(torch.randint(len(places), (1,), generator=draws))]
        rows = places[length][torch.randint(len(places[length]), (plan.batch,), generator=draws)]
        _learn(state, data[0].x[rows, :length].float(), data[0].y[rows].float(), plan)
        if step % plan.check == 0:
            _check(state, error(state.weights, data[1]), plan, draws)
            if path is not None:
                state.save(path, step, draws)
            if told is not None:
                told(step, len(state.found), state.tries)
    return state.found[: plan.models], state.tries


def _learn(state: Training, x: Tensor, y: Tensor, plan: Plan) -> None:
    """One step of Adam for every model; the age of each counts its own steps."""
    weights = {name: weight.requires_grad_(True) for name, weight in state.weights.items()}
    loss = ((run(weights, x) - y) ** 2).mean(1)
    slopes = torch.autograd.grad(loss.sum(), list(weights.values()))
    state.age += 1
    with torch.no_grad():
        norm = torch.stack([slope.flatten(1).norm(dim=1) if slope.ndim > 1 else slope.abs() for slope in slopes]).norm(
            dim=0
        )
        clip = (1.0 / (norm + 1e-9)).clamp(max=1.0)
        for (name, weight), slope in zip(weights.items(), slopes, strict=True):
            shape = (-1, *[1] * (weight.ndim - 1))
            slope = slope * clip.view(shape)
            mean, square = state.moments[name]
            mean.lerp_(slope, 0.1)
            square.lerp_(slope**2, 0.001)
            one, two = (1 - 0.9**state.age).view(shape), (1 - 0.999**state.age).view(shape)
            rate = (plan.lr * 0.5 ** (state.age / plan.half)).view(shape)
            weight.sub_(rate * (mean / one) / ((square / two).sqrt() + 1e-8))
    state.weights = {name: weight.detach() for name, weight in weights.items()}


def _check(state: Training, errors: Tensor, plan: Plan, draws: torch.Generator) -> None:
    """Put models that are done aside, and begin others in their place and in that of those that do not get there."""
    done = errors < plan.enough
    for number in done.nonzero()[:, 0].tolist():
        state.found.append({name: weight[number].clone() for name, weight in state.weights.items()})
    again = done | (state.age >= plan.patience) | ~torch.isfinite(errors)
    if not bool(again.any()):
        return
    count = int(again.sum())
    new = fresh(count, draws)
    state.tries += count
    for name in NAMES:
        state.weights[name][again] = new[name]
        for moment in state.moments[name]:
            moment[again] = 0.0
    state.age[again] = 0.0


def as_quick(plan: Plan) -> Plan:
    """A trial: few steps, any error will do."""
    return replace(plan, models=2, at_once=4, check=20, enough=float("inf"))
