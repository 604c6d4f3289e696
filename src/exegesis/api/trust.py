"""Trust: evaluations of methods, checks of methods, and the method to recommend for a model."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from exegesis.api.bars import bar
from exegesis.api.inputs import read_texts
from exegesis.api.models import as_model, methods, preferred
from exegesis.api.recommended import Place, each_chosen
from exegesis.core.containers import items, number_in, shown
from exegesis.core.errors import UsageError
from exegesis.core.parameters import fitting
from exegesis.core.shown import Catalogue
from exegesis.core.text import Text
from exegesis.data.examples import Example, read_examples
from exegesis.engine.cost import allowed
from exegesis.engine.methods import BEST, Method, make
from exegesis.models.trained.randomised import memorising_options, trained_on_shuffled
from exegesis.nn.context import entry
from exegesis.protocols.model import Classifier, Raw
from exegesis.protocols.target import Wish
from exegesis.questions.trust.measure import Measure, MeasureCard
from exegesis.questions.trust.recommendations import recommended
from exegesis.results.evaluation import Evaluation
from exegesis.results.recommendation import Recommendation

CANDIDATES = ("reat", "lrp", "deeplift", "integrated-gradients", "gradient-x-input", "leave-one-out", "lime")
Data = str | os.PathLike[str] | Iterable[Raw | Example]
WEAK = 0.9  # a trained model that learned a smaller share of its shuffled labels is a weak check


@entry
def evaluate(
    model: Classifier | str,
    data: Data,
    methods: Sequence[str | Method] | None = None,
    measures: Sequence[str | Measure] | None = None,
    *,
    parameters: Mapping[str, Mapping[str, Any]] | None = None,
    recommendation: Place = None,
    progress: bool = False,
    most: int | None = None,
    **options: Any,
) -> Evaluation:
    """Measure how far explanations can be trusted: methods and controls on the same texts, by several measures.

    ``data`` is a list of texts (pairs, examples), or a file of them. ``methods`` are names or method values, by default
    the default method of ``explain`` (none if ``explanations`` are passed), with their ``parameters`` by name; ``best``
    is the method of a saved ``recommendation``, as for ``explain``. ``measures`` are names
    (``exegesis.measures()``), also with parameters (``deletion:how=pad``), or measure values.
    Further ``options``, all by keyword:

    ``how``: ways of removing words, all measured (``drop``, ``zero``, ``pad``, ``unknown``, ``mask``, ``resample``);
    ``explanations``: other explanations of the same texts, as results, or a file of JSON lines (see
    ``questions.trust.explanations.read_explanations``); ``target`` as for ``explain``; ``marks``: for each text the
    words that people marked (truth values of words, or ranges of characters), or a file; ``controls``: random scores,
    leave-one-out and greedy removal (by default true); ``seed`` and ``samples`` of the bootstrap. ``most`` limits the
    passes of the model for a text, as for ``explain``.

    Raises UsageError for empty data, for explanations of another text or model, and for marks that do not fit a text.
    """
    from exegesis.questions.trust.request import evaluate as run_evaluation

    classifier = as_model(model)
    texts = _texts(classifier, data)
    default = [] if options.get("explanations") is not None else [preferred(classifier)]
    requested = default if methods is None else _several(methods, "methods")
    names, by_name = each_chosen(classifier, requested, _by_name(parameters), recommendation, model)
    options |= {name: fitting(name, int, options[name]) for name in ("seed", "samples") if name in options}
    options |= {name: _several(options[name], name) for name in ("how",) if name in options}
    chosen = None if measures is None else _several(measures, "measures")
    with allowed(most), bar(progress, len(texts) * (len(names) + 1), "evaluate") as advance:
        return run_evaluation(classifier, texts, names, chosen, parameters=by_name, advance=advance, **options)


def measures() -> Catalogue[MeasureCard]:
    """The cards of all measures, by name: the quantity each one measures, its paper, and which numbers are better."""
    import exegesis.questions.trust.measuring  # noqa: F401 - registers them; only evaluations load them
    from exegesis.questions.trust.measure import measures as registered

    return Catalogue(registered())


@entry
def randomisation(
    model: Classifier | str,
    data: Data,
    methods: Sequence[str | Method] | None = None,
    *,
    train: str | os.PathLike[str] | Sequence[Example] | None = None,
    other: Classifier | str | None = None,
    target: Wish = None,
    parameters: Mapping[str, Mapping[str, Any]] | None = None,
    recommendation: Place = None,
    seed: int = 0,
    samples: int = 2000,
    progress: bool = False,
) -> Evaluation:
    """Check if explanations change with what the model has learned (Adebayo et al. 2018): one number per text.

    The number is the absolute rank correlation of a method's scores on two models, 0 to 1, on the texts of ``data``,
    beside that of two independent random scores. Low is good. The second model is the first with shuffled weights
    (parameter randomisation); with ``train``, the training texts with their labels, a model of the same kind trained on
    the same texts with shuffled labels (label randomisation), which takes as long as a training; or ``other``, such a
    model already trained. The notes say how many of its random labels the trained model has learned: if these are few,
    the check is weak.

    ``methods``, their ``parameters`` and ``recommendation`` are as for ``evaluate``. Raises UnsupportedError for
    ``train`` with a model that Exegesis does not train, and the errors of ``evaluate``.
    """
    from exegesis.questions.trust.measuring.sanity import randomisation as compared

    classifier = as_model(model)
    if train is not None and other is not None:
        raise UsageError("train=DATA trains the model that other=MODEL names; give one of them")
    texts = _texts(classifier, data)
    built = _methods(classifier, model, methods, parameters, recommendation)
    second, notes = None if other is None else as_model(other), []
    if train is not None:
        examples = read_examples(os.fspath(train)) if isinstance(train, str | os.PathLike) else list(train)
        with bar(progress, memorising_options(len(examples)).epochs, "train on shuffled labels") as advance:
            trained = trained_on_shuffled(classifier, examples, seed=seed, watcher=_Epochs(advance))
        second = trained.model
        share, weak = f"{100 * trained.fitted:.0f} %", trained.fitted < WEAK
        sentence = f"A model of the same kind learned {share} of the shuffled labels of {trained.texts:,} texts"
        notes = [sentence + (", which is few: what it shows is weak." if weak else ".")]
    seed, samples = fitting("seed", int, seed), fitting("samples", int, samples)
    result = compared(classifier, texts, built, second, target=target, seed=seed, samples=samples)
    return replace(result, notes=(*result.notes, *notes))


@entry
def sensitivity(
    model: Classifier | str,
    data: Data,
    methods: Sequence[str | Method] | None = None,
    *,
    radius: float = 0.02,
    draws: int = 10,
    target: Wish = None,
    parameters: Mapping[str, Mapping[str, Any]] | None = None,
    recommendation: Place = None,
    seed: int = 0,
    samples: int = 2000,
) -> Evaluation:
    """Measure how much scores move if the word vectors move a little (Yeh et al. 2019, Def. 2.2): one number per text.

    The number is the sensitivity-max on the texts of ``data``: the largest of ``draws`` values of
    ``|scores' - scores| / |scores|``, each with every word vector moved by a random step of ``radius`` times their mean
    length. Low is steady. The paper moves the input; here all uses of a word move alike, so that methods that
    remove words can be checked too. ``methods``, their ``parameters`` and ``recommendation`` are as for ``evaluate``.

    Raises UnsupportedError if the model's embedding is not accessible, and the errors of ``evaluate``.
    """
    from exegesis.questions.trust.measuring.sanity import sensitivity as measured

    classifier = as_model(model)
    texts = _texts(classifier, data)
    built = _methods(classifier, model, methods, parameters, recommendation)
    seed, samples = fitting("seed", int, seed), fitting("samples", int, samples)
    radius, draws = fitting("radius", float, radius), fitting("draws", int, draws)
    return measured(classifier, texts, built, radius=radius, draws=draws, target=target, seed=seed, samples=samples)


def _texts(model: Classifier, data: Data) -> list[Text]:
    """The texts of a file or a list, as the model reads them."""
    examples = read_examples(os.fspath(data)) if isinstance(data, str | os.PathLike) else items(data, "texts")
    if examples is None:
        raise UsageError(f"data are a list of texts or examples, or a file, not {shown(data)}")
    return read_texts(model, [example.text if isinstance(example, Example) else example for example in examples])


def _several(values: object, what: str) -> list[Any]:
    """The values of a list, or a single one, such as the name of a method."""
    listed = items(values, what)
    return [values] if listed is None else listed


def _by_name(parameters: object) -> Mapping[str, Mapping[str, Any]]:
    """Parameters by the name of their method. Raises UsageError for anything else."""
    if parameters is None:
        return {}
    if not isinstance(parameters, Mapping) or not all(isinstance(values, Mapping) for values in parameters.values()):
        raise UsageError(
            f"parameters are a dict for each method, as {{'lime': {{'samples': 200}}}}, not {shown(parameters)}"
        )
    return parameters


def _methods(
    model: Classifier,
    folder: Classifier | str,
    methods: Sequence[str | Method] | None,
    parameters: Mapping[str, Mapping[str, Any]] | None,
    recommendation: Place,
) -> list[Method]:
    """The methods of a user with their parameters, by default the default method of ``explain``."""
    requested = [preferred(model)] if methods is None else _several(methods, "methods")
    names, by_name = each_chosen(model, requested, _by_name(parameters), recommendation, folder)
    return [make(name, by_name.get(name, {}) if isinstance(name, str) else None) for name in names]


@dataclass(frozen=True)
class _Epochs:
    """A watcher of a training that advances a progress bar after each epoch."""

    advance: Callable[[], object]

    def step(self, epoch: int, done: int, total: int, loss: float) -> None: ...

    def epoch(self, epoch: object, *, best: bool) -> None:
        self.advance()


@entry
def recommend(
    model: Classifier | str,
    data: Data,
    methods: Sequence[str] | None = None,
    budget: float | None = None,
    *,
    parameters: Mapping[str, Mapping[str, Any]] | None = None,
    **options: Any,
) -> Recommendation:
    """Choose the method that explains a model most faithfully within a budget of milliseconds per text.

    ``data`` is as for ``evaluate``, which runs its usual measures on the ``methods`` (names, by default those of
    ``CANDIDATES`` that the model can serve), with their ``parameters`` by name and further ``options`` of ``evaluate``
    (``seed``, ``target``, ``measures``, ``how``, ``progress``). Methods that are over the budget in this run are left
    out; the first of the others in ``Evaluation.ranking`` is chosen. Times are of texts in batches.

    ``save`` the result as ``recommendation.json`` in the model's folder, and ``explain(..., method="best")`` uses it.
    Raises the errors of ``evaluate``, and UsageError if no method is within the budget.
    """
    classifier = as_model(model)
    if budget is not None and not number_in(budget) > 0:
        raise UsageError(f"budget must be a number of ms per text above 0, not {shown(budget)}")
    if options.get("explanations") is not None:
        raise UsageError("only methods that can be run are recommended; leave explanations to exegesis.evaluate")
    if methods is not None and (isinstance(methods, str) or not all(isinstance(name, str) for name in methods)):
        raise UsageError("candidates are a list of names of methods; their parameters go into parameters={name: {...}}")
    refuse_best(methods or [])
    names = list(dict.fromkeys(methods)) if methods is not None else candidates(classifier)
    evaluation = evaluate(classifier, data, names, parameters=parameters, **options)
    what = Path(data).name if isinstance(data, str | os.PathLike) else f"{len(evaluation.texts)} texts"
    return recommended(classifier, evaluation, what, budget, parameters)


def refuse_best(names: Sequence[str]) -> None:
    """Raise UsageError if ``best``, the recommended method, is among the names of candidates."""
    if BEST in names:
        raise UsageError(f"{BEST!r} is what a recommendation finds; name the methods to choose from")


def candidates(model: Classifier) -> list[str]:
    """The default candidates of ``recommend``: the methods of ``CANDIDATES`` that the model can serve."""
    able = {card.name for card in methods(model)}
    return [name for name in CANDIDATES if name in able]
