"""Small classifiers through concepts, and texts with planted concepts of which the labels are made."""

from __future__ import annotations

import random
from typing import Any

import torch

from exegesis.data.examples import Example
from exegesis.models.concept_models.network import ConceptNetwork
from exegesis.models.concept_models.shape import ConceptConfig
from exegesis.models.trained.architectures.kinds import network as built

PLANTED = (("warm bread", "fresh soup", "good cake"), ("slow waiter", "rude staff", "long wait"))
FILLING = tuple(f"w{n}" for n in range(30))
LABELS = ("none", "food", "service", "both")


def network(form: str, seed: int = 0, **more: Any) -> ConceptNetwork:
    """A network with drawn weights, some of whose concepts are present, in float64."""
    torch.manual_seed(seed)
    sizes = {"embedding": 5, "hidden": 4, "concepts": 3, "vocabulary": 30, "longest": 3, "dropout": 0.3}
    module = built(ConceptConfig(form=form, **{**sizes, **more}))
    assert isinstance(module, ConceptNetwork)
    with torch.no_grad():
        for weight in module.parameters():
            weight.mul_(2.0)
        module.embedding.weight.normal_()
        if form == "educe":
            module.presence.bias.zero_()
        else:
            module.attention.weight.mul_(4.0)
        module.generator.weight.mul_(2.0)
    return module.double().eval()


def examples(count: int, seed: int = 0) -> tuple[list[Example], list[tuple[bool, bool]]]:
    """Texts of fillers with phrases of two planted concepts, labelled by which are there; and which are there."""
    draw, found, there = random.Random(seed), list[Example](), list[tuple[bool, bool]]()
    for _ in range(count):
        words = draw.choices(FILLING, k=draw.randint(5, 9))
        flags = (draw.random() < 0.4, draw.random() < 0.4)
        for flag, phrases in zip(flags, PLANTED, strict=True):
            if flag:
                words.insert(draw.randint(0, len(words)), draw.choice(phrases))
        found.append(Example.of(" ".join(words), LABELS[flags[0] + 2 * flags[1]]))
        there.append(flags)
    return found, there
