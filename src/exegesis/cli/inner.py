"""``exegesis explain --interactions`` and ``--relevance``: what is asked of a model in place of scores of words."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from exegesis.core.errors import UsageError

if TYPE_CHECKING:
    from exegesis.core.text import Text
    from exegesis.protocols.model import Classifier


class Inner(NamedTuple):
    """A plan as those of ``exegesis.api``: results of texts that the model has read, ``advance`` called after each."""

    name: str
    work: Callable[[Sequence[Text], Callable[[], object]], list[Any]]

    def explain(self, texts: Sequence[Text], advance: Callable[[], object] = lambda: None) -> list[Any]:
        return self.work(texts, advance)


def check_alone(option: str, others: Mapping[str, object]) -> None:
    """Raises UsageError where an option that cannot go with ``option`` was given."""
    for name, value in others.items():
        if value:
            raise UsageError(f"{name} does not go with {option}; leave one of them out")


def interactions_plan(model: Classifier, kind: str, given: list[str], target: str | None) -> Inner:
    """The plan of ``--interactions KIND``. Raises UsageError as ``exegesis.interactions``."""
    from exegesis.api.explanations import joint_effects
    from exegesis.cli.inputs import assigned
    from exegesis.core.parameters import hints
    from exegesis.protocols.target import ask
    from exegesis.questions.phrases.interactions import KINDS
    from exegesis.questions.phrases.search import one_number

    cls = KINDS[kind].cls
    known = {key: cls for key in hints(cls) if key != "kind"}
    pairwise = KINDS.make(kind, assigned(given, {kind: known})[kind])
    asked = one_number(ask(target, model.labels, model.link))
    return Inner("interactions", lambda texts, advance: joint_effects(model, pairwise, asked, texts, advance))


def relevance_plan(model: Classifier, given: list[str], target: str | None) -> Inner:
    """The plan of ``--relevance``. Raises UsageError and UnsupportedError as ``exegesis.relevance``."""
    from exegesis.cli.inputs import assigned
    from exegesis.core.parameters import hints
    from exegesis.engine.methods import make, require
    from exegesis.protocols.target import ask
    from exegesis.questions.inside.relevance import relevance_at
    from exegesis.questions.words.lrp import Lrp

    method = make("lrp", assigned(given, {"lrp": dict.fromkeys(hints(Lrp), Lrp)})["lrp"])
    require(model, method)
    asked = ask(target, model.labels, model.link)

    def work(texts: Sequence[Text], advance: Callable[[], object]) -> list[Any]:
        found = []
        for text in texts:
            found.append(relevance_at(model, text, cast(Lrp, method), asked))
            advance()
        return found

    return Inner("relevance", work)
