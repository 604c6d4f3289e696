"""Training of text classifiers: seeded, resumable, stopped early on the development texts.

With one seed, one machine and the CPU, a run gives the same weights bit for bit, also when it was interrupted
and resumed in between; the caller's random state is left as it was.
"""

from __future__ import annotations

import copy
import threading
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import ExitStack, nullcontext
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from exegesis.core.errors import ModelError, UsageError
from exegesis.data.examples import Example
from exegesis.models.text.guesses import is_special
from exegesis.models.text.vocabulary import PAIR_NUMBER, Vocabulary
from exegesis.models.trained.adversarial import Opponent
from exegesis.models.trained.architectures.config import NetworkConfig, RecurrentConfig
from exegesis.models.trained.architectures.kinds import network
from exegesis.models.trained.architectures.network import TextClassifier
from exegesis.models.trained.checkpoint import read_checkpoint, write_checkpoint, write_weights
from exegesis.models.trained.corpus import NEUTRAL, Batch, Corpus, find_labels, pair, single, split_off
from exegesis.models.trained.folder import TrainedClassifier
from exegesis.models.trained.options import TrainOptions
from exegesis.models.trained.scores import Epoch, Score, score
from exegesis.models.trained.taught import Lesson, Shares, full_targets
from exegesis.models.trained.vectors import read_vectors
from exegesis.nn.context import entry
from exegesis.nn.halves import halved
from exegesis.protocols.model import usable_device

_seeded = threading.RLock()  # held by a training, which draws from the one random state of torch


class Watcher(Protocol):
    """Hears how far a run is."""

    def step(self, epoch: int, done: int, total: int, loss: float) -> None: ...
    def epoch(self, epoch: Epoch, *, best: bool) -> None: ...


Each = Callable[
    [int, TrainedClassifier], object
]  # hears of every epoch that is over, with the classifier as it is then


@dataclass(frozen=True, eq=False)
class TrainResult:
    """The classifier of the best epoch (counted from 1), its scores, and the sizes of its data sets."""

    model: TrainedClassifier
    history: tuple[Epoch, ...]
    best_epoch: int
    dev: Score
    test: Score | None
    sizes: Mapping[str, int]
    vectors_found: int


