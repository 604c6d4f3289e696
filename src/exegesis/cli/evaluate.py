"""``exegesis evaluate`` and ``exegesis compare``: how far explanations can be trusted."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

from exegesis.cli import options as opt
from exegesis.cli.inputs import chosen, listed, load, read_texts, read_training
from exegesis.cli.options import Command, argument, option
from exegesis.cli.outputs import check_files, progress, save, width
from exegesis.core.errors import UsageError

COMPARED = ("reat", "lrp", "integrated-gradients", "gradient-x-input", "leave-one-out", "lime")  # if the model can


class Trust(opt.Measures, panel="Measures"):
    """Measures of explanations, what they are measured against, and sanity checks."""

    explanations: Path | None = option("Another tool's explanations of the same texts, .jsonl.", metavar="FILE")
    marks: Path | None = option("Words that people marked: .jsonl with text and marks.", metavar="FILE")
    words: str | None = option("Word lists for and against a label: adds interpretability.", metavar="PLUS,MINUS,LABEL")
    sanity: bool = option(
        "Also test whether explanations change with shuffled weights, or labels.", "--sanity", default=False
    )
    sensitivity: bool = option(
        "Also measure how far scores move when the word vectors move a little.", "--sensitivity", default=False
    )
    train: str | None = option(
        "For --sanity: training texts, to train a model of the same kind on them with shuffled labels.", metavar="DATA"
    )
    other: str | None = option("For --sanity: a model trained on shuffled labels.", metavar="MODEL")

    def asked(self) -> list[str] | None:
        """The measures, the word lists among them; None for the usual ones. Raises UsageError for wrong options."""
        for name, value in (("--other", self.other), ("--train", self.train)):
            if value is not None and not self.sanity:
                raise UsageError(f"{name} belongs to --sanity")
        if self.other is not None and self.train is not None:
            raise UsageError("--train trains the model that --other names; give one of them")
        measures, lists = listed(*self.measures or []), [] if self.words is None else [_lists(self.words)]
        if lists and not measures:
            from exegesis.questions.trust.request import PLAUSIBLE, USUAL

            measures = [*USUAL, *(PLAUSIBLE if self.marks else ())]
        return [*measures, *lists] or None


class Evaluate(Command, opt.Report, Trust, opt.Recommended, opt.Collection):
    """Measure how far explanations can be trusted: methods beside random scores, leave-one-out and greedy removal.

    \b
    exegesis evaluate --data reviews.tsv --methods reat,lime --html trust.html
    exegesis evaluate --data reviews.tsv --how drop,pad --json numbers.json
    exegesis evaluate --data reviews.tsv --explanations other-tool.jsonl
    exegesis evaluate --data test.tsv -M reat,lrp --sanity --train train.tsv
    """

    methods: list[str] | None = opt.methods("See 'exegesis methods'; by default integrated-gradients.")
    target: str | None = opt.TARGET()
    quiet: bool = opt.QUIET()

    def run(self) -> None:
        raws = read_texts(self)
        check_files(self.files(), [self.file, self.explanations, self.marks, self.recommendation])
        names, how = self.asked(), listed(self.how)

        from exegesis import api
        from exegesis.questions.trust.request import choose

        trained = read_training(self.train)
        choose(names, how)  # what is wrong with the measures is known before the model is loaded
        model = load(self)
        default = [] if self.explanations else [api.preferred(model)]
        parameters = chosen(model, api.each_method(self.methods or []) or default, self)
        options: dict[str, Any] = {
            "target": self.target, "seed": self.seed, "parameters": parameters, "progress": progress(self.quiet)
        }  # fmt: skip
        results = [
            api.evaluate(
                model, raws, list(parameters), names, how=how, marks=self.marks, explanations=self.explanations,
                **options,
            )
        ]  # fmt: skip
        if self.sanity:
            other = None if self.other is None else load(replace(self, model=self.other))
            if other is None or hasattr(model, "module"):  # shuffled weights
                results.append(api.randomisation(model, raws, list(parameters), **options))
            if other is not None or trained is not None:  # shuffled labels
                results.append(api.randomisation(model, raws, list(parameters), train=trained, other=other, **options))
        if self.sensitivity:
            del options["progress"]
            results.append(api.sensitivity(model, raws, list(parameters), **options))
        if not self.quiet:
            sys.stdout.write("\n".join(result.table(width=width()) for result in results))
        save(results, self.files(), quiet=self.quiet)


class Compare(Command, opt.Look, opt.Report, opt.Measures, opt.Recommended):
    """Compare several methods on one text, ranked by the same measures.

    \b
    exegesis compare "The fight scenes are fun but it grows tedious" -M reat,lrp
    """

    text: str = argument("The text.", "TEXT")
    pair: str | None = opt.PAIR(rich_help_panel="Texts")
    methods: list[str] | None = opt.methods(
        "See 'exegesis methods'; by default the usual ones that the model can serve."
    )
    target: str | None = opt.TARGET()
    numbers: bool = opt.NUMBERS()

    def run(self) -> None:
        raws = read_texts(opt.Texts(texts=[self.text], pair=self.pair))
        if len(raws) != 1:
            raise UsageError(f"compare takes one text, not {len(raws)}; for more: exegesis evaluate")
        check_files(self.files(), [self.recommendation])
        view = {**self.view(), "numbers": self.numbers}
        names, how = listed(*self.measures or []) or None, listed(self.how)

        from exegesis import api
        from exegesis.questions.trust.request import choose
        from exegesis.show import render

        choose(names, how)
        model = load(self)
        served = {card.name for card in api.methods(model)}
        default = [name for name in COMPARED if name in served]
        parameters = chosen(model, api.each_method(self.methods or []) or default, self)
        results = [api.explain(model, raws, name, target=self.target, **own)[0] for name, own in parameters.items()]
        evaluation = api.evaluate(model, raws, [], names, how=how, explanations=results, seed=self.seed)
        order = {name: place for place, name in enumerate(evaluation.ranking())}
        results.sort(key=lambda result: order.get(result.name, 0))
        sys.stdout.write(render(results, **view) + "\n" + evaluation.table(width=width()))
        save([evaluation], self.files(), quiet=False)


def _lists(words: str) -> str:
    parts = [part.strip() for part in words.split(",")]
    if len(parts) != 3 or not all(parts):
        raise UsageError("--words names two files and a label: positive.txt,negative.txt,LABEL")
    return f"interpretability:positive={parts[0]}:negative={parts[1]}:label={parts[2]}"
