"""``exegesis evaluate`` and ``exegesis compare``: how far explanations can be trusted."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from exegesis.cli import options as opt
from exegesis.cli.inputs import chosen, listed, load, read_texts, read_training
from exegesis.cli.options import Group, argument, option, unfolded
from exegesis.cli.outputs import check_files, progress, save, width
from exegesis.core.errors import UsageError

if TYPE_CHECKING:
    from exegesis.data.examples import Example
    from exegesis.protocols.model import Classifier, Raw
    from exegesis.results.evaluation import Evaluation

COMPARED = ("reat", "lrp", "integrated-gradients", "gradient-x-input", "leave-one-out", "lime")  # if the model can


class Evaluated(opt.Recommended):
    """A model, the methods to evaluate, and the number that they explain."""

    methods: list[str] | None = option(
        "See 'exegesis methods'; by default reat, if the model can serve it.", *opt.NAMES, metavar="A,B,C"
    )
    target: str | None = opt.TARGET()


class Compared(Evaluated):
    """A model, the methods to compare, and the number that they explain."""

    methods: list[str] | None = option(
        "See 'exegesis methods'; by default the usual ones that the model can serve.", *opt.NAMES, metavar="A,B,C"
    )


class Trust(opt.Measures):
    """Measures of explanations, what they are measured against, and sanity checks."""

    explanations: Path | None = option("Another tool's explanations of the same texts, .jsonl.", metavar="FILE")
    marks: Path | None = option("Words that people marked: .jsonl with text and marks.", metavar="FILE")
    words: str | None = option("Word lists for and against a label: adds interpretability.", metavar="PLUS,MINUS,LABEL")
    sanity: bool = option(
        "Also test whether explanations change with shuffled weights, or labels.", "--sanity", default=False
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


class OneText(Group, panel="Texts"):
    """A single text, or a pair of texts."""

    text: str = argument("The text.", "TEXT")
    pair: str | None = opt.PAIR()


class Output(opt.Report):
    """The files of an evaluation."""

    quiet: bool = opt.QUIET()


class ComparisonLook(opt.Look):
    """The view of a comparison in the terminal."""

    numbers: bool = opt.NUMBERS()


@unfolded
def evaluate(texts: opt.Collection, methods: Evaluated, measures: Trust, output: Output) -> None:
    """Measure how far explanations can be trusted: methods beside random scores, leave-one-out and greedy removal.

    \b
    exegesis evaluate --data reviews.tsv --methods reat,lime --report trust.html
    exegesis evaluate --data reviews.tsv --how drop,pad --json numbers.json
    exegesis evaluate --data reviews.tsv --explanations other-tool.jsonl
    exegesis evaluate --data test.tsv -M reat,lrp --sanity --train train.tsv
    """
    raws = read_texts(texts)
    check_files(output.files(), [texts.file, measures.explanations, measures.marks, methods.recommendation])
    names, how, shown = measures.asked(), listed(measures.how), progress(output.quiet)

    from exegesis import api
    from exegesis.questions.trust.request import choose

    trained = read_training(measures.train)
    choose(names, how)  # what is wrong with the measures is known before the model is loaded
    model = load(methods)
    default = [] if measures.explanations else [api.preferred(model)]
    parameters = chosen(model, api.each_method(methods.methods or []) or default, methods)
    options: dict[str, Any] = {
        "target": methods.target, "seed": measures.seed, "parameters": parameters, "progress": shown
    }  # fmt: skip
    results = [
        api.evaluate(
            model, raws, list(parameters), names, how=how, marks=measures.marks, explanations=measures.explanations,
            **options,
        )
    ]  # fmt: skip
    if measures.sanity:
        other = None
        if measures.other is not None:
            other = load(opt.Model(model=measures.other, device=methods.device, truncate=methods.truncate))
        results += _randomised(model, raws, list(parameters), trained, other, **options)
    if not output.quiet:
        sys.stdout.write("\n".join(result.table(width=width()) for result in results))
    save(results, output.files(), quiet=output.quiet)


@unfolded
def compare(text: OneText, methods: Compared, measures: opt.Measures, files: opt.Report, look: ComparisonLook) -> None:
    """Compare several methods on one text, ranked by the same measures.

    \b
    exegesis compare "The fight scenes are fun but it grows tedious" -M reat,lrp
    """
    raws = read_texts(opt.Texts(texts=[text.text], pair=text.pair))
    if len(raws) != 1:
        raise UsageError(f"compare takes one text, not {len(raws)}; for more: exegesis evaluate")
    check_files(files.files(), [methods.recommendation])
    view = {**look.view(), "numbers": look.numbers}
    names, how = listed(*measures.measures or []) or None, listed(measures.how)

    from exegesis import api
    from exegesis.questions.trust.request import choose
    from exegesis.show import render

    choose(names, how)
    model = load(methods)
    served = {card.name for card in api.methods(model)}
    default = [name for name in COMPARED if name in served]
    parameters = chosen(model, api.each_method(methods.methods or []) or default, methods)
    results = [api.explain(model, raws, name, target=methods.target, **parameters[name])[0] for name in parameters]
    evaluation = api.evaluate(model, raws, [], names, how=how, explanations=results, seed=measures.seed)
    order = {name: place for place, name in enumerate(evaluation.ranking())}
    results.sort(key=lambda result: order.get(result.name, 0))
    sys.stdout.write(render(results, **view) + "\n")
    sys.stdout.write(evaluation.table(width=width()))
    save([evaluation], files.files(), quiet=False)


def _randomised(
    model: Classifier, raws: list[Raw], names: list[str], train: list[Example] | None, other: Classifier | None,
    **options: Any,
) -> list[Evaluation]:  # fmt: skip
    """The sanity checks: shuffled weights if the model has a module, shuffled labels if there is a model of them."""
    from exegesis.api import randomisation

    results = []
    if other is None or hasattr(model, "module"):
        results.append(randomisation(model, raws, names, **options))
    if other is not None or train is not None:
        results.append(randomisation(model, raws, names, train=train, other=other, **options))
    return results


def _lists(words: str) -> str:
    parts = [part.strip() for part in words.split(",")]
    if len(parts) != 3 or not all(parts):
        raise UsageError("--words names two files and a label: positive.txt,negative.txt,LABEL")
    return f"interpretability:positive={parts[0]}:negative={parts[1]}:label={parts[2]}"
