"""``exegesis recommend``: the most faithful method for a model."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from exegesis.cli.inputs import listed, load, parameters_of, read_texts
from exegesis.cli.options import NAMES, PARAM, QUIET, TARGET, Collection, Group, Measures, Model, option, unfolded
from exegesis.cli.outputs import JSON, check_files, progress, say


class Candidates(Model):
    """A model, the methods to choose from, and the number that they explain."""

    methods: list[str] | None = option(
        "Candidates; by default the usual ones that the model can serve.", *NAMES, metavar="A,B,C"
    )
    param: list[str] | None = PARAM()
    target: str | None = TARGET()
    budget: float | None = option("Only methods that take at most so many milliseconds per text.", metavar="MS")


class Output(Group, panel="Output"):
    """The file of a recommendation."""

    out: Path | None = option(
        "Save it as .json; 'explain -M best' finds recommendation.json in the model's folder.", "--out", "-o",
        metavar="FILE",
    )  # fmt: skip
    quiet: bool = QUIET()


@unfolded
def recommend(texts: Collection, methods: Candidates, measures: Measures, output: Output) -> None:
    """Find the method that explains a model most faithfully within a budget of time, and how sure that is.

    \b
    exegesis recommend -m mine --data reviews.tsv --out mine/recommendation.json
    exegesis recommend --data reviews.tsv -M reat,lrp --budget 20 --out best.json
    exegesis explain "A fine film." -M best --recommendation best.json
    """
    raws = read_texts(texts)
    check_files({"--out": (output.out, JSON[:1])}, [texts.file])

    from exegesis import api
    from exegesis.questions.trust.request import choose

    asked, how = listed(*measures.measures or []) or None, listed(measures.how)
    choose(asked, how)
    model = load(methods)
    names = api.each_method(methods.methods or []) or api.candidates(model)
    api.refuse_best(names)
    found = api.recommend(
        model, raws, names, methods.budget, parameters=parameters_of(methods.param, names), measures=asked, how=how,
        target=methods.target, seed=measures.seed, progress=progress(output.quiet),
    )  # fmt: skip
    if texts.file is not None:
        found = replace(found, data=texts.file.name)
    if not output.quiet:
        print(found)
    if output.out is not None:
        found.save(output.out)
        say(output.out, output.quiet)