@entry
def train(
    examples: Sequence[Example],
    dev: Sequence[Example] | None = None,
    test: Sequence[Example] | None = None,
    *,
    extra: Sequence[Example] = (),
    config: NetworkConfig | None = None,
    options: TrainOptions | None = None,
    checkpoint: Path | None = None,
    resume: bool = False,
    keep: Path | None = None,
    absent: Collection[int] = (),
    marks: Sequence[Any] | None = None,
    prepared: Callable[[TextClassifier], object] | None = None,
    last: bool = False,
    vocabulary: Vocabulary | None = None,
    watcher: Watcher | None = None,
    each: Each | None = None,
) -> TrainResult:
    """Train a classifier on ``examples`` and ``extra`` ones, keep the epoch best on ``dev``, score ``test``.

    ``vocabulary`` and ``labels`` of the config are filled in from the examples, ``embedding`` from a vector
    file. Without ``dev``, a seeded share of ``examples`` is set aside. With ``checkpoint`` the state is kept in
    that file after every epoch; ``resume`` goes on from it (or starts, if there is none yet) and needs the
    same examples, config and options, though ``epochs`` and ``patience`` may have changed. ``keep`` is a folder that
    gets the weights after every epoch, with their learning rate (epoch-001.safetensors, ...). ``absent`` are numbers of
    texts (of ``examples``, then ``extra``) whose loss counts nothing: they are left out, and the order of all others
    stays. ``marks`` has for each text (of ``examples``, then ``extra``) what people marked in it (see ``data.marks``),
    or None; a network that selects words learns from them, with ``dev`` given. ``prepared`` is called with
    the fresh network before its first step. ``last`` takes the weights of the last
    epoch instead of the best. ``vocabulary`` is used instead of one made of the texts. ``each`` is called with the
    number of every epoch that is over, 0 before the first, and the classifier as it is then; it draws nothing from the
    run's random state. Trainings in several threads come one after the other: dropout draws from torch's one random
    state, which is put back at the end.
    Raises UsageError for unusable examples or options, ModelError if the loss is no longer finite.
    """
    options, config = options or TrainOptions(), config or RecurrentConfig()
    usable_device(options.device)
    if marks is not None and (len(marks) != len(examples) + len(extra) or dev is None):
        raise UsageError("marks need one entry for each training text, and development texts of their own (--dev)")
    if dev is None:
        examples, dev = split_off(examples, options.development, options.seed)
    everything = [*examples, *extra]
    labels = find_labels(everything, options.neutral)
    texts = [part for one in everything for part in pair(one)] if config.pairs else map(single, everything)
    vocabulary = vocabulary or Vocabulary.from_texts(
        texts, lowercase=options.lowercase, minimum=options.minimum_count, pairs=config.pairs
    )
    width, vectors = read_vectors(options.vectors, vocabulary.numbers) if options.vectors else (0, {})
    config = replace(config, vocabulary=len(vocabulary), labels=labels, embedding=width or config.embedding)
    parts = {"train": everything, "dev": dev, "test": test or ()}
    corpora = {
        name: Corpus.of(part, vocabulary, labels, options.neutral, marks if name == "train" else None)
        for name, part in parts.items()
    }
    if not any(number != NEUTRAL for number in corpora["dev"].classes):
        raise UsageError("the development split holds no text with a class; give one (--dev)")
    where = torch.device(options.device)
    beside = {"devices": [where], "device_type": where.type} if where.type != "cpu" else {"devices": []}
    with _seeded, torch.random.fork_rng(**beside):
        torch.manual_seed(options.seed)
        module = network(config).float()
        with torch.no_grad():
            for word, vector in vectors.items():
                module.start(vocabulary.numbers[word], torch.from_numpy(vector))
        module.meet(vocabulary.tokens, vocabulary.special)
        module.begin(corpora["train"].texts, corpora["train"].classes)
        if prepared is not None:
            prepared(module)
        run = _Run(module, corpora["train"], corpora["dev"], options, vocabulary)
        run.keep, run.absent = keep, frozenset(absent)

        def told(number: int) -> None:
            if each is not None:
                with torch.random.fork_rng(**beside):
                    each(number, TrainedClassifier(run.average, vocabulary))

        run.go(checkpoint, resume, watcher, told)
    module.load_state_dict(run.average.state_dict() if last else run.best)
    module.cpu().eval().requires_grad_(True)
    return TrainResult(
        model=TrainedClassifier(module, vocabulary),
        history=tuple(run.history),
        best_epoch=run.best_epoch,
        dev=score(module, corpora["dev"]),
        test=score(module, corpora["test"]) if test else None,
        sizes={name: len(corpus) for name, corpus in corpora.items()},
        vectors_found=len(vectors),
    )


