"""How far explanations can be trusted."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

from exegesis.api.inputs import bar, read_texts
from exegesis.api.models import as_model, preferred
from exegesis.api.recommended import Place, each_chosen
from exegesis.data.examples import Example, read_examples
from exegesis.engine.methods import Method
from exegesis.protocols.model import Classifier, Raw
from exegesis.questions.trust.measure import Measure, MeasureCard
from exegesis.results.evaluation import Evaluation


def evaluate(
    model: Classifier | str,
    data: str | os.PathLike[str] | Sequence[Raw | Example],
    methods: Sequence[str | Method] | None = None,
    measures: Sequence[str | Measure] | None = None,
    *,
    parameters: Mapping[str, Mapping[str, Any]] | None = None,
    recommendation: Place = None,
    progress: bool = False,
    **options: Any,
) -> Evaluation:
    """How far can explanations be trusted? Methods and controls on the same texts, by several measures.

    ``data`` is a list of texts (pairs, examples), or a file of them. ``methods`` are names or method values, by default
    the one that ``explain`` takes (none where ``explanations`` are given), with their ``parameters`` by name; ``best``
    among them is the method of a saved ``recommendation``, as for ``explain``. ``measures`` are names
    (``exegesis.measures()``), also with parameters (``deletion:how=pad``), or measure values.
    Further ``options``, all by keyword:

    ``how``: ways of taking words away, all measured (``drop``, ``zero``, ``pad``, ``unknown``, ``mask``, ``resample``);
    ``explanations``: other explanations of the same texts, as results, or a file of JSON lines (see
    ``evaluate.given.read_explanations``); ``target`` as for ``explain``; ``marks``: for each text what people marked
    (truth values of words, or ranges of characters), or a file; ``controls``: random scores, leave-one-out and greedy
    removal (by default true); ``seed`` and ``samples`` of the bootstrap.

    Raises UsageError for empty data, for explanations of another text or model, for marks that do not fit a text.
    """
    from exegesis.questions.trust.request import evaluate as run_evaluation

    classifier = as_model(model)
    given = read_examples(os.fspath(data)) if isinstance(data, str | os.PathLike) else list(data)
    raws = [one.text if isinstance(one, Example) else one for one in given]
    texts = read_texts(classifier, raws)
    asked = methods if methods is not None else [] if options.get("explanations") else [preferred(classifier)]
    names, own = each_chosen(classifier, asked, parameters or {}, recommendation, model)
    with bar(progress, len(texts) * (len(names) + 1), "evaluate") as advance:
        return run_evaluation(classifier, texts, names, measures, parameters=own, advance=advance, **options)


def measures() -> tuple[MeasureCard, ...]:
    """The cards of all measures, by name: what each measures, its paper, and which numbers are better."""
    import exegesis.questions.trust.measures  # noqa: F401 - registers them; only evaluations load them
    from exegesis.questions.trust.measure import measures as registered

    return registered()
