"""The options of ``exegesis train --arch explainer:FOLDER``: language models that tell a label and write why."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from exegesis.cli.complaints import Interrupted
from exegesis.cli.options import Group, choice, option
from exegesis.cli.outputs import progress
from exegesis.core.errors import UsageError
from exegesis.core.escapes import code, escaped, markdown

if TYPE_CHECKING:
    from exegesis.data.written import Written
    from exegesis.models.explainers.training import Trained

EXPLAINER = "explainer:"
ORDERS = ("predict-explain", "explain-predict", "explain-answer", "label-specific")


class Writing(Group, panel="Explanations"):
    """The options of a model that writes why (--arch explainer:FOLDER)."""

    order: str = choice("Of label and explanation.", ORDERS, "predict-explain")
    explanation: str = option("Column of what people wrote.", metavar="COLUMN", default="explanation")
    part: str = option(
        "Part of a folder of e-SNLI or CoS-E to train on.", "--split", "--part", metavar="NAME", default="train"
    )


def fit_explainer(asked: Any, about: str) -> None:
    """Train an explainer with the options of ``exegesis train``."""
    from exegesis.api import bar
    from exegesis.models.explainers.training import train_explainer
    from exegesis.models.huggingface.finetuning import FineTuning
    from exegesis.models.trained.folder import make_parent

    if asked.data is None:
        raise UsageError("name the texts with explanations: exegesis train DATA --arch explainer:FOLDER")
    parts = _parts(asked)
    make_parent(asked.out)
    asked.check_state()
    more = {} if asked.lr is None else {"lr": asked.lr}
    options = FineTuning(
        epochs=asked.epochs, batch=asked.batch, patience=asked.patience, clip=asked.clip,
        weight_decay=asked.weight_decay, seed=asked.seed, device=asked.device, **more,
    )  # fmt: skip
    command = shlex.join(["exegesis", *sys.argv[1:]])

    def card(result: Trained) -> str:
        sizes = "".join(f"- {split}: {count:,} texts\n" for split, count in result.sizes.items())
        return (
            f"# {markdown(asked.out.name)}\n\nA language model that tells a label and writes why ({result.order}), "
            f"trained with Exegesis from {markdown(result.base)}.\n\n{about}\n\n{sizes}- Loss on the development "
            f"texts: {result.loss:.4f}\n- Seed: {asked.seed}\n- Command: {code(command)}\n"
        )

    with bar(progress(asked.quiet), asked.epochs, "epochs") as advance:
        try:
            result = train_explainer(
                asked.arch.removeprefix(EXPLAINER), parts, asked.out, asked.order, options, state=asked.state,
                resume=asked.resume, card=card, told=lambda _: advance(),
            )  # fmt: skip
        except KeyboardInterrupt:
            raise Interrupted("interrupted; give the same command with --resume to go on") from None
    if not asked.quiet:
        told = f"{result.order}, loss {result.loss:.4f} on {result.sizes['dev']:,} development texts"
        print(f"{escaped(asked.out)}: {escaped(result.base)} trained to write, {told}")


def _parts(asked: Any) -> dict[str, list[Written]]:
    """The texts to train on, and those that choose the epoch: given ones, the folder's, or a seeded tenth."""
    import numpy as np

    from exegesis.data.written import read_written

    columns = {"text": asked.text or "text", "pair": asked.pair, "label": asked.label or "label"}
    train = read_written(Path(asked.data), asked.part, explanation=asked.explanation, **columns)
    if asked.dev is not None:
        return {"train": train, "dev": read_written(Path(asked.dev), "dev", explanation=asked.explanation, **columns)}
    if len(train) < 2:
        raise UsageError(f"{len(train)} text(s) are too few to set development ones aside: give --dev")
    order = np.random.default_rng(asked.seed).permutation(len(train)).tolist()
    count = max(1, len(train) // 10)
    return {"train": [train[n] for n in sorted(order[count:])], "dev": [train[n] for n in order[:count]]}
