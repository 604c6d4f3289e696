"""An explainer: a writer with its order, which tells labels and writes explanations, and its folder."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from exegesis.core.errors import FileError, UsageError
from exegesis.data.written import Written
from exegesis.models.explainers.orders import BECAUSE, PREDICT, SPECIFIC, asked, checked_order, decided
from exegesis.models.explainers.writer import Writer
from exegesis.models.huggingface.load import fetching, load_both
from exegesis.protocols.model import usable_device

SETTINGS = "explainer.json"
HEAD = ("head for language", "train it with exegesis train --arch explainer:FOLDER")


@dataclass(frozen=True, eq=False)
class Explainer:
    """A language model that tells a label and writes why, in an ``order`` (see ``orders``).

    ``choices`` are the labels of all texts that it was trained on; none if these had labels of their own.
    """

    writer: Writer
    order: str
    name: str
    most: int = 40  # pieces of an explanation
    choices: tuple[str, ...] = ()

    def explain(self, rows: Sequence[Written]) -> list[dict[str, str]]:
        """What it writes for each text before the label: one explanation under the empty name, of label-specific one
        under each label; nothing of predict-explain."""
        if self.order == PREDICT:
            return [{} for _ in rows]
        names = [
            (n, label) for n, one in enumerate(rows) for label in (one.choices if self.order == SPECIFIC else ("",))
        ]
        said = self.writer.write([asked(self.order, rows[n], label) for n, label in names], None, self.most)
        told: list[dict[str, str]] = [{} for _ in rows]
        for (n, label), text in zip(names, said, strict=True):
            told[n][label] = text
        return told

    def decide(self, rows: Sequence[Written], told: Sequence[Mapping[str, str]]) -> list[Float[Tensor, " labels"]]:
        """The probabilities of each text's choices, given explanations: the likelihood of each label as the target
        (of predict-explain as its beginning), among all choices."""
        pairs = []
        for one, said in zip(rows, told, strict=True):
            source = decided(self.order, one, said)
            pairs += [
                (source, f"{label}{BECAUSE.rstrip()}" if self.order == PREDICT else label) for label in one.choices
            ]
        found, _ = self.writer.likelihoods(pairs, ended=self.order != PREDICT)
        parts, start = [], 0
        for one in rows:
            parts.append(torch.softmax(found[start : start + len(one.choices)], 0))
            start += len(one.choices)
        return parts

    def afterwards(
        self, rows: Sequence[Written], labels: Sequence[str], told: Sequence[Mapping[str, str]]
    ) -> list[str]:
        """The explanation that goes with the label of each text: written after it, or the one that was read."""
        if self.order != PREDICT:
            return [
                said[label] if self.order == SPECIFIC else said[""] for said, label in zip(told, labels, strict=True)
            ]
        sources = [asked(self.order, one) for one in rows]
        return self.writer.write(sources, [f"{label}{BECAUSE}" for label in labels], self.most)


def is_explainer(folder: str | Path) -> bool:
    """True for a folder that ``exegesis train --arch explainer:FOLDER`` wrote."""
    return (Path(folder) / SETTINGS).is_file()


def load_explainer(folder: str | Path, device: str | None = None) -> Explainer:
    """Read the folder of an explainer. Raises FileError for a folder that is none or is damaged, and the errors of the
    loading of language models."""
    path = Path(folder)
    if not is_explainer(path):
        raise FileError(f"{path} is no explainer (it holds no {SETTINGS}); train one with --arch explainer:FOLDER")
    try:
        settings = json.loads((path / SETTINGS).read_bytes())
        order, choices = checked_order(settings["order"]), tuple(map(str, settings.get("choices", ())))
    except (OSError, ValueError, LookupError, TypeError, AttributeError, UsageError) as error:
        raise FileError(f"{path / SETTINGS} is damaged ({' '.join(str(error).split())}); train again") from None
    return Explainer(read_writer(str(path), device), order, path.name, choices=choices)


def read_writer(source: str, device: str | None = None) -> Writer:
    """A language model by its name or folder. Raises UnsupportedError for a tokenizer without an end, and the errors of
    ``load_both``."""
    with fetching(source) as (transformers, files):
        config: dict[str, Any] = files.json("config.json")
        kind = "AutoModelForSeq2SeqLM" if config.get("is_encoder_decoder") else "AutoModelForCausalLM"
        module, tokenizer = load_both(transformers, kind, files, HEAD)
    if tokenizer.eos_token_id is None:
        raise UsageError(
            f"the tokenizer of {source} has no end token, so that nothing written would end: set eos_token"
        )
    return Writer(module.to(usable_device(device)).eval(), tokenizer)
