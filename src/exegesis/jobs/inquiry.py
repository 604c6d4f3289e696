"""What a run asks about every text: explanations, measures of them, training texts. Each is a question of its own, so
that what is asked later is all that is done later."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from exegesis._version import __version__
from exegesis.api import Growth, Plan
from exegesis.api.training_texts import examples_of
from exegesis.core.containers import items
from exegesis.core.errors import UsageError
from exegesis.core.text import Text
from exegesis.data.examples import Example
from exegesis.engine.methods import Method, card_of, make, require
from exegesis.jobs.plan import Question
from exegesis.jobs.rows import EVALUATION, EXPLANATION, INFLUENCE, Asked, Measured, Number, digest
from exegesis.models.fingerprint import fingerprint
from exegesis.protocols.model import Classifier
from exegesis.protocols.target import LOG, Ask, Link, Wish, ask
from exegesis.questions.phrases.catalogue import SEARCHES
from exegesis.questions.sources import method as sources
from exegesis.questions.sources.number import Likelihood
from exegesis.questions.sources.number import asked as number_asked
from exegesis.questions.sources.run import influences
from exegesis.questions.trust.controls import CONTROLS
from exegesis.questions.trust.measure import RESAMPLE, Measure
from exegesis.questions.trust.measuring.people import Interpretability, needs_marks, word_list
from exegesis.questions.trust.request import choose, explained
from exegesis.questions.trust.run import evaluate
from exegesis.results.influence import Influence

DEFAULT, CARRIER = "integrated-gradients", "leave-one-out"  # of a run that names no method; what controls stand beside
USUAL, BESIDE = "usual", "controls"  # the usual measures; the name of the controls' rows
TOP = 5  # training texts that help, and that hurt, in a row
Given = str | Any | Sequence[Any] | Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True)
class Inquiry:
    """What is asked, checked as far as it can be without the model.

    ``methods`` explain a ``target`` at a ``level``; ``measures`` (None: the usual ones) say how far the methods'
    explanations can be trusted; ``influence`` are methods that score the training texts ``train``, of which ``top``
    of each kind are kept. ``fingerprint`` names what is out of sight in the model.
    """

    methods: tuple[Method, ...]
    target: Wish = None
    level: str = "word"
    measures: tuple[Measure, ...] | None = ()
    influence: tuple[Any, ...] = ()
    train: tuple[Example, ...] = ()
    top: int = TOP
    fingerprint: str | None = None

    @classmethod
    def of(
        cls, methods: Given | None, measures: Given | None, influence: Given | None, train: Any, **more: Any
    ) -> Inquiry:
        """An inquiry in a user's words: names, values, or names with parameters; without ``methods`` the default one,
        or none if training texts alone are asked for. Raises UsageError for names and values that do not fit."""
        wanted = _values(influence, sources.METHODS.make)
        if bool(wanted) != (train is not None):
            raise UsageError("influence=METHOD and train=DATA belong together: name both, or none")
        fallback = [] if wanted and not measures else [DEFAULT]
        values = _values(fallback if methods is None else methods, make)
        if not values and not wanted:
            raise UsageError("a run needs a method: name at least one")
        chosen = () if not measures else None if measures in (USUAL, [USUAL]) else tuple(choose(_listed(measures)))
        if chosen != () and not values:
            raise UsageError("measures measure explanations: name a method, too")
        if chosen != () and more.get("level") in SEARCHES.names:
            raise UsageError("measures measure scores of words: leave the search of trees to a run of its own")
        for measure in chosen or ():
            _refuse(measure)
        examples = () if train is None else tuple(examples_of(train))
        return cls(tuple(values), measures=chosen, influence=tuple(wanted), train=examples, **more)

    def questions(self, model: Classifier) -> list[Question]:
        """The questions to a model: an explanation by each method, then its measures, those of the controls, and the
        training texts. Raises the errors of ``explain``, ``evaluate`` and ``influence``, UsageError for a method that
        is named twice."""
        about = partial(
            Asked, model=model.name, fingerprint=fingerprint(model, self.fingerprint),
            device=str(getattr(model, "device", "cpu")), version=__version__, level=self.level,
        )  # fmt: skip
        found = [self._explanation(model, method, about) for method in self.methods]
        if self.measures != ():
            found += self._evaluations(model, about)
        found += [self._influence(model, method, about) for method in self.influence]
        if len({question.asked.id for question in found}) < len(found):
            raise UsageError("a method is named twice with the same parameters; name it once")
        return found

    def _explanation(self, model: Classifier, method: Method, about: Callable[..., Asked]) -> Question:
        plan = _plan(model, method, self.target, self.level)
        named = about(EXPLANATION, method=plan.name, parameters=_code(plan), wish=_wish(model, plan.choice))
        return Question(model, plan.explain, named)

    def _evaluations(self, model: Classifier, about: Callable[..., Asked]) -> list[Question]:
        """The measures of each method, and of the controls, which are measured once for all methods."""
        regression = model.link is Link.IDENTITY
        measures = choose(self.measures, regression=regression)
        choice = ask(self.target, model.labels, model.link)
        if choice.count != 1:
            raise UsageError("measures are of one number: take one label as the target, not all")
        setting = "; ".join([*map(repr, measures), *_lists(measures)])
        found = []
        for method, controls in [*((method, False) for method in self.methods), (make(CARRIER), True)]:
            require(model, method)
            name, code = (BESIDE, ", ".join(CONTROLS)) if controls else (card_of(method).name, repr(method))
            named = about(EVALUATION, method=name, parameters=code, wish=_wish(model, choice), setting=setting)
            work = partial(_measured, model, method, self.target, measures, controls)
            found.append(Question(model, work, replace(named, level="word")))
        return found

    def _influence(self, model: Classifier, method: Any, about: Callable[..., Asked]) -> Question:
        card = sources.require(model, method)
        choice = number_asked(self.target, model.labels, model.link)
        training = sources.Training.of(model, self.train, later=bool(getattr(method, "index", "")))
        own = digest(*((one.text, one.label) for one in self.train), size=8)
        named = about(
            INFLUENCE, method=card.name, parameters=repr(method), wish=_wish(model, choice), level="text",
            setting=f"{len(self.train)} training texts {own}; top {self.top}",
        )  # fmt: skip

        def work(texts: Sequence[Text]) -> list[Influence]:
            found = dict(influences(model, training, texts, method, choice, self.top))
            return [found[number] for number in range(len(texts))]

        return Question(model, work, named)


def _measured(
    model: Classifier, method: Method, target: Wish, measures: Sequence[Measure], controls: bool, texts: Sequence[Text]
) -> list[Measured]:
    """The numbers of each text: those of its explanation by a method, or with ``controls`` theirs instead."""
    given = explained(model, texts, method, target, measures)
    found = evaluate(model, texts, [given], measures, controls=controls)
    own = [(k, one.name.removesuffix(" (control)")) for k, one in enumerate(found.methods) if one.control == controls]
    return [
        Measured(result, tuple(
            Number(measure.name, name, float(found.values[m, k, i]), measure.higher)
            for m, measure in enumerate(found.measures) for k, name in own if not math.isnan(found.values[m, k, i])
        ))
        for i, result in enumerate(given.results) if result is not None
    ]  # fmt: skip


def _plan(model: Classifier, method: Method, target: Wish, level: str) -> Plan | Growth:
    """A method's plan: of explanations at a level, or of the trees of a search, whose phrases it scores. A search with
    a score of its own takes no method but the default one, which it leaves out."""
    if level not in SEARCHES.names:
        return Plan.of(model, method, None, target, level)
    own = not SEARCHES[level].free and method == make(DEFAULT)
    return Growth.of(model, level, None if own else method, None, target)


def _code(plan: Plan | Growth) -> str:
    return repr(plan.method if isinstance(plan, Plan) else plan.search)


def _wish(model: Classifier, choice: Ask) -> str:
    """The number that is asked for, whatever the text: ``logit:predicted``."""
    kind = LOG if isinstance(choice, Likelihood) else model.link.called(choice.kind)
    return f"{kind}:{','.join([model.labels[i] for i in choice.labels] or ['predicted'])}"


def _listed(given: Given) -> list[Any]:
    listed = None if isinstance(given, str) else items(given, "measures")
    return [given] if listed is None else listed


def _values(given: Given | None, build: Callable[..., Any]) -> list[Any]:
    """The values of methods, however they are named: alone, in a list, by name with parameters."""
    if given is None:
        return []
    if isinstance(given, Mapping):
        return [build(name, own) for name, own in given.items()]
    listed = given if isinstance(given, list | tuple) else [given]
    return [build(one) for one in listed]


def _refuse(measure: Measure) -> None:
    """Raise UsageError for a measure whose number of a text does not follow from what names its row."""
    if measure.how == RESAMPLE:
        raise UsageError("resample draws words from all texts measured, so no row would say what its numbers come from")
    if needs_marks(measure):
        raise UsageError("a run knows no marks of people: measure agreement with them with exegesis evaluate --marks")


def _lists(measures: Sequence[Measure]) -> list[str]:
    """What the word lists of measures hold, as a hash, since their files may change."""
    return [digest(*map(sorted, map(word_list, (one.positive, one.negative))), size=8)
            for one in measures if isinstance(one, Interpretability)]  # fmt: skip
