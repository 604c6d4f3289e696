"""Fine-tuning of a Hugging Face encoder on labelled texts or tagged sentences, by the Trainer of transformers."""

from __future__ import annotations

import functools
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from scipy.special import log_softmax

from exegesis.core.disk.folders import replacing
from exegesis.core.errors import FileError, MissingExtraError, TextError, UsageError
from exegesis.core.escapes import code, markdown
from exegesis.data.examples import Example
from exegesis.data.tagged import Tagged
from exegesis.models.huggingface.files import check_files
from exegesis.models.huggingface.load import fetching
from exegesis.models.trained.scores import Score
from exegesis.nn.halves import halved, in_place_of_dropout
from exegesis.protocols.model import usable_device

IGNORED = -100  # of pieces that no tag belongs to
Item = Example | Tagged


@dataclass(frozen=True)
class FineTuning:
    """Options of fine-tuning; their names and meanings are those of ``TrainOptions``.

    With ``turn_over`` each training text trains a half of the units of every dropout layer, its own (``nn.halves``);
    nothing else is dropped. The saved config says so.
    """

    epochs: int = 3
    batch: int = 32
    lr: float = 5e-5
    patience: int = 3
    clip: float = 1.0
    weight_decay: float = 0.0
    label_smoothing: float = 0.0
    seed: int = 0
    device: str = "cpu"
    development: float = 0.1
    turn_over: bool = False


@dataclass(frozen=True)
class FineTuned:
    """What came of it: the labels, the scores on the texts of each split, and the epochs that were run.

    Of tagged sentences ``scores`` count words. ``best`` is the number of the epoch that was kept, by the development
    accuracy.
    """

    base: str
    labels: tuple[str, ...]
    scores: Mapping[str, Score]
    sizes: Mapping[str, int]
    epochs: int
    best: int
    tagged: bool


def finetune(
    base: str,
    parts: Mapping[str, Sequence[Item]],
    labels: Sequence[str],
    out: Path,
    options: FineTuning,
    *,
    state: Path,
    resume: bool = False,
    card: Callable[[FineTuned], str],
    told: Callable[[int], object] = lambda epoch: None,
) -> FineTuned:
    """Fine-tune a pretrained encoder and save it, with its tokenizer and a model card, as a folder that ``load`` reads.

    ``parts`` are labelled texts (or pairs), or tagged sentences, by split; without ``dev`` a seeded tenth of the
    training ones is set aside. After every epoch the state is saved in the folder ``state``, from which ``resume`` goes
    on; it is removed at the end. The epoch of the best development accuracy is kept; ``patience`` epochs without a
    better one end the run. ``told`` is called after each epoch. Batches are made of texts of like length, by the
    Trainer's own sampler, which draws them anew in each epoch.

    Raises MissingExtraError without transformers and accelerate, FileError for a base that cannot be read or a folder
    that cannot be written, UsageError for a label that the training data does not have.
    """
    tagged = isinstance(parts["train"][0], Tagged)
    device = usable_device(options.device)
    if find_spec("accelerate") is None:
        raise MissingExtraError("accelerate", "transformers", "fine-tuning a Hugging Face encoder")
    with fetching(base) as (transformers, files):
        check_files(files, transformers)
        transformers.set_seed(options.seed)
        tokenizer = transformers.AutoTokenizer.from_pretrained(files.name, trust_remote_code=False, **files.options)
        kind = "AutoModelForTokenClassification" if tagged else "AutoModelForSequenceClassification"
        module = getattr(transformers, kind).from_pretrained(
            files.name,
            num_labels=len(labels),
            id2label=dict(enumerate(labels)),
            label2id={label: number for number, label in enumerate(labels)},
            use_safetensors=True,
            trust_remote_code=False,
            ignore_mismatched_sizes=True,
            **files.options,
        )
        if tokenizer.pad_token_id is None:
            raise UsageError(f"the tokenizer of {base} has no pad token: take an encoder, which has one")
        data = {split: _encoded(tokenizer, rows, labels, module) for split, rows in _split(parts, options).items()}
        for rows in data.values():  # each text costs its own length, not that of the longest beside it
            rows.sort(key=lambda row: len(row["input_ids"]))
        trainer = _trainer(transformers, module, tokenizer, data, labels, options, state, device, told)
        with _turned_over(trainer.model) if options.turn_over else nullcontext():
            trainer.train(resume_from_checkpoint=latest(state) if resume else None)
        scores = {split: _score(trainer, rows, labels) for split, rows in data.items() if split != "train"}
        history = [entry for entry in trainer.state.log_history if "eval_accuracy" in entry]
        best = max(history, key=lambda entry: entry["eval_accuracy"], default={"epoch": options.epochs})
        result = FineTuned(
            base=Path(base).name,
            labels=tuple(labels),
            scores=scores,
            sizes={split: len(rows) for split, rows in data.items()},
            epochs=len(history),
            best=round(best["epoch"]),
            tagged=tagged,
        )
        try:
            with replacing(out) as fresh:
                trainer.model.cpu().save_pretrained(fresh)
                tokenizer.save_pretrained(fresh)
                (fresh / "README.md").write_text(card(result), "utf-8")
                fresh.chmod(0o755)
        except OSError as error:
            raise FileError(f"{out}: cannot be written ({error.strerror or error}); choose another place") from None
        shutil.rmtree(state, ignore_errors=True)
        return result


