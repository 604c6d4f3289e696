"""Leaving training texts out for real: the judge of all other methods."""

from __future__ import annotations

import hashlib
import json
import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
from jaxtyping import Float

from exegesis.core.disk.files import write_whole
from exegesis.core.errors import FileError, UnsupportedError
from exegesis.core.parameters import above, at_least
from exegesis.core.progress import tell
from exegesis.engine.cost import LONG, spoken
from exegesis.mech.curvature.passes import Passes
from exegesis.mech.curvature.products import Losses
from exegesis.models.modules.wrap import wrap
from exegesis.models.trained.architectures.network import TextClassifier
from exegesis.models.trained.options import TrainOptions
from exegesis.models.trained.training import train
from exegesis.protocols.trained import Trained
from exegesis.questions.sources.method import Queries, Scored, Training, method

_log = logging.getLogger("exegesis.cost")


@method(
    "retrain",
    summary="change of the number by training anew without the text",
    unit="explained number of a model trained with the text, less that of one trained without it",
    paper="by definition; the judge in Koh and Liang, Sec. 4.1",
    year=2017,
)
@dataclass(frozen=True)
class Retrain:
    """f of a model trained on all texts less f of one trained without text z, for the ``most`` likeliest texts z.

    Models are of the kind, the shape and the vocabulary of the one explained, which ``exegesis train`` must have made,
    and are trained for ``epochs`` from each of ``seeds`` first weights, with the same order of texts: the text that is
    left out keeps its place and counts nothing, so that with one seed nothing else differs. A score is the mean over
    seeds; ``details`` has the ``standard_errors`` of the texts tried (from two seeds on), and ``noise``, the standard
    deviation of f over seeds. Texts are tried in the order of the size of their ``gradient-similarity``; the others
    have NaN. ``lr``, ``batch`` and ``weight_decay`` are those of the training; dropout is that of the model unless
    ``dropout`` says otherwise. The time is announced after the first training. ``store`` names a file that keeps each
    result: an interrupted run goes on from it.

    It asks what another training would have said, not what this model learned: what the model explained says is not in
    the score. Raises UnsupportedError for a model that Exegesis does not train.
    """

    most: Annotated[int, at_least(1)] = 20
    seeds: Annotated[int, at_least(1)] = 1
    epochs: Annotated[int, at_least(1)] = 10
    lr: Annotated[float, above(0)] = 1e-3
    batch: Annotated[int, at_least(1)] = 64
    weight_decay: Annotated[float, at_least(0)] = 0.0
    dropout: Annotated[float, at_least(0)] | None = None
    store: str = ""

    def __call__(self, model: Trained, training: Training, queries: Queries) -> Scored:
        trainer = _Trainer(self, model, training, queries)
        passes = Passes(model)
        vectors = queries.gradients(passes, range(len(queries.texts)))
        likely = Losses(passes, training.texts, training.gold).products(vectors).abs().amax(0)
        numbers = torch.argsort(likely, descending=True, stable=True)[: self.most].tolist()
        total, done, start = (len(numbers) + 1) * self.seeds, 0, time.perf_counter()
        found: dict[tuple[int, int], Float[np.ndarray, " q"]] = {}
        for seed in range(self.seeds):
            for number in (-1, *numbers):
                found[seed, number] = trainer.answer(seed, number)
                done += 1
                tell("trainings", done, total)
                if done == 1 and (time.perf_counter() - start) * total > LONG:
                    _log.warning(
                        "retrain takes %s here, for %d trainings", spoken((time.perf_counter() - start) * total), total
                    )
        values = torch.full((len(queries.texts), len(training)), torch.nan, dtype=torch.float64)
        whole = np.stack([found[seed, -1] for seed in range(self.seeds)])
        errors = dict[int, Float[np.ndarray, " q"]]()
        for number in numbers:
            each = whole - np.stack([found[seed, number] for seed in range(self.seeds)])
            values[:, number] = torch.from_numpy(each.mean(0))
            if self.seeds > 1:
                errors[number] = each.std(0, ddof=1) / self.seeds**0.5
        details: list[dict[str, Any]] = [{"trainings": total, "tried": numbers} for _ in queries.texts]
        for row, detail in enumerate(details if self.seeds > 1 else ()):
            detail["noise"] = float(whole[:, row].std(ddof=1))
            detail["standard_errors"] = [float(errors[number][row]) for number in numbers]
        return Scored(values, details, [(f"{total} trainings of {self.epochs} epochs.",) for _ in details])


