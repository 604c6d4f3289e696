"""Adversaries in the space of word vectors once more, plainly (Miyato et al. 2017; Sato et al. 2018)."""

from __future__ import annotations

import torch


def nearest(table, row, count, usable):
    """The rows with the largest cosine, one by one."""
    found = [
        (-float(table[row] @ other / (table[row].norm() * other.norm())), number)
        for number, other in enumerate(table)
        if usable[number] and number != row and float(other.norm()) > 0
    ]
    return [number for _, number in sorted(found)[:count]]


def first_step(vectors, slopes, neighbours, budget):
    """α and r of one text: ``neighbours[t]`` are the vectors of the words that word t may move to."""
    towards = [
        [(other - vector) / (other - vector).norm() for other in others]
        for vector, others in zip(vectors, neighbours, strict=True)
    ]
    products = [[direction @ slope for direction in own] for own, slope in zip(towards, slopes, strict=True)]
    length = torch.sqrt(sum(value**2 for row in products for value in row))
    alpha = [[budget * value / length for value in row] for row in products]
    moves = [
        sum((a * direction for a, direction in zip(weights, own, strict=True)), torch.zeros_like(vectors[0]))
        for weights, own in zip(alpha, towards, strict=True)
    ]
    return alpha, moves


def any_side(slopes, budget):
    """r = ε g / ‖g‖ over a whole text."""
    return [budget * slope / torch.sqrt(sum((s**2).sum() for s in slopes)) for slope in slopes]
