"""Turn-over dropout: the half of the network that never saw a text, against the half that did."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Annotated, Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from exegesis.core.errors import UnsupportedError
from exegesis.core.parameters import at_least
from exegesis.models.trained.architectures.network import TextClassifier
from exegesis.nn.halves import Ids, halved, in_place_of_dropout
from exegesis.protocols.trained import Trained
from exegesis.questions.sources.method import Queries, Scored, Training, method


@method(
    "turn-over-dropout",
    summary="change of the number from the half of the network that never saw the text to the half that did",
    unit="explained number of the half of the network trained on the text, less that of the other half",
    paper="Kobayashi et al., Efficient Estimation of Influence of a Training Instance",
    year=2020,
)
@dataclass(frozen=True)
class TurnOverDropout:
    """f of the half m(z) of the network that was trained on z, less f of the other half, which was not.

    For the log-probability of a label, f = -L(x), it is L(x; f^m̃(z)) - L(x; f^m(z)): the survey's Eq. 5, I(z, x) =
    L(x; f^m(z)) - L(x; f^m̃(z)), less its sign, so that a text with a score above zero helps. The model must have been
    trained so (``exegesis train --turn-over``): the half of a text is drawn from its ids, keeps half of the units of
    every site, and was the only part that was trained on it. In networks that Exegesis trains these are all units
    (features of embeddings, recurrent states, hidden layers), so that z moves nothing of the other half but the output
    bias; in Transformers, fine-tuned encoders among them, the units of their dropout layers (as in the paper), so that
    what residuals and norms carry is shared. Units that are kept are doubled.

    Halves differ by more than z: a text that was not trained on has a score too. ``details`` has ``noise``, the
    standard deviation of the scores of ``controls`` halves that belong to no text: scores of that size say nothing.
    Two passes for each training text and number. Raises UnsupportedError for a model that was not trained so.
    """

    controls: Annotated[int, at_least(2)] = 64

    def __call__(self, model: Trained, training: Training, queries: Queries) -> Scored:
        module = getattr(model, "module", None)
        if not (isinstance(module, nn.Module) and getattr(getattr(module, "config", None), "turn_over", False)):
            raise UnsupportedError(
                f"turn-over-dropout needs a model that was trained so, which {model.name} was not: train it with "
                "exegesis train --turn-over"
            )
        own = isinstance(module, TextClassifier)
        place: AbstractContextManager[None] = nullcontext() if own else in_place_of_dropout(module)
        nobody: list[Ids] = [(-1, number) for number in range(self.controls)]
        with place:
            rows = range(len(queries.texts))
            values = torch.stack([scores(model, queries, row, [text.ids for text in training.texts]) for row in rows])
            noise = torch.stack([scores(model, queries, row, nobody) for row in rows]).std(1).tolist()
        details: list[dict[str, Any]] = [{"noise": one} for one in noise]
        notes = [(f"Halves that belong to no text have scores of ± {one:.2g} (their standard deviation).",)
                 for one in noise]  # fmt: skip
        return Scored(values, details, notes)


def scores(model: Trained, queries: Queries, row: int, halves: Sequence[Ids]) -> Float[Tensor, " n"]:
    """The number of one text in the half of each of some texts, less that in the other half."""
    made = torch.empty(len(halves), dtype=torch.float64)
    text, target = queries.texts[row], queries.target.take(torch.tensor([row]))
    step = 64
    for start in range(0, len(halves), step):
        part = halves[start : start + step]
        batch = model.encode([text] * len(part))
        target_here = target.take(torch.zeros(len(part), dtype=torch.long))
        for rows in model.calls(batch):
            names = [part[n] for n in rows.tolist()]
            sides = []
            for other in (False, True):
                with halved(names, other=other):
                    raw = model.outputs(batch.take(rows))
                sides.append(target_here.take(rows).of(raw)[:, 0].double().cpu())
            made[start + rows] = sides[0] - sides[1]
    return made