@dataclass(eq=False)
class _Trainer:
    """Trains models without one text each, and says what they say; results are kept in a file if one is named."""

    method: Retrain
    model: Trained
    training: Training
    queries: Queries
    kept: dict[str, list[float]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        module = getattr(self.model, "module", None)
        vocabulary = getattr(getattr(self.model, "reader", None), "vocabulary", None)
        if not isinstance(module, TextClassifier) or vocabulary is None:
            raise UnsupportedError(
                f"retrain trains models of 'exegesis train' anew, which {self.model.name} is not: train with and "
                "without the text yourself"
            )
        self.module, self.vocabulary = module, vocabulary
        if self.method.store and Path(self.method.store).exists():
            self.kept = _lines(Path(self.method.store))

    def answer(self, seed: int, left_out: int) -> Float[np.ndarray, " q"]:
        """The numbers of a model that is trained without a text (-1: with all)."""
        key = self._key(seed, left_out)
        if key not in self.kept:
            self.kept[key] = self._trained(seed, left_out)
            if self.method.store:
                with Path(self.method.store).open("a", encoding="ascii") as file:
                    file.write(json.dumps([key, self.kept[key]]) + "\n")
        return np.array(self.kept[key])

    def _trained(self, seed: int, left_out: int) -> list[float]:
        wanted, config = self.method, self.module.config
        if wanted.dropout is not None:
            config = replace(config, dropout=wanted.dropout)
        options = TrainOptions(
            epochs=wanted.epochs, batch=wanted.batch, lr=wanted.lr, patience=wanted.epochs, seed=seed,
            weight_decay=wanted.weight_decay, lowercase=self.vocabulary.lowercase,
        )  # fmt: skip
        labelled = [
            replace(example, label=label)
            for example, label in zip(self.training.examples, self.training.labels, strict=True)
        ]
        absent = frozenset() if left_out < 0 else frozenset([left_out])
        result = train(
            labelled, labelled[:1], config=config, options=options, absent=absent, last=True, vocabulary=self.vocabulary
        )
        other = wrap(result.model.module, vocabulary=self.vocabulary, labels=self.model.labels, name=self.model.name)
        raw = other.outputs(other.encode(self.queries.texts))
        values: list[float] = self.queries.target.of(raw)[:, 0].double().tolist()
        return values

    def _key(self, seed: int, left_out: int) -> str:
        parts: Sequence[Any] = (
            repr(self.method).split(", store=")[0], seed, left_out, repr(self.module.config),
            [(text.raw, float(gold)) for text, gold in zip(self.training.texts, self.training.gold, strict=True)],
            [text.raw for text in self.queries.texts], self.queries.target.index.tolist(), self.queries.target.kind,
            type(self.queries.target).__name__,
        )  # fmt: skip
        return hashlib.blake2b(json.dumps(parts).encode(), digest_size=16).hexdigest()


def _lines(path: Path) -> dict[str, list[float]]:
    """The results in a file; a last line that a killed run has cut is taken away. Raises FileError for any other."""
    kept = {}
    whole, _, cut = path.read_text("ascii", "replace").rpartition("\n")
    for number, line in enumerate(whole.split("\n") if whole else [], 1):
        try:
            key, values = json.loads(line)
            kept[str(key)] = [float(value) for value in values]
        except (ValueError, TypeError) as error:
            raise FileError(f"{path}, line {number}: damaged; delete the file and start again") from error
    if cut:
        write_whole(path, f"{whole}\n" if whole else "")
    return kept
