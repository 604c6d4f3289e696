"""``exegesis recommend``: the most faithful method for a model."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from exegesis.cli import options as opt
from exegesis.cli.inputs import listed, load, parameters_of, read_texts
from exegesis.cli.outputs import JSON, check_files, progress, say


class Recommend(opt.Command, opt.Measures, opt.Model, opt.Collection):
    """Find the method that explains a model most faithfully within a budget of time, and how sure that is.

    \b
    exegesis recommend -m mine --data reviews.tsv --out mine/recommendation.json
    exegesis recommend --data reviews.tsv -M reat,lrp --budget 20 --out best.json
    exegesis explain "A fine film." -M best --recommendation best.json
    """

    methods: list[str] | None = opt.methods("Candidates; by default the usual ones that the model can serve.")
    param: list[str] | None = opt.PARAM()
    target: str | None = opt.TARGET()
    budget: float | None = opt.option("Only methods that take at most so many milliseconds per text.", metavar="MS")
    out: Path | None = opt.option(
        "Save it as .json; 'explain -M best' finds recommendation.json in the model's folder.", "--out", "-o",
        metavar="FILE", **opt.OUTPUT,
    )  # fmt: skip
    quiet: bool = opt.QUIET()

    def run(self) -> None:
        raws = read_texts(self)
        check_files({"--out": (self.out, JSON[:1])}, [self.file])

        from exegesis import api
        from exegesis.questions.trust.request import choose

        measures, how = listed(*self.measures or []) or None, listed(self.how)
        choose(measures, how)
        model = load(self)
        names = api.each_method(self.methods or []) or api.candidates(model)
        api.refuse_best(names)
        found = api.recommend(
            model, raws, names, self.budget, parameters=parameters_of(self.param, names), measures=measures, how=how,
            target=self.target, seed=self.seed, progress=progress(self.quiet),
        )  # fmt: skip
        if self.file is not None:
            found = replace(found, data=self.file.name)
        if not self.quiet:
            print(found)
        if self.out is not None:
            found.save(self.out)
            say(self.out, self.quiet)
