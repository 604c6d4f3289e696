"""Checks of methods: explanations of a model beside those of a shuffled, a retrained or a slightly moved model.

These are not measures of an explanation, because a reversed explanation passes as well as the right one, but checks of
a method, made once per model (Adebayo et al., Sanity Checks for Saliency Maps, 2018; Yeh et al. 2019).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import replace

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from exegesis.core.errors import UnsupportedError, UsageError
from exegesis.core.text import Text
from exegesis.engine.methods import Method, make, require
from exegesis.engine.run import run
from exegesis.nn.alone import alone
from exegesis.nn.offloaded import refuse_offloaded
from exegesis.protocols.model import Classifier, Raw
from exegesis.protocols.target import Ask, Wish, ask
from exegesis.questions.trust.explanations import Explanations
from exegesis.questions.trust.measuring.agreement import agreement
from exegesis.questions.trust.measuring.scores import spearman
from exegesis.questions.trust.pool import random_scores
from exegesis.questions.trust.run import names_of
from exegesis.results.advice import of_few
from exegesis.results.attribution import Attribution
from exegesis.results.evaluation import Evaluation, Measurand, Measured
from exegesis.statistics.bootstrap import MIN_TEXTS

PAPER = "Adebayo et al., Sanity Checks for Saliency Maps, 2018"
PARAMETERS = Measured(
    "parameter-randomisation", "do explanations stay alike when the weights are shuffled?", PAPER, False
)
LABELS = Measured("label-randomisation", "are explanations like those of a model of random labels?", PAPER, False)
MOVED = Measured(
    "sensitivity-max", "how far do scores move when word vectors move a little?",
    "Yeh et al., On the (In)fidelity and Sensitivity of Explanations (Def. 2.2), 2019", False,
)  # fmt: skip
BLIND, CHANCE = "blind", "chance"
MEANING = {BLIND: "scores that never look at the model", CHANCE: "two independent random scores"}


def randomisation(
    model: Classifier,
    texts: Sequence[Text],
    methods: Sequence[str | Method],
    other: Classifier | None = None,
    *,
    target: Wish = None,
    seed: int = 0,
    samples: int = 2000,
) -> Evaluation:
    """The absolute rank correlation of a method's scores on two models, 0 to 1; low is good.

    The second model is the first with the numbers of each of its weights shuffled among themselves (one draw of
    ``seed``; the model is restored afterwards), or ``other``: the same model trained on shuffled labels, which gives
    the label-randomisation check. Both explain the label that the first explains. A text has no number (NaN) if a
    method gives all of its words equal scores. Beside the methods: ``blind`` scores, which never look at the model, so
    that nothing changes them (1), and ``chance``, the correlation of two independent random scores on these texts.

    Raises UnsupportedError for a black box without ``other``, UsageError if ``other`` has other labels or words.
    """
    built = [make(method) for method in methods]
    for method in built:
        require(model, method)
    if not texts or not built:
        raise UsageError("randomisation needs at least one text and one method")
    again = texts if other is None else _read_by(other, model, texts)
    first = [_explained(model, texts, method, ask(target, model.labels, model.link)) for method in built]
    with nullcontext() if other is not None else shuffled(model, seed):
        second = [
            _about(other or model, again, method, [result.targets[0] for result in mine])
            for method, mine in zip(built, first, strict=True)
        ]
    rows = [[_likeness(a, b) for a, b in zip(*pair, strict=True)] for pair in zip(first, second, strict=True)]
    chance = [abs(spearman(random_scores(text, 1.0, seed), random_scores(text, 1.0, seed + 1))) for text in texts]
    controls = {BLIND: np.ones(len(texts)), CHANCE: np.array(chance)}
    measured = PARAMETERS if other is None else LABELS
    result = _checked(model, texts, first, measured, np.array(rows), controls, seed, samples)
    names = [method.name for method in result.methods if not method.control]
    alike = [name for name in names if result.compare(name, CHANCE)[0].better == CHANCE]
    if result.distinct < MIN_TEXTS:
        count = f"{result.distinct} text{'s are' if result.distinct > 1 else ' is'}"
        return replace(result, remark=f"{count} too few to say whether a method looks at what was learned: take more.")
    if other is None:
        start, stay = "With shuffled weights ", "stay more alike than by chance"
    else:
        start, stay = "", "come nearer to the other model's than by chance"
    who = f"scores of {', '.join(alike)}" if alike else "no method's scores are seen to"
    sentence = f"{start}{who} {stay}{': not all is learned' * bool(alike)}.{of_few(result)}"
    return replace(result, remark=sentence[0].upper() + sentence[1:])


def _checked(
    model: Classifier,
    texts: Sequence[Text],
    first: Sequence[Sequence[Attribution]],
    measured: Measured,
    values: Float[np.ndarray, "methods texts"],
    controls: Mapping[str, Float[np.ndarray, " texts"]],
    seed: int,
    samples: int,
) -> Evaluation:
    """The result of a check as an evaluation with one measure."""
    explained = [Explanations(mine[0].name, mine, mine[0].method) for mine in first]
    agreed = agreement(first)
    rows = zip(names_of(explained), explained, strict=True)
    return Evaluation(
        model=model.name,
        texts=tuple(text.raw for text in texts),
        labels=tuple(result.targets[0].partition(":")[2] for result in first[0]),
        measures=(measured,),
        methods=(
            *(Measurand(name, explanations.parameters, False, explanations.seconds) for name, explanations in rows),
            *(Measurand(name, MEANING[name], True, math.nan) for name in controls),
        ),
        values=np.concatenate([values, np.stack(list(controls.values()))])[None],
        agreement=agreed.ranks,
        overlap=agreed.tops,
        disputes=agreed.disputes,
        seed=seed,
        samples=samples,
    )


def sensitivity(
    model: Classifier,
    texts: Sequence[Text],
    methods: Sequence[str | Method],
    *,
    radius: float = 0.02,
    draws: int = 10,
    target: Wish = None,
    seed: int = 0,
    samples: int = 2000,
) -> Evaluation:
    """The largest change of scores if word vectors move: the sensitivity-max of Yeh et al. 2019 (Def. 2.2).

    It is the largest of ``draws`` values of ``|scores' - scores| / |scores|`` (Euclidean norms over the words), where
    every vector of the embedding is moved by a random step of ``radius`` times the mean norm of the vectors. The paper
    moves the input; here all uses of a word move alike, so that methods that remove words can be checked too. Low is
    steady. It is not a measure of an explanation: scores that never look at the model do not move at all (the control
    ``blind``, 0). Raises UnsupportedError if the model's embedding is not accessible.
    """
    built = [make(method) for method in methods]
    for method in built:
        require(model, method)
    if not texts or not built or draws < 1 or radius <= 0:
        raise UsageError("sensitivity needs a text, a method, draws of 1 or more and a radius above 0")
    first = [_explained(model, texts, method, ask(target, model.labels, model.link)) for method in built]
    moved = np.zeros((len(built), len(texts)))
    for draw in range(draws):
        with nudged(model, radius, seed + draw):
            for k, (method, mine) in enumerate(zip(built, first, strict=True)):
                again = _about(model, texts, method, [result.targets[0] for result in mine])
                moved[k] = np.maximum(moved[k], [_moved(a, b) for a, b in zip(mine, again, strict=True)])
    result = _checked(model, texts, first, MOVED, moved, {BLIND: np.zeros(len(texts))}, seed, samples)
    size = {m.name: result.mean(MOVED.name, m.name).value for m in result.methods if not m.control}
    most = max(size, key=lambda name: size[name])
    remark = f"Scores of {most} move most: by {size[most]:.3f} of their length where word vectors move by {radius:g}."
    return replace(result, remark=remark)


@contextmanager
def nudged(model: Classifier, radius: float, seed: int = 0) -> Iterator[None]:
    """Move a model's word vectors a little; they are restored to the last bit, also after an error.

    Raises UnsupportedError if the model's embedding is not accessible.
    """
    module = getattr(model, "module", None)
    tables = [part for part in module.modules() if isinstance(part, nn.Embedding)] if module is not None else []
    if not tables:
        raise UnsupportedError(f"the word vectors of {model.name} are out of sight, so that they cannot be moved")
    draws = torch.Generator().manual_seed(seed)

    def moved(before: Tensor) -> Tensor:
        step = torch.randn(before.shape, generator=draws, dtype=torch.float64)
        step *= radius * float(before.norm(dim=-1).mean()) / step.norm(dim=-1, keepdim=True)
        return before + step.to(before)

    with _changed(module, [table.weight for table in tables], moved):
        yield


@contextmanager
def shuffled(model: Classifier, seed: int = 0) -> Iterator[None]:
    """Shuffle a model's weights, each among its own numbers; they are restored to the last bit, also after an error.

    Raises UnsupportedError if the model's weights are not accessible.
    """
    module = getattr(model, "module", None)
    if not isinstance(module, nn.Module):
        raise UnsupportedError(f"the weights of {model.name} are out of sight: give another model to compare with")
    draws = torch.Generator().manual_seed(seed)

    def dealt(before: Tensor) -> Tensor:
        order = torch.randperm(before.numel(), generator=draws).to(before.device)
        return before.flatten()[order].view_as(before)

    with _changed(module, list(module.parameters()), dealt):
        yield


@contextmanager
def _changed(module: nn.Module | None, weights: Sequence[Tensor], change: Callable[[Tensor], Tensor]) -> Iterator[None]:
    """Give weights of a module other values, while no other thread may run it; the old values come back in the end."""
    with alone(module):
        if module is not None:
            refuse_offloaded(module, type(module).__name__)
        saved = [(weight, weight.detach().clone()) for weight in weights]
        try:
            with torch.inference_mode():  # where weights that were made in this mode may be written, too
                for weight, before in saved:
                    weight.copy_(change(before))
            yield
        finally:
            with torch.inference_mode():
                for weight, before in saved:
                    weight.copy_(before)


def _read_by(other: Classifier, model: Classifier, texts: Sequence[Text]) -> list[Text]:
    """The texts as the other model reads them, in its own pieces and ids but the same words.

    Raises UsageError if its labels or words differ.
    """
    if other.labels != model.labels:
        raise UsageError(f"the models have different labels: {', '.join(model.labels)} and {', '.join(other.labels)}")
    read_again = [other.read(_raw(text)) for text in texts]
    for text, again in zip(texts, read_again, strict=True):
        if again.word_strings() != text.word_strings():
            raise UsageError(f"the other model reads {text.raw[:40]!r} in other words")
    return read_again


def _raw(text: Text) -> Raw:
    """The string that was read, or the two strings of a pair, which ``raw`` joins by a newline."""
    if len(text.segments) < 2:
        return text.raw
    cut = text.raw.index("\n", text.characters(text.segments[0])[1])
    return text.raw[:cut], text.raw[cut + 1 :]


def _explained(model: Classifier, texts: Sequence[Text], method: Method, choice: Ask) -> list[Attribution]:
    results = dict(run(model, texts, method, choice))
    return [results[row] for row in range(len(texts))]


def _about(model: Classifier, texts: Sequence[Text], method: Method, targets: Sequence[str]) -> list[Attribution]:
    """The explanation of each text for the target named for it."""
    results: dict[int, Attribution] = {}
    for target in dict.fromkeys(targets):
        rows = [row for row, name in enumerate(targets) if name == target]
        explained = _explained(model, [texts[row] for row in rows], method, ask(target, model.labels, model.link))
        results |= dict(zip(rows, explained, strict=True))
    return [results[row] for row in range(len(texts))]


def _moved(first: Attribution, second: Attribution) -> float:
    if first.scores.ndim != 1:
        raise UsageError("sensitivity explains one number of a text; name one target")
    length = float(np.linalg.norm(first.scores))
    return float(np.linalg.norm(second.scores - first.scores)) / length if length else math.nan


def _likeness(first: Attribution, second: Attribution) -> float:
    if first.scores.ndim != 1:
        raise UsageError("randomisation explains one number of a text; name one target")
    return abs(spearman(np.asarray(first.scores), np.asarray(second.scores)))
