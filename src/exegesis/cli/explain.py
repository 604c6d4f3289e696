"""``exegesis explain``: texts in, views and files out."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from exegesis.cli.inputs import assigned, chosen, load, parameters_of, read_texts
from exegesis.cli.options import NUMBERS, QUIET, TARGET, Group, Look, Recommended, Texts, option, unfolded
from exegesis.cli.outputs import JSON, PAGES, PICTURES, Files, check_files, progress, stream
from exegesis.core.errors import UsageError

if TYPE_CHECKING:
    from exegesis.core.text import Text
    from exegesis.protocols.model import Classifier

PART = 2048  # texts explained before their results go out
Run = Callable[["Sequence[Text]", Callable[[], object]], list[Any]]  # calls its second argument after each text


class Methods(Recommended):
    """A model and the methods that explain it."""

    method: list[str] | None = option(
        "See 'exegesis methods'; by default reat, if the model can serve it.", "--method", "-M", metavar="METHOD"
    )


class Question(Group):
    """The kind of explanation, and the number to explain."""

    target: str | None = TARGET()
    level: str = option("word, phrase, clause, text or all of them.", "--level", "-l", metavar="LEVEL", default="word")
    hierarchy: str | None = option(
        "A tree of phrases: acd, soc, scd, hedge, parse or owen. -M then names the method that scores phrases.",
        metavar="SEARCH",
    )
    interactions: str | None = option(
        "Instead of scores, what every two words do together: shapley, removal or alone.", metavar="KIND"
    )
    relevance: bool = option("Instead of scores, the relevance by lrp in every layer.", "--relevance", default=False)
    trust: bool = option(
        "Add a line: the effect of the top words beside random words, and how far methods agree.", "--trust",
        default=False,
    )  # fmt: skip

    @property
    def other(self) -> str:
        """The option that asks for something else than scores, if there is one."""
        return "--interactions" if self.interactions is not None else "--relevance" if self.relevance else ""


class Output(Look):
    """The files of explanations, and the view in the terminal."""

    json: str | None = option("Results as .json or .jsonl; - prints JSON lines.", "--json", metavar="FILE|-")
    html: Path | None = option("A self-contained page.", metavar="FILE")
    figure: Path | None = option("A figure: .svg, .png, .pdf or .tex.", metavar="FILE")
    numbers: bool = NUMBERS()
    quiet: bool = QUIET()

    def view(self) -> dict[str, Any]:
        """Options of the view in the terminal."""
        return {**super().view(), "numbers": self.numbers}

    def files(self) -> Files:
        """The files by option, with the endings that they may have."""
        written, pictures = None if self.json == "-" else self.json, (*PICTURES, ".tex")
        return {"--json": (written, JSON), "--html": (self.html, PAGES), "--figure": (self.figure, pictures)}


@unfolded
def explain(texts: Texts, methods: Methods, question: Question, output: Output) -> None:
    """Explain predictions: which words and phrases made the model predict this?

    \b
    exegesis explain "The fight scenes are fun but it grows tedious"
    exegesis explain "A fine film." --level all -M reat -M lime --figure why.svg
    exegesis explain "A fine film." -M lime --trust
    exegesis explain "Not a good film." --hierarchy acd --html tree.html
    exegesis explain "Not a good film." --interactions shapley --figure pairs.png
    exegesis explain --file reviews.tsv --model my-model --json results.jsonl
    exegesis explain "Two dogs run." --pair "Dogs move." --model nli-model
    """
    _check(question, methods)
    raws = read_texts(texts)
    output.view()
    check_files(output.files(), [texts.file, methods.recommendation])

    from exegesis.api import bar, each_method, read_text

    names = each_method(methods.method or [])
    model = load(methods)
    runs = _runs(model, names, methods, question)
    for number, raw in enumerate(raws):  # a text that cannot be explained is known before any is
        read_text(model, raw, number, len(raws))
    shown, total = progress(output.quiet), len(raws) * len(runs)
    with stream(output) as add:
        for start in range(0, len(raws), PART):
            part = [read_text(model, raw) for raw in raws[start : start + PART]]
            with bar(shown, total, ", ".join(runs), start * len(runs)) as advance:
                results = [run(part, advance) for run in runs.values()]
            add(list(zip(*results, strict=True)))


def _check(question: Question, methods: Methods) -> None:
    """Raises UsageError for options that contradict each other."""
    if question.trust and question.hierarchy is not None:
        raise UsageError("--trust belongs to explanations of words; leave it out of a hierarchy")
    relevance = question.relevance and question.other != "--relevance"
    others = {"--relevance": relevance, "--hierarchy": question.hierarchy, "--trust": question.trust,
              "--method": methods.method, "--recommendation": methods.recommendation,
              "--level": question.level != "word"}  # fmt: skip
    for name, value in others.items():
        if question.other and value:
            raise UsageError(f"{name} does not go with {question.other}; leave one of them out")


def _runs(model: Classifier, names: list[str], methods: Methods, question: Question) -> dict[str, Run]:
    """The functions that explain texts which the model has read, by name. Raises as the functions of ``exegesis``."""
    from exegesis.api import Plan, preferred

    if question.interactions is not None:
        return {"interactions": _interactions(model, question.interactions, methods.param, question.target)}
    if question.relevance:
        return {"relevance": _relevance(model, methods.param, question.target)}
    if question.hierarchy is not None:
        return {question.hierarchy: _hierarchy(model, names, methods, question)}
    parameters = chosen(model, names or [preferred(model)], methods)
    return {
        name: Plan.of(model, name, parameters[name], question.target, question.level, trust=question.trust).explain
        for name in parameters
    }


def _hierarchy(model: Classifier, names: list[str], methods: Methods, question: Question) -> Run:
    from exegesis.api import Growth
    from exegesis.questions.phrases.catalogue import owners_of

    search = str(question.hierarchy)
    if len(names) > 1:
        raise UsageError(f"--hierarchy {search} takes one method to score its phrases, not {', '.join(names)}")
    if question.level != "word":
        raise UsageError("--level belongs to explanations of words; a hierarchy has levels of its own, leave it out")
    saved = chosen(model, names, dataclasses.replace(methods, param=None))
    method = next(iter(saved), None)
    own = assigned(methods.param, {search: owners_of(search, method)})[search]
    return Growth.of(model, search, method, {**saved.get(method or "", {}), **own}, question.target).explain


def _interactions(model: Classifier, kind: str, param: list[str] | None, target: str | None) -> Run:
    from exegesis.api.explanations import joint_effects
    from exegesis.core.parameters import hints
    from exegesis.protocols.target import ask
    from exegesis.questions.phrases.interactions import KINDS
    from exegesis.questions.phrases.search import one_number

    cls = KINDS[kind].cls
    owners = {name: cls for name in hints(cls) if name != "kind"}
    pairwise = KINDS.make(kind, assigned(param, {kind: owners})[kind])
    return partial(joint_effects, model, pairwise, one_number(ask(target, model.labels, model.link)))


def _relevance(model: Classifier, param: list[str] | None, target: str | None) -> Run:
    from exegesis.api.inputs import in_order
    from exegesis.engine.methods import make, require
    from exegesis.protocols.target import ask
    from exegesis.questions.inside.relevance import relevances
    from exegesis.questions.words.lrp import Lrp

    method = cast(Lrp, make("lrp", parameters_of(param, ["lrp"])["lrp"]))
    require(model, method)
    number = ask(target, model.labels, model.link)
    return lambda texts, advance: in_order(relevances(model, texts, method, number), advance)
