"""Shapley values from the values of coalitions: over all of them, or along drawn orders of the words.

With a tree over the words only those orders count that keep every phrase together (Owen 1977 for one level of phrases,
Winter 1989 for nested phrases); the flat tree gives Shapley's own values. For any orders, the values of the words sum
to the value of the whole text minus that of the empty one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import factorial

import torch
from jaxtyping import Float
from torch import Tensor

from exegesis.core.nested import Nest, nest

Orders = list[list[int]]
Predecessors = list[dict[int, float]]  # for each word, the coalitions that may come before it, with their probabilities


def exact(values: Float[Tensor, "s k"]) -> Float[Tensor, "k n"]:
    """Shapley values from the values of all 2^n coalitions, in the order of their numbers."""
    count = len(values).bit_length() - 1
    coalitions = torch.arange(len(values))
    sizes = torch.zeros_like(coalitions)
    for word in range(count):
        sizes += (coalitions >> word) & 1
    chances = [factorial(s) * factorial(count - s - 1) / factorial(count) for s in range(count)]
    weight = torch.tensor(chances, dtype=values.dtype)
    shapley = []
    for word in range(count):
        before = coalitions[(coalitions >> word) & 1 == 0]
        gains = values[before | (1 << word)] - values[before]
        shapley.append(weight[sizes[before]] @ gains)
    return torch.stack(shapley, 1)


def orders(tree: Nest, count: int, draws: torch.Generator) -> Orders:
    """``count`` orders of the words that keep every phrase of the tree together. Each drawn order is followed by its
    reverse: the error of a word that comes early in one is compensated in the other."""
    sequences: Orders = []
    while len(sequences) < count:
        placed: list[list[int]] = []
        for span, children in zip(tree.spans, tree.children, strict=True):
            if not children:
                placed.append([span.start])
                continue
            turn = torch.randperm(len(children), generator=draws).tolist()
            placed.append([word for number in turn for word in placed[children[number]]])
        sequences += [placed[-1], placed[-1][::-1]]
    return sequences[:count]


def flat(words: int) -> Nest:
    """The tree without phrases: words and the whole."""
    return nest((), words)


@dataclass(frozen=True, eq=False)
class Prefixes:
    """The coalitions along several orders, one after the other; only the present one is made."""

    orders: Orders

    def __len__(self) -> int:
        return sum(len(order) + 1 for order in self.orders)

    def __iter__(self) -> Iterator[int]:
        for order in self.orders:
            coalition = 0
            yield coalition
            for word in order:
                coalition |= 1 << word
                yield coalition

    def __contains__(self, coalition: object) -> bool:
        return any(coalition == one for one in self)


def along(
    sequences: Orders, values: Sequence[Float[Tensor, "p k"]]
) -> tuple[Float[Tensor, "k n"], Float[Tensor, "k n"]]:
    """Mean gain of each word over the orders, and its standard error from the means of each order and its reverse.

    ``values[m]`` are those of the prefixes of ``sequences[m]``.
    """
    gains = torch.zeros(len(sequences), values[0].shape[1], len(sequences[0]), dtype=values[0].dtype)
    for number, (order, value) in enumerate(zip(sequences, values, strict=True)):
        gains[number][:, order] = (value[1:] - value[:-1]).t()
    pairs = (gains[0::2] + gains[1::2]) / 2
    return pairs.mean(0), pairs.std(0) / len(pairs) ** 0.5


def price(tree: Nest) -> int:
    """The number of pairs of a word and a coalition before it in ``predecessors``."""
    total, ways = 0, [1] * len(tree.spans)
    for number in reversed(range(len(tree.spans))):
        children = tree.children[number]
        total += 0 if children else ways[number]
        for child in children:
            ways[child] = ways[number] << (len(children) - 1)
    return total


def predecessors(tree: Nest) -> Predecessors:
    """Every coalition that an order of the tree can put before a word, with its probability, for each word."""
    before: list[dict[int, float]] = [{} for _ in tree.spans]
    before[-1][0] = 1.0
    for number in reversed(range(len(tree.spans))):
        children = tree.children[number]
        for child in children:
            others = [((1 << tree.spans[c].width) - 1) << tree.spans[c].start for c in children if c != child]
            for chosen in range(1 << len(others)):
                size = chosen.bit_count()
                chance = factorial(size) * factorial(len(others) - size) / factorial(len(children))
                inside = sum(mask for bit, mask in enumerate(others) if (chosen >> bit) & 1)
                for outside, weight in before[number].items():
                    before[child][outside | inside] = weight * chance
        if children:
            before[number] = {}
    words = {span.start: number for number, span in enumerate(tree.spans) if not tree.children[number]}
    return [before[words[word]] for word in range(len(words))]
