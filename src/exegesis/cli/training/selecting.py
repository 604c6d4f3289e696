"""The options of ``exegesis train --arch rationale``: classifiers that select the words they read."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from exegesis.cli.options import Group, choice, option
from exegesis.core.errors import UsageError

if TYPE_CHECKING:
    from exegesis.data.examples import Example
    from exegesis.models.rationale_models.shape import RationaleConfig
    from exegesis.models.trained.training import TrainResult

HF = "hf:"
RATE = 5e-5  # step size of Adam for an encoder of transformers


class Selecting(Group, panel="Rationales"):
    """The options of a classifier that selects its words (--arch rationale)."""

    selector: str = option(
        "lei, hardkuma, fresh, ..., with parameters as in hardkuma:share=0.1 (docs/rationales.md).",
        "--selector", metavar="NAME", default="hardkuma",
    )  # fmt: skip
    encoder: str = choice("Of the selector and of the classifier; both start from hf:FOLDER.",
                          ("lstm", "gru", "cnn"), "gru", HF)  # fmt: skip
    unit: str = choice("What is kept or gone as a whole.", ("word", "sentence", "span"), "word")
    cold: bool = option("Start selector and classifier together from nothing; by default the classifier has learned "
                        "before from random parts of the texts.", "--cold", default=False)  # fmt: skip
    rehearsal: float = option("Weight of random parts of the texts beside the selector's objective; not with --cold.",
                              min=0.0, default=1.0)  # fmt: skip
    marks: Path | None = option("Words that people marked in training texts, as for evaluate.", metavar="FILE")
    supervision: float = option("Weight of the marks.", min=0.0, default=1.0)
    support: str | None = option(
        "For fresh: the model whose explanations are learned, by default one trained before. For diffmask: the folder "
        "of the model that is masked.",
        metavar="MODEL",
    )


def selecting_config(asked: Any) -> RationaleConfig:
    """The shape of the classifier that the options ask for."""
    from exegesis.models.rationale_models.shape import RationaleConfig

    foreign = {
        name: getattr(asked, name)
        for name in ("layers", "readout", "hops", "span", "heads", "feedforward", "kernels", "kernel", "landmarks")
    }
    foreign |= {"turn-over": asked.turn_over or None, "embedding-dropout": asked.embedding_dropout or None}
    wrong = next((name for name, value in foreign.items() if value is not None), None)
    if wrong is not None:
        raise UsageError(f"--{wrong} does not belong to --arch rationale; leave it out")
    sizes = {name: getattr(asked, name) for name in ("embedding", "hidden", "dropout")}
    given = {name: value for name, value in sizes.items() if value is not None}
    if asked.cold and asked.rehearsal != 1.0:
        raise UsageError("--rehearsal does nothing with --cold; leave one of them out")
    fixed = next((name for name in ("embedding", "hidden") if name in given), None)
    if asked.encoder.startswith(HF) and fixed is not None:
        raise UsageError(f"--{fixed} does not belong to --encoder {HF}FOLDER, which has its own; leave it out")
    return RationaleConfig(
        selector=asked.selector,
        encoder=asked.encoder,
        unit=asked.unit,
        supervision=asked.supervision,
        rehearsal=asked.rehearsal,
        **given,
    )


def fit_selecting(asked: Selecting, parts: Mapping[str, Sequence[Example]]) -> Callable[..., TrainResult]:
    """The training of such a classifier, with the marks and the support model that the options name."""
    from exegesis.data.marks import read_marks
    from exegesis.models.trained.corpus import single
    from exegesis.study.reasons.rationales import train_selecting

    marks = None if asked.marks is None else read_marks(asked.marks, [single(one) for one in parts["train"]])
    return partial(train_selecting, marks=marks, support=asked.support, warm=not asked.cold)