def card_text(name: str, result: FineTuned, *, command: str, origins: Mapping[str, str], seed: int, about: str) -> str:
    """A model card in Markdown."""
    what = "A tagger of words" if result.tagged else "A text classifier"
    unit = "words" if result.tagged else "texts"
    labels = ", ".join(map(markdown, result.labels))
    lines = [
        f"# {markdown(name)}",
        "",
        f"{what} with the labels {labels}, fine-tuned with Exegesis and the Trainer of transformers.",
        "",
        *([about.strip(), ""] if about.strip() else []),
        "## Training",
        "",
        f"- Base: {markdown(result.base)}",
        *(f"- {split}: {markdown(where)}, {result.sizes.get(split, 0):,} examples" for split, where in origins.items()),
        f"- Seed: {seed}. Best of {result.epochs} epochs on the development data: {result.best}.",
        f"- Command: {code(command)}",
        "",
        "## Accuracy",
        "",
        *(f"- {split}: {score.accuracy:.2%} of {score.total:,} {unit}" for split, score in result.scores.items()),
    ]
    if "test" in result.scores:
        lines += ["", *result.scores["test"].table()]
    return "\n".join(lines) + "\n"


def _split(parts: Mapping[str, Sequence[Item]], options: FineTuning) -> dict[str, list[Item]]:
    """The data by split, with development data."""
    split = {name: list(rows) for name, rows in parts.items()}
    if "dev" not in split:
        order = np.random.default_rng(options.seed).permutation(len(split["train"]))
        count = max(1, round(options.development * len(order)))
        if count >= len(order):
            raise UsageError(f"{len(order)} training example(s) are too few to set development ones aside: give --dev")
        split["dev"] = [split["train"][n] for n in order[:count]]
        split["train"] = [split["train"][n] for n in sorted(order[count:])]
    return split


def _encoded(tokenizer: Any, rows: Sequence[Item], labels: Sequence[str], module: Any) -> list[dict[str, Any]]:
    """Examples as ids with their labels; of a tagged word its first piece has the tag. Long ones are cut."""
    numbers = {label: number for number, label in enumerate(labels)}
    limit = min(tokenizer.model_max_length, getattr(module.config, "max_position_embeddings", None) or 512)
    encoded = []
    for row in rows:
        unknown = [tag for tag in (row.tags if isinstance(row, Tagged) else [row.label]) if tag not in numbers]
        if unknown:
            raise UsageError(f"the label {unknown[0]!r:.40} is not among those of the training data")
        if isinstance(row, Tagged):
            values = dict(tokenizer(list(row.words), is_split_into_words=True, truncation=True, max_length=limit))
            places = tokenizer(list(row.words), is_split_into_words=True, truncation=True, max_length=limit).word_ids()
            firsts = [n != before and n is not None for before, n in zip([None, *places], places, strict=False)]
            pairs = zip(firsts, places, strict=True)
            values["labels"] = [numbers[row.tags[n]] if first else IGNORED for first, n in pairs]
        else:
            texts = row.text if isinstance(row.text, tuple) else (row.text,)
            if not all(text.strip() for text in texts):
                raise TextError("a training text is empty or blank; leave it out")
            values = dict(tokenizer(*texts, truncation=True, max_length=limit))
            values["labels"] = numbers[str(row.label)]
        encoded.append(values)
    return encoded


