"""``exegesis explain``: texts in, views and files out."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from exegesis.cli.inputs import assigned, chosen, load, noted, parameters_of, read_given
from exegesis.cli.options import LABEL, NUMBERS, OUTPUT, QUIET, TARGET, Command, Look, Recommended, Texts, option
from exegesis.cli.outputs import JSON, PAGES, PICTURES, Files, check_files, progress, stream
from exegesis.cli.resume import begun
from exegesis.core.errors import UsageError, unknown

if TYPE_CHECKING:
    from exegesis.core.text import Text
    from exegesis.protocols.model import Classifier

PART, FIRST, SECONDS = 2048, 32, 5.0  # texts explained before their results go out: at most, at first; as long takes
ATTRIBUTES = "attributes"  # a kind of --inside
ELSEWHERE = {
    "attention": "attention has an option of its own: --attention attention",
    "gates": "gates have an option of their own: --gates",
}
EXPLAINER = "explainer.json"  # in the folder of a model that writes why
Run = Callable[["Sequence[Text]", Callable[..., object]], list[Any]]  # calls its second argument after each text


class Output(Look):
    """The files of explanations, and the view in the terminal."""

    json: str | None = option("Results as .json or .jsonl; - prints JSON lines.", "--json", metavar="FILE|-", **OUTPUT)
    csv: Path | None = option("Every score as a row of a .csv file.", "--csv", metavar="FILE", **OUTPUT)
    html: Path | None = option("A self-contained page.", "--html", "--report", metavar="FILE", **OUTPUT)
    figure: Path | None = option("A figure: .svg, .png, .pdf or .tex.", metavar="FILE", **OUTPUT)
    numbers: bool = NUMBERS()
    quiet: bool = QUIET()

    def view(self) -> dict[str, Any]:
        return {**super().view(), "numbers": self.numbers}

    def files(self) -> Files:
        """The files by option, with the endings that they may have."""
        written, pictures = None if self.json == "-" else self.json, (*PICTURES, ".tex")
        return {"--json": (written, JSON), "--csv": (self.csv, (".csv",)), "--html": (self.html, PAGES),
                "--figure": (self.figure, pictures)}  # fmt: skip


class Explain(Command, Output, Recommended, Texts):
    """Explain predictions: which words and phrases made the model predict this?

    \b
    exegesis explain "The fight scenes are fun but it grows tedious"
    exegesis explain "A fine film." --level all -M reat -M lime --figure why.svg
    exegesis explain "A fine film." -M lime --trust
    exegesis explain "Not a good film." --hierarchy acd --html tree.html
    exegesis explain "Not a good film." --interactions shapley --figure pairs.png
    exegesis explain "Not a good film." --inside information --layers all
    exegesis explain "Not a good film." --adversarial -p budget=2
    exegesis explain "I am sad." --inside attributes --word sad --concepts words/
    exegesis explain "Not a good film." --rationale -M lime --share 0.4
    exegesis explain --file reviews.tsv --model my-model --json results.jsonl
    exegesis explain "Two dogs run." --pair "Dogs move." --model nli-model
    exegesis explain "Two dogs run." --attention attention-saliency -m my-encoder
    exegesis explain "Two dogs run." --pair "Dogs move." -m my-explainer
    """

    method: list[str] | None = option(
        "See 'exegesis methods'; by default integrated-gradients.", "--method", "-M", metavar="METHOD"
    )
    target: str | None = TARGET()
    label: str | None = LABEL(rich_help_panel="Texts")
    level: str = option("word, phrase, clause, text or all of them.", "--level", "-l", metavar="LEVEL", default="word")
    hierarchy: str | None = option(
        "A tree of phrases: acd, soc, scd, hedge, parse or owen. -M then names the method that scores phrases.",
        metavar="SEARCH",
    )
    interactions: str | None = option(
        "Instead of scores, what every two words do together: shapley, removal or alone.", metavar="KIND"
    )
    attention: str | None = option(
        "Instead of scores, a map for each layer and head: attention, attention-saliency, attention-x-gradient, "
        "rollout, flow, value-zeroing, norm-weighted or globenc.", metavar="METHOD",
    )  # fmt: skip
    lines: bool = option(
        "With --attention, or --interactions of a pair: lines between words instead of a heat map.", "--lines",
        default=False,
    )  # fmt: skip
    gates: bool = option("Instead of scores, the gates of an LSTM or GRU at each word.", "--gates", default=False)
    inside: str | None = option(
        "Instead of scores, what hidden states hold, layer by layer: information (of each word), or attributes (of "
        "--word beyond --concepts).", metavar="KIND",
    )  # fmt: skip
    layers: str | None = option("The layers for --inside: all, or names such as 'layer 1,pooled'.", metavar="NAMES")
    reference: Path | None = option("Texts whose words normalise the states for --inside.", metavar="FILE")
    word: str | None = option("The word of the text for --inside attributes.", metavar="WORD")
    concepts: list[str] | None = option(
        "A list of words for --inside attributes, one a line, or a folder of such lists; repeatable.", metavar="FILE"
    )
    reading: str | None = option(
        "For --inside attributes: substitution (other words put in and run; the default) or gaussian (the fitted "
        "noise).", metavar="NAME",
    )  # fmt: skip
    adversarial: bool = option(
        "Instead of scores, the words that each word is pulled to where the prediction is to fall.", "--adversarial",
        default=False,
    )  # fmt: skip
    rationale: bool = option(
        "Instead of scores, the words on which the decision rests: the model's own choice, or the top of -M.",
        "--rationale", default=False,
    )  # fmt: skip
    share: float = option("With --rationale -M: the share of the words.", "--share", default=0.2)
    contiguous: bool = option("With --rationale -M: one run of words.", "--contiguous", default=False)
    relevance: bool = option("Instead of scores, the relevance by lrp in every layer.", "--relevance", default=False)
    trust: bool = option(
        "Add a line: the effect of the top words beside random words, and how far methods agree.", "--trust",
        default=False,
    )  # fmt: skip
    most: int | None = option(
        "The passes of the model that a text may take; ten million by default.", "--most", metavar="PASSES"
    )
    resume: bool = option("Go on with the .jsonl of a run that did not end.", "--resume", default=False, **OUTPUT)

    def view(self) -> dict[str, Any]:
        return {**super().view(), **({"lines": True} if self.lines else {})}

    def run(self) -> None:
        self.check()
        if (Path(self.model) / EXPLAINER).is_file():
            from exegesis.cli.studies.written import say_why

            self.view()
            check_files(self.files(), [self.file])
            say_why(self)
            return
        examples = read_given(self, self.label)
        self.view()
        check_files(self.files(), [self.file, self.recommendation, self.reference])

        from exegesis.api import Bar, each_method, read_text
        from exegesis.engine.cost import allowed

        names = each_method(self.method or [])
        model = load(self)
        runs = _runs(model, names, self)
        # a text that cannot be explained is known before any is
        sizes = [float(len(read_text(model, one.text, at, len(examples)))) for at, one in enumerate(examples)]
        bar = Bar(progress(self.quiet), len(examples) * len(runs), ", ".join(runs), sizes)
        lines = Path(str(self.json)) if self.file is not None and str(self.json).endswith(".jsonl") else None
        run = None if lines is None else begun(lines, self.resume, self._asked(), examples, len(runs))
        at, size = 0 if run is None else run.done, FIRST
        bar.skip(at)
        with stream(self, len(examples), run) as add, allowed(self.most):
            while at < len(examples):
                part = examples[at : at + min(size, PART)]
                texts = [read_text(model, one.text) for one in part]
                bar.first, start = at, time.monotonic()
                with bar.running() as advance:
                    results = [one(texts, advance) for one in runs.values()]
                grouped = zip(part, zip(*results, strict=True), strict=True)
                add([[noted(one, result, model.labels) for result in group] for one, group in grouped])
                at, size = at + len(part), size * 2 if time.monotonic() - start < SECONDS else max(1, size // 2)

    def _asked(self) -> list[tuple[str, Any]]:
        """The options on which results depend."""
        skipped = {"texts", "file", "limit", "quiet", "numbers", "lines", "palette", "color", "most", "resume",
                   "device", *(name.removeprefix("--") for name in self.files())}  # fmt: skip
        names = [field.name for field in dataclasses.fields(self) if field.name not in skipped]
        return [(name, getattr(self, name)) for name in names]

    def check(self) -> None:
        """Raises UsageError for options that contradict each other."""
        if self.resume and (self.file is None or not str(self.json).endswith(".jsonl")):
            raise UsageError("--resume goes on with the --json FILE.jsonl of the texts of a --file")
        if self.trust and self.hierarchy is not None:
            raise UsageError("--trust belongs to explanations of words; leave it out of a hierarchy")
        if not self.rationale and (self.share != 0.2 or self.contiguous):
            raise UsageError("--share and --contiguous belong to --rationale; leave them out")
        if self.lines and self.attention is None and self.interactions is None:
            raise UsageError("--lines belongs to --attention and --interactions; leave it out, or say one of them")
        if self.rationale:
            own: dict[str, object] = {"--hierarchy": self.hierarchy, "--trust": self.trust}
            own["--level"] = self.level != "word"
            wrong = next((name for name, given in own.items() if given), None)
            if wrong is not None:
                raise UsageError(f"{wrong} does not go with --rationale; leave one of them out")
        kinds = {"--interactions": self.interactions is not None, "--attention": self.attention is not None,
                 "--gates": self.gates, "--inside": self.inside is not None,
                 "--adversarial": self.adversarial, "--relevance": self.relevance}  # fmt: skip
        other = next((name for name, given in kinds.items() if given), "")
        if self.inside is None and (self.layers is not None or self.reference is not None):
            raise UsageError("--layers and --reference belong to --inside; leave them out, or say --inside information")
        described: dict[str, object] = {"--word": self.word, "--concepts": self.concepts, "--reading": self.reading}
        for name, value in described.items():
            if self.inside != ATTRIBUTES and value is not None:
                raise UsageError(f"{name} belongs to --inside attributes; leave it out")
            if self.inside == ATTRIBUTES and value is None and name != "--reading":
                raise UsageError(f"--inside attributes needs {name}: a word of the text, and lists of words to compare")
        beside = {**{name: given and name != other for name, given in kinds.items()}, "--hierarchy": self.hierarchy,
                  "--trust": self.trust, "--method": self.method, "--rationale": self.rationale,
                  "--recommendation": self.recommendation,
                  "--level": self.level != "word"}  # fmt: skip
        for name, value in beside.items():
            if other and value:
                raise UsageError(f"{name} does not go with {other}; leave one of them out")


def _runs(model: Classifier, names: list[str], asked: Explain) -> dict[str, Run]:
    """The functions that explain texts which the model has read, by name. Raises as the functions of ``exegesis``."""
    from exegesis.api import Plan, preferred
    from exegesis.api.models import OWN, THROUGH

    if asked.interactions is not None:
        return {"interactions": _interactions(model, asked.interactions, asked)}
    if asked.attention is not None:
        return {asked.attention: _attention(model, asked.attention, asked)}
    if asked.gates:
        return {"gates": _gates(model, asked)}
    if asked.inside is not None:
        return {asked.inside: _inside(model, asked.inside, asked)}
    if asked.adversarial:
        return {"adversarial": _adversarial(model, asked)}
    if asked.relevance:
        return {"relevance": _relevance(model, asked)}
    if asked.rationale:
        return _rationales(model, names, asked)
    if asked.hierarchy is not None:
        return {asked.hierarchy: _hierarchy(model, names, asked.hierarchy, asked)}
    default = preferred(model)
    if default == THROUGH and not names and asked.level == "word" and not asked.trust:
        return {THROUGH: _concepts(model, asked)}
    if default == OWN and OWN not in names:  # a model that selects its words shows its own choice first
        names = [OWN, *names]
    parameters = chosen(model, names or [default], asked)
    return {
        name: Plan.of(model, name, own, asked.target, asked.level, trust=asked.trust).explain
        for name, own in parameters.items()
    }


def _hierarchy(model: Classifier, names: list[str], search: str, asked: Explain) -> Run:
    from exegesis.api import Growth
    from exegesis.questions.phrases.catalogue import owners_of

    if len(names) > 1:
        raise UsageError(f"--hierarchy {search} takes one method to score its phrases, not {', '.join(names)}")
    if asked.level != "word":
        raise UsageError("--level belongs to explanations of words; a hierarchy has levels of its own, leave it out")
    saved = chosen(model, names, dataclasses.replace(asked, param=None))
    method = next(iter(saved), None)
    own = assigned(asked.param, {search: owners_of(search, method)})[search]
    return Growth.of(model, search, method, {**saved.get(method or "", {}), **own}, asked.target).explain


def _interactions(model: Classifier, kind: str, asked: Explain) -> Run:
    from exegesis.api.explanations import joint_effects
    from exegesis.core.parameters import hints
    from exegesis.protocols.target import ask
    from exegesis.questions.phrases.interactions import KINDS
    from exegesis.questions.phrases.search import one_number

    cls = KINDS[kind].cls
    owners = {name: cls for name in hints(cls) if name != "kind"}
    pairwise = KINDS.make(kind, assigned(asked.param, {kind: owners})[kind])
    return partial(joint_effects, model, pairwise, one_number(ask(asked.target, model.labels, model.link)))


def _attention(model: Classifier, name: str, asked: Explain) -> Run:
    from exegesis.api.inputs import in_order
    from exegesis.core.parameters import hints
    from exegesis.protocols.target import ask
    from exegesis.questions.inside.attention import attention_maps
    from exegesis.questions.inside.maps import MAPS, require

    cls = MAPS[name].cls
    method = MAPS.make(name, assigned(asked.param, {name: dict.fromkeys(hints(cls), cls)})[name])
    require(model, method)
    number = ask(asked.target, model.labels, model.link)
    return lambda texts, advance: in_order(attention_maps(model, texts, method, number), advance)


def _gates(model: Classifier, asked: Explain) -> Run:
    from exegesis.api.inputs import in_order
    from exegesis.protocols.target import ask
    from exegesis.questions.inside.gates import gate_curves

    if asked.param:
        raise UsageError(f"--param {asked.param[0]}: no parameters belong to gates; leave it out")
    number = ask(asked.target, model.labels, model.link)
    return lambda texts, advance: in_order(gate_curves(model, texts, number), advance)


def _inside(model: Classifier, kind: str, asked: Explain) -> Run:
    from exegesis.api import read_text
    from exegesis.api.inputs import in_order
    from exegesis.core.parameters import hints
    from exegesis.data.examples import read_examples
    from exegesis.protocols.target import ask
    from exegesis.questions.inside.information import Measure, information

    if kind not in ("information", ATTRIBUTES):
        if kind in ELSEWHERE:
            raise UsageError(f"--inside {kind}: {ELSEWHERE[kind]}")
        raise unknown("kind of --inside", kind, ("information", ATTRIBUTES))
    owners = dict.fromkeys(hints(Measure), Measure)
    own = assigned(asked.param, {kind: owners})[kind]
    if kind == ATTRIBUTES:
        return _attributes(model, own, asked)
    measure, number = Measure(**own), ask(asked.target, model.labels, model.link)
    source = asked.reference or asked.file  # one for all texts, whatever parts they are explained in
    drawn = None if source is None else [read_text(model, one.text) for one in read_examples(str(source))]
    return lambda texts, advance: in_order(
        information(model, texts, measure, number, asked.layers or "all", drawn), advance
    )


def _attributes(model: Classifier, own: dict[str, Any], asked: Explain) -> Run:
    from exegesis.api.states import attributes
    from exegesis.data.concepts import read_concepts
    from exegesis.data.examples import read_examples

    source = asked.reference or asked.file
    drawn: Any = None if source is None else [one.text for one in read_examples(str(source))]
    sets, reading = read_concepts(asked.concepts), {} if asked.reading is None else {"reading": asked.reading}

    def run(texts: Sequence[Text], advance: Callable[..., object]) -> list[Any]:
        found = []
        for text in texts:
            found.append(attributes(
                model, text.raw, str(asked.word), sets, asked.layers or "all", asked.target,
                reference=drawn, **reading, **own,
            ))  # fmt: skip
            advance()
        return found

    return run


def _adversarial(model: Classifier, asked: Explain) -> Run:
    from exegesis.api.inputs import in_order
    from exegesis.core.parameters import hints
    from exegesis.models.lexicon import lexicon_of
    from exegesis.protocols.target import ask
    from exegesis.questions.inside.adversary import Moving, adversaries, require_movable

    owners = dict.fromkeys(hints(Moving), Moving)
    moving = Moving(**assigned(asked.param, {"adversarial": owners})["adversarial"])
    number = ask(asked.target, model.labels, model.link)
    require_movable(model, number)
    lexicon = lexicon_of(model)
    return lambda texts, advance: in_order(adversaries(model, texts, moving, number, lexicon), advance)


def _rationales(model: Classifier, names: list[str], asked: Explain) -> dict[str, Run]:
    from exegesis.api.inputs import in_order
    from exegesis.api.models import OWN, preferred
    from exegesis.engine.methods import make
    from exegesis.protocols.target import ask
    from exegesis.questions.rationales.run import rationales

    number = ask(asked.target, model.labels, model.link)
    own = [OWN] if preferred(model) == OWN or not names else []
    parameters = chosen(model, list(dict.fromkeys([*own, *names])), asked)

    def one(name: str, values: dict[str, Any]) -> Run:
        method = make(name, values)
        return lambda texts, advance: in_order(
            rationales(model, texts, number, method, asked.share, asked.contiguous), advance
        )

    return {name: one(name, values) for name, values in parameters.items()}


def _concepts(model: Classifier, asked: Explain) -> Run:
    from exegesis.api.inputs import in_order
    from exegesis.protocols.target import ask
    from exegesis.questions.inside.concepts import decisions

    number = ask(asked.target, model.labels, model.link)
    return lambda texts, advance: in_order(decisions(model, texts, number), advance)


def _relevance(model: Classifier, asked: Explain) -> Run:
    from exegesis.api.inputs import in_order
    from exegesis.engine.methods import make, require
    from exegesis.protocols.target import ask
    from exegesis.questions.attributions.lrp import Lrp
    from exegesis.questions.inside.relevance import relevances

    method = cast(Lrp, make("lrp", parameters_of(asked.param, ["lrp"])["lrp"]))
    require(model, method)
    number = ask(asked.target, model.labels, model.link)
    return lambda texts, advance: in_order(relevances(model, texts, method, number), advance)
