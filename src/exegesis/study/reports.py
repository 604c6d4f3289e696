"""A report on a model: everything that a reviewer asks first, through the functions that answer each question."""

from __future__ import annotations

import math
import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from exegesis._version import __version__
from exegesis.api import candidates, evaluate, explain, influence, randomisation, sensitivity
from exegesis.api.models import as_model
from exegesis.core.errors import ExegesisError, UsageError
from exegesis.core.progress import counted
from exegesis.data.concepts import read_concepts
from exegesis.data.examples import Example
from exegesis.engine.methods import make
from exegesis.nn.context import entry
from exegesis.protocols.labels import Labels
from exegesis.protocols.model import Classifier
from exegesis.questions.trust.recommendations import recommended
from exegesis.results.behaviour.report import Chapter, Report
from exegesis.results.header import Prediction
from exegesis.results.recommendation import Recommendation
from exegesis.study.corpus import Corpus, Data, read_data, texts_of
from exegesis.study.failing.faults import failures
from exegesis.study.predictions import predict_all
from exegesis.study.slices import holding, numbered, slices
from exegesis.study.summaries import summary
from exegesis.study.vocabulary.classes import words

MEASURED, CHECKED, SHOWN = 100, 30, 2  # texts by which methods are measured, and checked; of each kind of case
UNTESTED = (
    "texts of another time, source or language than these",
    "texts written to mislead the model",
    "whether probabilities are as often right as they say (calibration)",
    "whether people decide better with these explanations",
)


@entry
def report(
    model: Classifier | str,
    data: Data,
    labels: Labels | None = None,
    *,
    train: Data | None = None,
    groups: object = None,
    methods: Sequence[str] | None = None,
    measured: int = MEASURED,
    checked: int = CHECKED,
    seed: int = 0,
    named: Mapping[str, str] | None = None,
    progress: bool = False,
) -> Report:
    """A report on a model over a corpus: what its owner hands to a reviewer.

    The chapters: data and accuracy; the method to recommend and how faithful it is (``recommend`` and ``evaluate`` on
    the first ``measured`` texts, by default with the candidates of ``recommend``, or with ``methods``); the words that
    the model goes by (``study.summary``, ``study.words``); typical and odd cases, explained; wrong predictions by their
    causes (``study.failures``), if texts have labels; slices by ``groups``, words by the name of each group, or files
    of them (see ``data.concepts.read_concepts``); sanity checks on the first ``checked`` texts (``randomisation``,
    ``sensitivity``); and what was not tested. ``train``, the training texts with labels, adds the training data's part
    in each. A chapter that the model cannot serve says why.

    ``named`` are what the commands that repeat a chapter say: the ``model``, ``data``, ``train``, ``limit``, further
    ``options``, and the whole ``command``; without them chapters name none. Raises the errors of ``explain`` and
    ``study.failures`` for data that cannot be read.
    """
    classifier = as_model(model)
    for name, count in (("measured", measured), ("checked", checked)):
        if not isinstance(count, int) or isinstance(count, bool) or count < 2:
            raise UsageError(f"{name} must be a whole number of at least 2, not {count!r}")
    for method in methods or ():
        make(method)  # an unknown name would leave every chapter empty
    examples = read_data(data)
    trained = None if train is None else read_data(train)
    corpus = Corpus.of(examples, labels, classifier.labels)
    words_of = {} if groups is None else dict(read_concepts(groups))
    made = _Maker(classifier, examples, corpus, trained, words_of, methods, measured, checked, seed, dict(named or {}))
    steps = made.steps()
    chapters = [step() for step in counted(steps, "chapters", len(steps))] if progress else [step() for step in steps]
    facts = {
        "model": classifier.name, "labels": ", ".join(classifier.labels), "data": made.named.get("data", ""),
        "texts": f"{len(corpus):,}", "training texts": "not given" if trained is None else f"{len(trained):,}",
        "Exegesis": __version__,
    }  # fmt: skip
    return Report({name: text for name, text in facts.items() if text}, tuple(chapters), made.named.get("command", ""))


