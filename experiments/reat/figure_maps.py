"""Figures 4 to 6: heat maps of the paper's sentences, and the numbers behind what the paper reads off them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from methods import SIX

import exegesis
from exegesis.results.attribution import Attribution

LIKABLE = "enormously likable , partly because it is aware of its own grasp of the absurd"  # Figure 4, test text 1189
FUN = "The fight scenes are fun but it grows tedious"  # Figure 5, as the paper writes test text 882
LAUGHS = "The movie does n't serve up lot of laughs"  # Sec. 3.3; the chunk "does n't serve up" is Figure 6's
SARA = "serving sara does n't serve up a whole lot of laughs"  # the one SST-2 text (development) with that chunk
CLAUSES = (("serving sara", (0, 2)), ("does n't serve up a whole lot of laughs", (2, 11)))  # cut by hand
HIERARCHY = ("leave-one-out", "reat")
WIDE = 10.5  # inches: a whole sentence on a line
Models = Mapping[str, Any]


def explained(model: Any, text: str, name: str) -> Attribution:
    """One text for the positive label by one of the paper's methods; no seconds, so that it is drawn the same."""
    method, parameters, kind = SIX[name]
    return exegesis.explain(model, text, method, f"{kind}:positive", **parameters).timeless()


def nested(model: Any, text: str, method: str) -> Attribution:
    """One text for the negative label on all levels."""
    return exegesis.explain(model, text, method, "negative", level="all").timeless()


def scores(result: Attribution, level: str = "word") -> list[tuple[str, float]]:
    return [(row.text, round(row.score, 6)) for row in result.rows(level)]


def methods_on_a_sentence(model: Any) -> dict[str, Any]:
    """Figure 4: six methods on one sentence, for the positive label."""
    found = {name: explained(model, LIKABLE, name) for name in SIX}
    said = found["REAT"].prediction.probabilities["positive"]
    return {"positive": round(said, 6), "scores": {name: scores(one) for name, one in found.items()}}


def one_sentence(model: Any) -> dict[str, Any]:
    """Figure 5: REAT on the sentence that the paper gives its three networks, for the positive label."""
    found = explained(model, FUN, "REAT")
    return {"positive": round(found.prediction.probabilities["positive"], 6), "scores": scores(found)}


def levels(model: Any) -> dict[str, Any]:
    """Figure 6: words, phrases and clauses for the negative label, by REAT and leave-one-out."""
    kept: dict[str, Any] = {"texts": {}}
    for text in (LAUGHS, SARA):
        results = {method: nested(model, text, method) for method in HIERARCHY}
        own = {
            method: {level: scores(result, level) for level in result.level_names} for method, result in results.items()
        }
        said = results["reat"].prediction.probabilities["negative"]
        kept["texts"][text] = {"negative": round(said, 6), **own}
    words = [score for _, score in kept["texts"][SARA]["reat"]["word"]]
    return kept | {"clauses": {name: round(sum(words[slice(*place)]), 6) for name, place in CLAUSES}}


def pictures(models: Models, out: Path) -> None:
    """The three figures, of the models of seed 0."""
    exegesis.save([explained(models["gru-0"], LIKABLE, name) for name in SIX], out / "figure4.svg", width=WIDE)
    three = [explained(models[f"{cell}-0"], FUN, "REAT") for cell in ("gru", "lstm", "bigru")]
    exegesis.save(three, out / "figure5.svg", width=WIDE)
    both = [nested(models["lstm-0"], text, method) for text in (LAUGHS, SARA) for method in HIERARCHY]
    exegesis.save(both, out / "figure6.svg", width=WIDE)