class _Run:
    """The state of a run between two epochs, and the loop over them."""

    def __init__(
        self, module: TextClassifier, train: Corpus, dev: Corpus, options: TrainOptions, vocabulary: Vocabulary
    ) -> None:
        self.module = module.to(options.device)
        self.average = copy.deepcopy(module) if options.average else module
        module.embedding.weight.requires_grad_(not (options.freeze or module.still))
        self.train, self.dev, self.options, self.unknown = train, dev, options, vocabulary.unknown or 0
        self.opponent = (
            None
            if not options.adversarial
            else Opponent(self.module, options.adversarial, options.adversary, _plain(vocabulary).to(options.device))
        )
        trained = [p for p in module.parameters() if p.requires_grad]
        self.optimizer = torch.optim.Adam(trained, lr=options.lr, weight_decay=options.weight_decay, fused=True)
        self.generator = torch.Generator().manual_seed(options.seed)
        self.history: list[Epoch] = []
        self.best: dict[str, Tensor] = {}
        self.best_epoch = 0
        self.keep: Path | None = None
        self.absent: frozenset[int] = frozenset()

    def go(self, checkpoint: Path | None, resume: bool, watcher: Watcher | None, told: Callable[[int], None]) -> None:
        if checkpoint is not None and resume and checkpoint.exists():
            read_checkpoint(checkpoint, self, self.identity())
        told(len(self.history))
        while len(self.history) < self.options.epochs and self.waited < self.options.patience:
            epoch = self._epoch(watcher)
            best = not self.best_epoch or epoch.rank > self.history[self.best_epoch - 1].rank
            self.history.append(epoch)
            if best:
                self.best_epoch = epoch.number
                self.best = {name: tensor.clone() for name, tensor in self.average.state_dict().items()}
            if checkpoint is not None:
                write_checkpoint(checkpoint, self, self.identity())
            if self.keep is not None:
                write_weights(self.keep, epoch.number, self.module.state_dict(), self.options.lr)
            if watcher is not None:
                watcher.epoch(epoch, best=best)
            told(epoch.number)

    @property
    def waited(self) -> int:
        """Epochs since the best one, of those that fit (see ``Epoch.fits``): others are on their way."""
        return sum(epoch.fits for epoch in self.history[self.best_epoch :])

    def identity(self) -> dict[str, Any]:
        """The values that must be equal for a checkpoint to fit."""
        options = {k: str(v) for k, v in asdict(self.options).items() if k not in ("epochs", "patience")}
        shape = {f"config.{k}": str(v) for k, v in self.module.config.entries().items()}
        data = {"training texts": self.train.fingerprint(), "development texts": self.dev.fingerprint()}
        return {**options, **shape, **data}

    def _epoch(self, watcher: Watcher | None) -> Epoch:
        start, number, total = time.perf_counter(), len(self.history) + 1, 0.0
        batches = self.train.shuffled(self.options.batch, self.generator)
        self.module.train()
        if self.opponent is not None:
            self.opponent.begin()
        for done, rows in enumerate(batches, 1):
            present = [row not in self.absent for row in rows] if self.absent else None
            batch = self.train.batch(rows).to(torch.device(self.options.device))
            texts = [self.train.contents[row] for row in rows] if self.module.config.halves else None
            with nullcontext() if texts is None else halved(texts):
                loss = self._step(batch, present)
            total += loss * len(rows)
            if watcher is not None:
                watcher.step(number, done, len(batches), loss)
        result = score(self.average, self.dev)
        shares = self._watched()
        seconds = time.perf_counter() - start
        fits = self.average.fits(shares)
        return Epoch(number, total / len(self.train), result.accuracy, result.loss, seconds, shares, fits)

    def _watched(self) -> Shares | None:
        """What the network keeps of the development texts, if it selects words."""
        where, training = self.module.output.weight.device, self.average.training
        self.average.eval()
        shares = self.average.watch((part.ids.to(where), part.lengths) for part in self.dev.in_order(256))
        self.average.train(training)
        return shares

    def _step(self, batch: Batch, present: list[bool] | None = None) -> float:
        ids = batch.ids
        if self.options.word_dropout:
            draws = torch.rand(ids.shape, generator=self.generator, dtype=torch.float32).to(ids.device)
            dropped = draws < self.options.word_dropout
            dropped = dropped & (ids != PAIR_NUMBER) if self.module.config.pairs else dropped
            ids = ids.masked_fill(dropped, self.unknown)
        opponent, run = self.opponent, partial(self._loss, ids, batch, present)
        with ExitStack() as watched:
            seen = [] if opponent is None else watched.enter_context(opponent.watching())
            loss = run()
        penalty = self.module.penalty()
        whole = loss if penalty is None else loss + self.options.attention_penalty * penalty
        if opponent is not None:
            whole = whole + opponent.loss(loss, seen[0], ids, batch.lengths, run)
        if not torch.isfinite(whole):
            raise ModelError("the training loss is no longer finite; lower the learning rate (--lr)")
        self.optimizer.zero_grad()
        whole.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(self.module.parameters(), self.options.clip)
        self.optimizer.step()
        self.module.constrain()
        if self.average is not self.module:
            self._blend()
        return loss.item()

    def _loss(self, ids: Int[Tensor, "b t"], batch: Batch, present: list[bool] | None) -> Float[Tensor, ""]:
        """The mean loss of a batch whose words are those of ``ids``."""
        targets = full_targets(batch.classes, len(self.module.config.labels), NEUTRAL)
        counted = None if present is None else torch.tensor(present, dtype=torch.float32, device=ids.device)
        smoothing = self.options.label_smoothing
        return self.module.loss(Lesson(ids, batch.lengths, targets, smoothing, counted, batch.marks))

    @torch.no_grad()
    def _blend(self) -> None:
        """Move the average towards the weights; slowly later, faster over the first steps."""
        steps = float(self.optimizer.state[self.module.output.weight]["step"])
        share = 1 - min(self.options.average, (steps + 1) / (steps + 10))
        pairs = zip(self.average.parameters(), self.module.parameters(), strict=True)
        for mean, weight in pairs:
            mean.lerp_(weight, share)


def _plain(vocabulary: Vocabulary) -> Bool[Tensor, " v"]:
    """True for the numbers that words have: not those of padding, of the unknown word, and other special tokens."""
    special = {vocabulary.pad, vocabulary.unknown}
    named = enumerate(vocabulary.tokens)
    return torch.tensor([bool(token) and n not in special and not is_special(token) for n, token in named])