class _Maker:
    """The parts that chapters share, and the chapters."""

    def __init__(
        self, classifier: Classifier, examples: list[Example], corpus: Corpus,
        train: list[Example] | None, groups: Mapping[str, Sequence[str]], methods: Sequence[str] | None, measured: int,
        checked: int, seed: int, named: dict[str, str],
    ) -> None:  # fmt: skip
        self.classifier, self.corpus, self.train = classifier, corpus, train
        self.examples = [Example.of(raw, gold) for raw, gold in zip(corpus.raws, corpus.golds, strict=True)]
        self.groups, self.methods, self.measured, self.checked, self.seed = groups, methods, measured, checked, seed
        self.named, self.predicted = named, predict_all(classifier, corpus.raws)
        self.texts = [text for _, text in texts_of(classifier, corpus)]
        self.labelled = sum(gold is not None for gold in corpus.golds)
        self.method = ""
        self.notes: list[str] = []
        self.given = len(examples)

    def steps(self) -> list[Callable[[], Chapter]]:
        steps = [self.data, self.trust, self.words, self.cases]
        steps += [self.failures] if self.labelled == len(self.corpus) else []
        steps += [self.fairness] if self.groups else []
        return [*steps, self.sanity, self.untested]

    def command(self, *words: str) -> str:
        """A command of the command line, with the names of the model and the data; empty without them."""
        if "data" not in self.named:
            return ""
        rest = [self.named.get(word[1:], "") if word in ("$data", "$train") else word for word in words]
        if "limit" in self.named and "--limit" not in words:
            rest += ["--limit", self.named["limit"]]
        options = [*shlex.split(self.named.get("options", ""))]
        return shlex.join(["exegesis", *rest, "--model", self.named.get("model", self.classifier.name), *options])

    def tried(self, title: str, question: str, make: Callable[[], list[Any]], command: str, *said: str) -> Chapter:
        """A chapter of results; one that the model cannot serve says why, and is named among what was not tested."""
        try:
            return Chapter(title, question, tuple(make()), sentences=said, command=command)
        except ExegesisError as error:
            self.notes.append(f"{title.lower()}: {error}")
            return Chapter(title, question, sentences=(f"Not possible here: {error}",), command=command)

    def data(self) -> Chapter:
        golds, labels = self.corpus.golds, self.classifier.labels
        predicted = [one.label for one in self.predicted]
        every = {"all": np.ones(len(predicted), dtype=bool)}
        every |= {f"gold {label}": np.array([gold == label for gold in golds]) for label in labels[:10]
                  if any(gold == label for gold in golds)}  # fmt: skip
        copies = len(self.texts) - len(set(numbered(self.texts).tolist()))
        said = [
            f"{copies:,} texts stand in the data more than once." if copies else "No text stands in the data twice."
        ]
        if self.train is not None:
            known = {one.text for one in self.train}
            leaked = sum(raw in known for raw in self.corpus.raws)
            said.append(f"{leaked:,} of the texts are also training texts.")
        if not self.labelled:
            said.append("The texts have no labels, so that no accuracy is known.")
        found = tuple(one._replace(difference=one.difference._replace(value=math.nan)) for one in slices(
            golds, predicted, labels, every, seed=self.seed, owners=numbered(self.texts)))  # fmt: skip
        return Chapter("Data and accuracy", "What was the model asked, and how often was it right?", slices=found,
                       sentences=tuple(said), command=self.named.get("command", ""))  # fmt: skip

    def trust(self) -> Chapter:
        names = list(self.methods or candidates(self.classifier))
        texts = [one.text for one in self.examples[: self.measured]]
        found: Recommendation | None = None

        def make() -> list[Any]:
            nonlocal found
            measured = evaluate(self.classifier, texts, names, seed=self.seed)
            found = recommended(self.classifier, measured, f"{len(texts)} texts", None, None)
            return [measured]

        command = self.command("evaluate", "--data", "$data", "--limit", str(len(texts)), "--methods", ",".join(names),
                               "--seed", str(self.seed))  # fmt: skip
        chapter = self.tried(
            "The method to recommend", "Which method explains this model most faithfully?", make, command
        )
        self.method = names[0] if found is None else found.method
        said = () if found is None else tuple(str(found).splitlines()[:1])
        return Chapter(chapter.title, chapter.question, chapter.results, sentences=(*said, *chapter.sentences),
                       command=command)  # fmt: skip

    def words(self) -> Chapter:
        method, train = self.method, () if self.train is None else ("--train", "$train")
        command = "; ".join(filter(None, (
            self.command("study", "summary", "$data", *train, "-M", method, "--seed", str(self.seed)),
            self.command("study", "words", "$data", "-M", method, "--seed", str(self.seed)))))  # fmt: skip

        def make() -> list[Any]:
            found: list[Any] = []
            if len(self.classifier.labels) > 1:
                found.append(summary(self.classifier, self.examples, train=self.train, method=method, seed=self.seed))
            return [*found, words(self.classifier, self.examples, method, seed=self.seed)]

        return self.tried("The words that it goes by", "Which words decide, over all texts?", make, command)

    def cases(self) -> Chapter:
        picked = dict(_picked(self.predicted, self.corpus.golds, self.classifier.labels))
        said = [f"{what}: “{_short(self.texts[at].raw)}”" for at, what in picked.items()]

        def make() -> list[Any]:
            raws = [self.corpus.raws[at] for at in picked]
            found: list[Any] = [
                one.replace(details={**one.details, "example": _noted(at, self.corpus.golds[at])})
                for at, one in zip(picked, explain(self.classifier, raws, self.method), strict=True)
            ]
            wrong = [self.corpus.raws[at] for at, what in picked.items() if what.startswith("sure and wrong")]
            if self.train is not None and wrong:
                found += influence(self.classifier, self.train, wrong, "nearest", top=3)
            return found

        command = self.command("explain", "--file", "$data", "-M", self.method)
        return self.tried("Typical and odd cases", "What do explanations look like, where it is right and where not?",
                          make, command, *said)  # fmt: skip

    def failures(self) -> Chapter:
        train = () if self.train is None else ("--train", "$train")
        command = self.command("study", "failures", "$data", *train, "-M", self.method)
        return self.tried(
            "Wrong predictions", "Which words made it wrong, and does the training data know them?",
            lambda: [failures(self.classifier, self.examples, train=self.train, method=self.method)], command,
        )  # fmt: skip

    def fairness(self) -> Chapter:
        inside = {name: holding(self.texts, given) for name, given in self.groups.items()}
        predicted = [one.label for one in self.predicted]
        found = tuple(slices(self.corpus.golds, predicted, self.classifier.labels, inside, seed=self.seed,
                             owners=numbered(self.texts)))  # fmt: skip
        empty = [one.group for one in found if not one.texts]
        said = [f"No text holds a word of {', '.join(empty)}."] if empty else []
        said.append("A difference says that texts with these words fare otherwise, not that the words are the reason: "
                    "exegesis study word and exegesis study substitute look at that.")  # fmt: skip
        return Chapter("Slices by words", "Does it treat texts that name these groups as it treats the others?",
                       slices=found, sentences=tuple(said), command=self.named.get("command", ""))  # fmt: skip

    def sanity(self) -> Chapter:
        texts = [one.text for one in self.examples[: self.checked]]

        asked = ["--sanity"]

        def make() -> list[Any]:
            found: list[Any] = [randomisation(self.classifier, texts, [self.method], seed=self.seed)]
            try:
                found.append(sensitivity(self.classifier, texts, [self.method], seed=self.seed))
                asked.append("--sensitivity")
            except ExegesisError as error:
                self.notes.append(f"sensitivity: {error}")
            return found

        question = "Do explanations change if the weights are shuffled, and stay if word vectors move a little?"
        chapter = self.tried("Sanity checks", question, make, "")
        command = self.command("evaluate", "--data", "$data", "--limit", str(len(texts)), "--methods", self.method,
                               *asked, "--seed", str(self.seed))  # fmt: skip
        return replace(chapter, command=command)

    def untested(self) -> Chapter:
        said = [*self.notes]
        if self.labelled < len(self.corpus):
            said.append(
                f"accuracy on {len(self.corpus) - self.labelled:,} texts without labels, and causes of failures"
            )
        if self.train is None:
            said.append("the training data: its texts were not given")
        if not self.groups:
            said.append("fairness: no words of groups were given")
        if len(self.corpus) > self.measured:
            said.append(f"faithfulness of methods beyond the first {self.measured:,} texts")
        return Chapter("What was not tested", "Where this report says nothing.",
                       sentences=tuple(f"{one[:1].upper()}{one[1:]}." for one in (*said, *UNTESTED)))  # fmt: skip