def _by_length(transformers: Any) -> dict[str, Any]:
    """The argument of the Trainer that puts texts of like length into one batch, by the release of transformers."""
    newer = "train_sampling_strategy" in transformers.TrainingArguments.__dataclass_fields__
    return {"train_sampling_strategy": "group_by_length"} if newer else {"group_by_length": True}


def _trainer(
    transformers: Any,
    module: Any,
    tokenizer: Any,
    data: Mapping[str, list[dict[str, Any]]],
    labels: Sequence[str],
    options: FineTuning,
    state: Path,
    device: Any,
    told: Callable[[int], object],
) -> Any:
    class Told(transformers.TrainerCallback):  # type: ignore[misc]
        def on_epoch_end(self, args: Any, trained: Any, control: Any, **more: Any) -> None:
            told(round(trained.epoch))

    arguments = transformers.TrainingArguments(
        output_dir=str(state),
        num_train_epochs=options.epochs,
        per_device_train_batch_size=options.batch,
        per_device_eval_batch_size=4 * options.batch,
        learning_rate=options.lr,
        weight_decay=options.weight_decay,
        max_grad_norm=options.clip,
        label_smoothing_factor=options.label_smoothing,
        seed=options.seed,
        use_cpu=device.type == "cpu",
        eval_strategy="epoch",
        save_strategy="epoch",
        logging_strategy="epoch",
        save_total_limit=2,
        load_best_model_at_end=True,
        metric_for_best_model="accuracy",
        report_to=[],
        disable_tqdm=True,
        **_by_length(transformers),
    )
    tags = "labels" in data["train"][0] and isinstance(data["train"][0]["labels"], list)
    collator = transformers.DataCollatorForTokenClassification if tags else transformers.DataCollatorWithPadding
    trainer = transformers.Trainer(
        model=module,
        args=arguments,
        train_dataset=data["train"],
        eval_dataset=data["dev"],
        processing_class=tokenizer,
        data_collator=collator(tokenizer),
        compute_metrics=lambda told: {"accuracy": _told(told.predictions, told.label_ids, labels).accuracy},
        callbacks=[Told(), transformers.EarlyStoppingCallback(options.patience)],
    )
    trainer.remove_callback(transformers.PrinterCallback)
    return trainer


@contextmanager
def _turned_over(module: Any) -> Iterator[None]:
    """Train on each text with its own half of the units; the config says so for good."""
    module.config.turn_over = True

    def halved_forward(*args: Any, **options: Any) -> Any:
        if not module.training:
            return forward(*args, **options)
        ids, mask = options["input_ids"], options["attention_mask"].bool()
        with halved([tuple(row[real].tolist()) for row, real in zip(ids, mask, strict=True)]):
            return forward(*args, **options)

    forward = module.forward
    module.forward = functools.wraps(forward)(halved_forward)  # the Trainer reads its parameters
    try:
        with in_place_of_dropout(module):
            yield
    finally:
        del module.forward


def _score(trainer: Any, rows: list[dict[str, Any]], labels: Sequence[str]) -> Score:
    told = trainer.predict(rows)
    return _told(told.predictions, told.label_ids, labels)


def _told(logits: Any, gold: Any, labels: Sequence[str]) -> Score:
    """Logits ``[..., labels]`` against the numbers of the right labels."""
    logits = np.asarray(logits[0] if isinstance(logits, tuple) else logits)
    real = gold != IGNORED
    logits, gold = logits[real].astype(float), gold[real]
    table = np.zeros((len(labels), len(labels)), int)
    np.add.at(table, (gold, logits.argmax(-1)), 1)
    loss = -log_softmax(logits, -1)[np.arange(len(gold)), gold].mean() if len(gold) else float("nan")
    return Score(tuple(labels), tuple(map(tuple, table.tolist())), float(loss))


def latest(state: Path) -> str | None:
    """The last state that was saved; None if there is none."""
    found = sorted(state.glob("checkpoint-*"), key=lambda path: int(path.name.rsplit("-", 1)[-1]))
    return str(found[-1]) if found else None
