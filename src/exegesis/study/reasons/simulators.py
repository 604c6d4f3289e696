"""Fresh linear classifiers of words: what can be told from some words alone, by a model that has seen nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from jaxtyping import Int

STEPS, PENALTY = 60, 1e-3


def told_by_words(
    words: Sequence[Sequence[str]], gold: Sequence[int], count: int, fitted: Sequence[int], held: Sequence[int]
) -> Int[np.ndarray, " held"]:
    """The class of each ``held`` bag of words, by a softmax regression of the words there are, fitted on others.

    Words that none of the fitted bags holds say nothing. Deterministic.
    """
    known = {word: n for n, word in enumerate(dict.fromkeys(word for row in fitted for word in words[row]))}
    rows = torch.zeros(len(words), len(known))
    for row, bag in enumerate(words):
        rows[row, [known[word] for word in bag if word in known]] = 1.0
    inputs, labels = rows[list(fitted)], torch.tensor([gold[row] for row in fitted])
    weights = torch.zeros(len(known) + 1, count, requires_grad=True)
    search = torch.optim.LBFGS([weights], max_iter=STEPS, line_search_fn="strong_wolfe")

    def loss() -> Any:
        search.zero_grad()
        value = torch.nn.functional.cross_entropy(inputs @ weights[:-1] + weights[-1], labels)
        value = value + PENALTY * weights.square().sum()
        value.backward()  # type: ignore[no-untyped-call]
        return value

    with torch.enable_grad():
        search.step(loss)  # type: ignore[no-untyped-call]
    found: np.ndarray = (rows[list(held)] @ weights[:-1] + weights[-1]).argmax(1).numpy()
    return found


def halves(count: int, seed: int) -> tuple[list[int], list[int]]:
    """Two halves of so many numbers, drawn."""
    order = np.random.default_rng(seed).permutation(count).tolist()
    return order[: count // 2], order[count // 2 :]
