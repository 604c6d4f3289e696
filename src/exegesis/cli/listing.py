"""``exegesis methods`` and ``exegesis predict``."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

from exegesis.cli.inputs import load, read_given
from exegesis.cli.options import LINES, Command, Model, Texts, argument, option
from exegesis.core.errors import UnsupportedError
from exegesis.core.escapes import escaped


class Methods(Command):
    """List the methods: the question that each answers, what it needs of a model. A NAME shows its parameters.

    \b
    exegesis methods
    exegesis methods lime
    exegesis methods --model my-model --json
    """

    name: str | None = argument("A method, to show what it computes and its parameters.", "NAME", None)
    model: str | None = option("Only what this model can serve.", "--model", "--for", "-m", metavar="MODEL")
    lines: bool = LINES()

    def run(self) -> None:
        from exegesis import api
        from exegesis.core.shown import Catalogue
        from exegesis.engine.methods import METHODS

        named = None if self.name is None else METHODS[self.name]
        served = api.methods(api.load(self.model) if self.model is not None else None)
        if named is not None and named not in served:
            raise UnsupportedError(
                f"the model {self.model} cannot serve {self.name}; it serves: exegesis methods --model"
            )
        cards = served if named is None else Catalogue([named])
        if not self.lines:
            cards.show()
            return
        for card in cards:
            values = {name: getattr(card, name) for name in ("name", "question", "summary", "paper", "year")}
            parameters = {field.name: field.default for field in dataclasses.fields(card.cls)}
            print(json.dumps({**values, "needs": " and ".join(card.abilities), "parameters": parameters}))


class Predict(Command, Model, Texts):
    """Show the probability of each label, the predicted label first; of a regression its numbers.

    \b
    exegesis predict "A fine film."
    exegesis predict --file reviews.tsv --model my-model --json
    """

    lines: bool = LINES()

    def run(self) -> None:
        given = read_given(self)
        raws = [one.text for one in given]

        from exegesis import api
        from exegesis.protocols.target import Link

        model = load(self)
        regression = model.link is Link.IDENTITY
        for one, text, numbers in zip(given, raws, api.predict(model, raws), strict=True):
            ranked = list(numbers.items()) if regression else sorted(numbers.items(), key=lambda item: -item[1])
            if self.lines:
                label, value = ranked[0]
                row: dict[str, Any] = {"text": text, "label": label, "probability": value, "probabilities": numbers}
                if regression:
                    row |= {"label": label if len(ranked) == 1 else None, "probability": None, "probabilities": None}
                    row["numbers"] = numbers
                kept = {"number": one.number, "id": one.name, "gold": one.label}
                row |= {name: value for name, value in kept.items() if value is not None}
                print(json.dumps(row, allow_nan=False))
                continue
            words = " ".join((text if isinstance(text, str) else " | ".join(text)).split())
            visible = "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in words[:100])
            line = "  ".join(f"{escaped(label)} {value:{'.4g' if regression else '.1%'}}" for label, value in ranked)
            print(f"{line}  {visible}")