def _picked(
    predicted: Sequence[Prediction], golds: Sequence[str | None], labels: Sequence[str]
) -> Iterator[tuple[int, str]]:
    """Texts to show: of each label the right one of median probability, the least sure ones, the surest wrong ones."""
    sure = [one.probability for one in predicted]
    if not all(map(math.isfinite, sure)):
        yield from ((at, "the first") for at in range(min(SHOWN, len(predicted))))
        return
    for label in labels[:6]:
        right = [at for at, one in enumerate(predicted) if one.label == label and golds[at] in (None, label)]
        if right:
            yield sorted(right, key=lambda at: sure[at])[len(right) // 2], f"typical of {label}"
    for at in sorted(range(len(sure)), key=lambda at: sure[at])[:SHOWN]:
        yield at, f"least sure ({100 * sure[at]:.0f} %)"
    wrong = [at for at, one in enumerate(predicted) if golds[at] not in (None, one.label)]
    for at in sorted(wrong, key=lambda at: -sure[at])[:SHOWN]:
        yield at, f"sure and wrong ({predicted[at].label}, {100 * sure[at]:.0f} %)"


def _noted(at: int, gold: str | None) -> dict[str, Any]:
    return {"number": at + 1} if gold is None else {"number": at + 1, "gold": gold}


def _short(raw: str, most: int = 90) -> str:
    words = " ".join(raw.split())
    return words if len(words) <= most else f"{words[: most - 1]}…"
