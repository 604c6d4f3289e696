"""Training of explainers by the Trainer of transformers: what people wrote, then what the model wrote itself."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from exegesis.core.disk.folders import replacing
from exegesis.core.errors import FileError, MissingExtraError, UsageError
from exegesis.data.written import Written
from exegesis.models.explainers.explainer import SETTINGS, Explainer, read_writer
from exegesis.models.explainers.orders import SPECIFIC, Pair, checked_order, decided, lessons
from exegesis.models.explainers.writer import Writer
from exegesis.models.huggingface.finetuning import FineTuning, latest
from exegesis.models.huggingface.quiet import quiet


@dataclass(frozen=True)
class Trained:
    """What came of a training: the sizes of the splits, the loss of the kept epoch on the development texts."""

    base: str
    order: str
    sizes: Mapping[str, int]
    loss: float


def train_explainer(
    base: str,
    parts: Mapping[str, Sequence[Written]],
    out: Path,
    order: str,
    options: FineTuning,
    *,
    state: Path,
    resume: bool = False,
    card: Callable[[Trained], str],
    told: Callable[[int], object] = lambda epoch: None,
) -> Trained:
    """Fine-tune a language model to tell labels and write why, and save it as a folder that ``load_explainer`` reads.

    ``parts`` has ``train`` and ``dev``. One model learns all that its order asks of it, as sources of different kinds.
    Of label-specific explanations it first learns to write them, each for its own label; then it writes one for
    every label of every text, and learns to tell the label from all of them together with the text. The state is
    saved after every epoch in ``state``, from which ``resume`` goes on; the epoch of the lowest development loss is
    kept. Deviations: the papers take a model for each step (NILE one for each label), here one model takes all.

    Raises MissingExtraError without accelerate, FileError for a base that cannot be read or a folder that cannot be
    written, UsageError for an unknown order.
    """
    checked_order(order)
    if find_spec("accelerate") is None:
        raise MissingExtraError("accelerate", "transformers", "training an explainer")
    import transformers

    with quiet(transformers):
        transformers.set_seed(options.seed)
        return _trained(transformers, base, parts, out, order, options, state, resume, card, told)


def _trained(
    transformers: Any, base: str, parts: Mapping[str, Sequence[Written]], out: Path, order: str, options: FineTuning,
    state: Path, resume: bool, card: Callable[[Trained], str], told: Callable[[int], object],
) -> Trained:  # fmt: skip
    writer = read_writer(base, options.device)
    pairs = {split: [pair for one in rows for pair in lessons(order, one)] for split, rows in parts.items()}
    loss = _fit(transformers, writer, pairs, options, state / "writing", resume, told)
    if order == SPECIFIC:
        explainer = Explainer(writer, order, base)
        for split, rows in parts.items():
            said = explainer.explain(rows)
            pairs[split] += [(decided(order, one, own), one.label) for one, own in zip(rows, said, strict=True)]
        loss = _fit(transformers, writer, pairs, options, state / "deciding", resume, told)
    result = Trained(Path(base).name, order, {split: len(rows) for split, rows in parts.items()}, loss)
    try:
        with replacing(out) as fresh:
            writer.module.cpu().save_pretrained(fresh)
            writer.tokenizer.save_pretrained(fresh)
            every = {one.choices for one in parts["train"]}
            settings = {"order": order, "choices": list(every.pop()) if len(every) == 1 else []}
            (fresh / SETTINGS).write_text(json.dumps(settings) + "\n", "utf-8")
            (fresh / "README.md").write_text(card(result), "utf-8")
            fresh.chmod(0o755)
    except OSError as error:
        raise FileError(f"{out}: cannot be written ({error.strerror or error}); choose another place") from None
    shutil.rmtree(state, ignore_errors=True)
    return result


def _fit(
    transformers: Any, writer: Writer, pairs: Mapping[str, Sequence[Pair]], options: FineTuning, state: Path,
    resume: bool, told: Callable[[int], object],
) -> float:  # fmt: skip
    """Train the module on sources and targets; the loss of the kept epoch on the development ones."""
    if not pairs.get("dev"):
        raise UsageError("an explainer needs development texts; give them (--dev)")

    class Told(transformers.TrainerCallback):  # type: ignore[misc]
        def on_epoch_end(self, args: Any, trained: Any, control: Any, **more: Any) -> None:
            told(round(trained.epoch))

    arguments = transformers.TrainingArguments(
        output_dir=str(state), num_train_epochs=options.epochs, per_device_train_batch_size=options.batch,
        per_device_eval_batch_size=options.batch, learning_rate=options.lr, weight_decay=options.weight_decay,
        max_grad_norm=options.clip, seed=options.seed, use_cpu=options.device == "cpu", eval_strategy="epoch",
        save_strategy="epoch", logging_strategy="epoch", save_total_limit=2, load_best_model_at_end=True,
        metric_for_best_model="eval_loss", greater_is_better=False, report_to=[], disable_tqdm=True,
        remove_unused_columns=False,
    )  # fmt: skip
    data = {split: [writer.encoded(*pair) for pair in own] for split, own in pairs.items()}
    trainer = transformers.Trainer(
        model=writer.module, args=arguments, train_dataset=data["train"], eval_dataset=data["dev"],
        data_collator=writer.padded,
        callbacks=[Told(), transformers.EarlyStoppingCallback(options.patience)],
    )  # fmt: skip
    trainer.remove_callback(transformers.PrinterCallback)
    trainer.train(resume_from_checkpoint=latest(state) if resume else None)
    losses = [entry["eval_loss"] for entry in trainer.state.log_history if "eval_loss" in entry]
    return float(min(losses))
